"""What every bad input must meet: status 2 or a named error, in one line of cause and remedy, and nothing changed."""

import contextlib
import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from aevb.errors import LONGEST, ArgumentError, UserError
from harness.command import main as command_line

Tally = Callable[[str], None]
PREFIX = "reproduce.py: error: "
# The same inputs every time, so that a failure can be repeated; but for a long campaign.
N_TIMES = int(os.environ.get("BAD_INPUT_TIMES", "1"))
LONG = {"derandomize": N_TIMES == 1, "deadline": 20_000, "database": None}
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


def campaign(examples: int) -> Any:
    """Hypothesis's settings for so many examples, or BAD_INPUT_TIMES as many."""
    return settings(max_examples=examples * N_TIMES, suppress_health_check=QUIET, **LONG)


def contents(folder: Path) -> dict[str, str]:
    """A hash of every file, link and folder below."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        content = path.read_bytes() if stat.S_ISREG(mode) else b""
        link = os.readlink(path) if stat.S_ISLNK(mode) else ""
        found[os.fspath(path.relative_to(folder))] = hashlib.sha256(content).hexdigest() + oct(mode) + link
    return found


def check_message(message: str) -> None:
    """One line that a terminal can show, with a cause and a remedy in it."""
    assert message.isprintable(), ascii(message)
    assert len(message) <= LONGEST + 100
    parts = [part for part in message.replace(";", ":").split(":") if part.strip()]
    assert len(parts) >= 2 or " leave it out" in message or "(see --help)" in message, message


def run(arguments: Sequence[str]) -> tuple[int, str, str]:
    """Status, stdout and stderr of the command line, called in this process as a UTF-8 terminal would see it."""
    out, err = (
        io.TextIOWrapper(io.BytesIO(), "utf-8", errors, write_through=True) for errors in ("strict", "backslashreplace")
    )
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = command_line.main(arguments)
        except SystemExit as leaving:
            status = int(leaving.code or 0)
    printed, complained = (stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]
    return status, printed, complained


def check_refusal(status: int, printed: str, complained: str) -> None:
    """The command line refused, and all that it said is one good line."""
    assert status == 2
    assert printed == ""
    assert complained.startswith(PREFIX), complained
    assert complained.endswith("\n")
    check_message(complained[len(PREFIX) : -1])


@contextmanager
def refused(tally: Tally, match: str = "") -> Iterator[None]:
    """The block raises a `UserError` with a good message."""
    with pytest.raises(UserError, match=match) as caught:
        yield
    check_message(str(caught.value))
    tally("bad inputs")


def refuses(call: Callable[[], object], tally: Tally) -> None:
    """The call raises an `ArgumentError` with a good message, and no warning before it."""
    with pytest.raises(ArgumentError) as caught:
        call()
    check_message(str(caught.value))
    assert isinstance(caught.value, (UserError, ValueError))
    tally("bad inputs")
