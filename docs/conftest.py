"""The pages' examples run on one thread, and what they write goes to a folder of the test's."""

from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True)
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of its own."""
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
