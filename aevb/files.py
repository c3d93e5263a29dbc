"""A file that takes another's place as a whole. Imports nothing of weight: readers of results do without torch."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LEFT_OVER = ".*.[0-9]*"
"""What matches the paths that `replacing` leaves where its process is killed."""


@contextmanager
def replacing(path: Path, *, durable: bool = True, previous: Path | None = None) -> Iterator[Path]:
    """A path in the same folder, to be written in the block, which takes the place of `path` when that ends well.

    A reader sees all of the old file or all of the new one. The path ends in digits that are drawn: a process's number
    would be that of all its threads, and of a process of another machine that writes to the same disk.

    Args:
        path: what to replace.
        durable: outlive a loss of power; what can be had again need not wait for the disk.
        previous: what was at `path` is kept there.

    Raises:
        OSError: the folder cannot be made or written, or the disk is full; what was written is removed.
    """
    temporary = path.with_name(f".{path.name}.{secrets.randbelow(10**12)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if durable:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        if previous is not None and path.exists():
            path.replace(previous)
        temporary.replace(path)
        if durable:
            _sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):  # the error of the block is the one to report
            temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Have the disk know the folder's names; what is no disk of this machine may not be able to."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
