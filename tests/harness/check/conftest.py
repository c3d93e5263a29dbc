"""The check with cases that take no time, for tests to change."""

import pytest

from harness.check import command
from harness.command import main as command_line
from tests.drawn_cases import Drawn


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """The command with two such cases and their reference; returns its file."""
    path = tmp_path / "reference" / "reference.json"
    monkeypatch.setattr(command, "CASES", (Drawn("one"), Drawn("two")))
    monkeypatch.setattr(command, "PATH", path)
    assert command_line.main(["--check", "--update-reference"]) == 0
    return path
