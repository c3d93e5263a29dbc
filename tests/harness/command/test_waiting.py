"""A long `evaluate` says how far it is, in a log every ten seconds and on a terminal at once."""

import io
from itertools import count

import pytest
from rich.console import Console

from harness.command import waiting as module
from harness.command.waiting import waiting


@pytest.fixture
def seconds(monkeypatch):
    """A clock that is three seconds later each time it is read."""
    clock = count(step=3.0)
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))


def told(console):
    with waiting(console) as tell:
        tell("appendix D", 0.0)  # 3 s
        for n in range(1, 5):
            tell("AIS [fast]", n / 8)  # 6 s: began; 9, 12, 15 s
    return console.file.getvalue()


def test_a_log_has_a_line_every_ten_seconds_with_the_time_left(seconds):
    assert told(Console(file=io.StringIO(), width=80)) == "AIS [fast] 38%, about 0:10 left\n"  # at 12 s: 6 s for 3/8


def test_a_terminal_shows_every_part_and_is_left_clean(seconds):
    shown = told(Console(file=io.StringIO(), width=80, force_terminal=True))
    assert "AIS [fast]" in shown
    assert shown.endswith("\x1b[2K")
