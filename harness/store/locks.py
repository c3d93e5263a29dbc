"""Locks between processes, let go when a process dies."""

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from aevb.errors import UserError
from harness.store.columns import fold
from harness.store.files import unwritable
from harness.store.notices import tell_once

SECONDS_BETWEEN_TRIES = 0.5


class Hold:
    """A lock that this process has; its file may be taken away all the same, and with it all that it guards."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = self._identity()

    def check(self) -> None:
        """Raises UserError where the file is not there any more, or another one is: nothing may be written then."""
        with contextlib.suppress(OSError):
            if self._identity() == self._file:
                return
        raise UserError(
            f"a folder must stay while results are computed for it; {self._path.parent} was taken away meanwhile: "
            "put it back, or begin anew with the same command"
        )

    def _identity(self) -> tuple[int, int]:
        found = os.stat(self._path)
        return found.st_dev, found.st_ino


@contextmanager
def hold(path: Path, should_stop: Callable[[], bool] = lambda: False) -> Iterator[Hold | None]:
    """The lock of this file, which is made; None where `should_stop` ended the wait for another process.

    Raises:
        UserError: the file cannot be made, or its file system has no locks.
    """
    # Without locks of the system, what stands in for them would stay behind when a process dies.
    lock = FileLock(path, fallback_to_soft=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with contextlib.suppress(Timeout):
                lock.acquire(timeout=SECONDS_BETWEEN_TRIES)
            if lock.is_locked or should_stop():
                break
        held = Hold(path) if lock.is_locked else None
    except (OSError, NotImplementedError) as error:
        lock.release()
        raise unwritable(path, error) from error
    try:
        yield held
    finally:
        lock.release()


@contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """Commands that fill this folder do so one after the other, each from what is stored then; who waits is told.

    The lock lies beside the folder, which may come to nothing.

    Raises:
        UserError: as `hold`.
    """

    def waiting() -> bool:
        tell_once(fold(f"another command is at work in {folder}: this one goes on when that is done"))
        return False

    with hold(folder.with_name(f".{folder.name}.lock"), waiting):
        yield
