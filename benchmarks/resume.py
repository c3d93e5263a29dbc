"""What an earlier process has timed is not timed again, and every case is on disk as soon as it is done."""

import hashlib
from collections.abc import Generator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from aevb.places import is_place
from harness.timing.journal import Journal, measured_with
from harness.timing.suite import done


class Resume:
    """A plugin of pytest, which leaves out the cases that a journal has, and adds the others to it.

    Args:
        path: of the journal.
        methods: that are timed.
    """

    def __init__(self, path: Path, methods: Sequence[str]) -> None:
        self._path, self._methods = path, methods
        self._journal: Journal | None = None
        self._told: list[str] = []
        self._failed: set[str] = set()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Of what is selected, what is missing; nothing is begun where files cannot be read or nothing is selected."""
        if session.testsfailed or not items:
            return
        self._journal = Journal(self._path, heading(items, self._methods))
        there = done(self._journal.lines)
        said = [f"cases: {len(there)} of {len(items)} are done", self._journal.anew]
        self._told = ["; ".join(filter(None, said))]
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in there])
        items[:] = [item for item in items if item.nodeid not in there]

    def pytest_report_collectionfinish(self) -> list[str]:
        """How many cases there are, for who counts them."""
        return self._told

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep the numbers of a case as soon as it has run, whatever its assertions say."""
        report = yield
        ended = call.when == "call" or not report.passed
        if self._journal and ended and item.nodeid not in self._failed:  # a failure's first words are the ones to keep
            fixture = getattr(item, "funcargs", {}).get("benchmark")
            record = {"test": item.name, **fixture.extra_info} if fixture and "suite" in fixture.extra_info else None
            failure = report.longreprtext if report.failed else ""
            line = {"case": item.nodeid, "outcome": report.outcome, "record": record, "failure": failure}
            self._journal.add(line)
            if report.failed:
                self._failed.add(item.nodeid)
        return report

    def pytest_unconfigure(self) -> None:
        """The end."""
        if self._journal:
            self._journal.close()


def heading(items: Sequence[pytest.Item], methods: Sequence[str]) -> dict[str, Any]:
    """What a case's numbers are of: what they are measured with, other people's methods and the cases themselves.

    A method is what the file is in which its class is.
    """
    kinds = sorted({str(item.callspec.params["device"]) for item in items if isinstance(item, pytest.Function)})
    return {
        **measured_with(*(kind for kind in kinds if kind != "cuda" or torch.cuda.is_available())),
        "methods": {name: _content(name) for name in methods},
        "cases": [item.nodeid for item in items],
    }


def _content(method: str) -> str:
    """A hash of the file in which a method is, where it is none of the project's."""
    found = find_spec(method.partition(":")[0]) if is_place(method) else None
    return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest() if found and found.origin else ""
