"""The command as a process, with a head start: forked from one that has imported all, as its workers are.

Importing takes seconds, and the tests start hundreds. What the interpreter and the libraries make of their surroundings
as they start is for tests that start them.
"""

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tests.forking import AVAILABLE, Request, Server, adopt_orphans, pair

ROOT = Path(__file__).resolve().parent.parent


@cache
def server() -> Server:
    """This process's own, which lives as long."""
    adopt_orphans()
    ours, theirs = pair()
    code = f"from tests import forking; forking.main({theirs.fileno()})"
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    atexit.register(lambda: (ours.close(), process.wait()))
    return Server(ours)


class Command:
    """A process with a head start: what of `subprocess.Popen` tests need."""

    def __init__(self, arguments: Sequence[str], cwd: Path, env: dict[str, str], stdout: int | None = None) -> None:
        self.returncode: Any = None
        self._open = ExitStack()
        self._out, self._err = (self._open.enter_context(TemporaryFile()) for _ in range(2))  # noqa: SIM115 - both are
        files = [self._out.fileno() if stdout is None else stdout, self._err.fileno()]
        with open(os.devnull, "rb") as nothing:
            request = Request([*arguments], env, [0, 1, 2], str(cwd))
            self.pid, told = server().start(request, [nothing.fileno(), *files])
        self._told = self._open.enter_context(told)

    def poll(self) -> int | None:
        """Its exit status, minus the signal that ended it, if it has ended."""
        return self._await(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status."""
        self.communicate(timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """If it still lives."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """At once."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it has written to its streams by its end.

        Raises:
            TimeoutExpired: it has not ended after so many seconds.
        """
        if self._await(timeout) is None:
            raise subprocess.TimeoutExpired("a command", timeout or 0)
        with self._open:
            return _text(self._out), _text(self._err)

    def _await(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                self.returncode = int(self._told.recv(20))
            except (TimeoutError, BlockingIOError):
                return None
        return self.returncode


def _text(file: Any) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n").replace("\r", "\n")  # as `text=True` has it


def start(
    arguments: Sequence[str], cwd: Path, env: dict[str, str], stdout: int | None = None
) -> Command | subprocess.Popen[str]:
    """`python ARGUMENTS` as the leader of a session of its own, and its streams for `communicate`."""
    if AVAILABLE:
        return Command(arguments, cwd, env, stdout)
    command, pipe = [sys.executable, *arguments], subprocess.PIPE
    out = pipe if stdout is None else stdout
    return subprocess.Popen(command, cwd=cwd, env=env, stdout=out, stderr=pipe, text=True, start_new_session=True)


def run(
    arguments: Sequence[str], cwd: Path, env: dict[str, str], stdout: int | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """`python ARGUMENTS`, to its end."""
    process = start(arguments, cwd, env, stdout)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return subprocess.CompletedProcess([*arguments], process.returncode, out, err)
