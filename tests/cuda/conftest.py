"""The device that is not there, and graphs of few steps."""

from collections.abc import Iterator

import pytest

from harness.runs import steps, tape
from tests.rehearsal import Rehearsal
from tests.rehearsed import GRAPH_STEPS


@pytest.fixture(autouse=True)
def short_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (steps, tape):
        monkeypatch.setattr(module, "GRAPH_STEPS", GRAPH_STEPS)


@pytest.fixture
def device() -> Iterator[Rehearsal]:
    with Rehearsal() as mode:
        yield mode
