"""Text files that are known to be what was written; `checksums.json` lies beside them.

It names the SHA-256 of each file's content and of the content before, and is written first: whenever a process is
killed, what lies there is one of the two. A file that it does not name is taken as it is, as are those of versions
that kept no checksums. Where it is damaged itself, it names none, until files are written again.
"""

import contextlib
import hashlib
import json
from pathlib import Path

from aevb.errors import UserError
from harness.store.files import NotAFile, encoded, read_bytes, remove, write_bytes, write_text
from harness.store.records import parse_json

NAME = "checksums.json"
ABSENT = ""  # stands for the checksum of a file that is not there yet


class Damaged(UserError):
    """A file is not what was written."""


def write_checked(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace a file atomically; one process at a time may write to a folder.

    Raises:
        UserError: it cannot be written.
    """
    content = encoded(text)
    try:
        sums = named_sums(path.parent)
    except Damaged:
        sums = {}
    known = sums.get(path.name)
    try:
        before = [_sha256(_read(path))]
    except FileNotFoundError:
        before = [ABSENT]
    except Damaged:
        before = []
    if known is not None and not {*before} <= {*known}:
        before = []  # damage does not become what was written
    sums[path.name] = [*before, _sha256(content)]
    write_text(path.with_name(NAME), json.dumps(sums, indent=1, sort_keys=True), durable=durable)
    write_bytes(path, content, durable=durable)


def forget_checked(path: Path) -> None:
    """Remove a file; its checksums allow for that first, lest a kill in between make it a lost one."""
    with contextlib.suppress(Damaged):
        sums = named_sums(path.parent)
        if ABSENT not in (known := sums.get(path.name, [ABSENT])):
            sums[path.name] = [ABSENT, *known]
            write_text(path.with_name(NAME), json.dumps(sums, indent=1, sort_keys=True))
    remove(path)


def read_checked(path: Path) -> str:
    """What `write_checked` wrote, also while another process writes.

    Raises:
        FileNotFoundError: there is no such file.
        Damaged: its checksum is another.
    """
    last = None
    while True:
        content = _read(path)
        try:
            known = named_sums(path.parent).get(path.name)
        except Damaged:
            known = None
        if known is None or _sha256(content) in known:
            try:
                return content.decode()
            except UnicodeDecodeError as error:
                raise Damaged(f"{path}: no text") from error
        if (content, known) == last:  # else it may have been replaced between the two looks
            raise Damaged(f"{path}: its checksum is another")
        last = content, known


def named_sums(folder: Path) -> dict[str, list[str]]:
    """The checksums of a folder by file name; empty where it has none.

    Raises:
        Damaged: their file is.
    """
    path = folder / NAME
    try:
        sums = parse_json(_read(path))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Damaged(f"{path}: {error}") from error
    if not (isinstance(sums, dict) and all(map(_are_sums, sums.values()))):
        raise Damaged(f"{path}: no checksums")
    return sums


def _are_sums(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _read(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except NotAFile as error:
        raise Damaged(f"{path}: {error}") from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
