"""What a long measurement has so far: a file of JSON lines, each of them on disk as soon as it is measured."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from aevb.errors import UserError
from harness.store.environment import describe
from harness.store.files import read_bytes, unwritable, write_text
from harness.store.locks import hold
from harness.store.machine import fingerprint, title
from harness.store.tables import reading

NAME = ".unfinished.jsonl"


class Journal:
    """Lines below a heading, which says with what they were measured.

    Lines of an earlier process go on where its heading was the same; else the file begins anew.

    Args:
        path: of the file.
        heading: what must be the same, as JSON values by name.

    Attributes:
        lines: all that count, the earlier ones first.
        differs: names of what is not the same as in the lines that were there; empty where none were.
    """

    def __init__(self, path: Path, heading: Mapping[str, Any]) -> None:
        before, found = read_journal(path)
        now = json.loads(_line(heading))
        others = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        self.differs = others if found else []
        self.lines = [] if others else found
        write_text(path, "".join(map(_line, [now, *self.lines])))  # a torn line is gone
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)

    @property
    def anew(self) -> str:
        """Why it begins anew, in a few words; "" where it does not."""
        return f"begins anew: those that were there differ in {', '.join(self.differs)}" if self.differs else ""

    def add(self, line: Mapping[str, Any]) -> None:
        """Have it on disk.

        Raises:
            UserError: the disk is full, say.
        """
        left = _line(line).encode()
        try:
            while left:  # a disk that is nearly full takes a part
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError as error:
            raise unwritable(self._path, error) from error
        self.lines.append(dict(line))

    def remove(self) -> None:
        """All that it has is kept elsewhere."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing is added any more."""
        os.close(self._file)


def read_journal(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Heading and lines, as far as they are whole; empty where there are none.

    Raises:
        UserError: the file cannot be read.
    """
    with reading(path):
        if not path.exists():
            return {}, []
        found: list[dict[str, Any]] = []
        for text in read_bytes(path).split(b"\n")[:-1]:  # what has no end is torn
            try:
                value = json.loads(text)
            except ValueError:
                break
            if not isinstance(value, dict):
                break
            found.append(value)
        return (found[0], found[1:]) if found else ({}, [])


def measured_with(*kinds: str) -> dict[str, Any]:
    """What must be the same for numbers of two processes to be one measurement.

    Args:
        kinds: of the devices, "cpu" or "cuda".

    Returns:
        The code, all that is installed, and the devices by their names.
    """
    common, machine = describe(torch.device("cpu")), {"machine": fingerprint()}
    return {
        "commit": common["commit"],
        "uncommitted changes": common["diff"],
        "Python": common["python"],
        "packages": common["packages"],
        "device": [title(describe(torch.device(kind)) | machine) for kind in kinds],
    }


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """No other command measures for this folder meanwhile.

    Raises:
        UserError: one does.
    """
    with hold(folder / ".lock", should_stop=lambda: True) as held:
        if held is None:
            raise UserError(
                f"a folder must have one --benchmark at a time; another is at work in {folder}: wait for it, or choose "
                "a folder with --results DIR"
            )
        yield


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value) + "\n"
