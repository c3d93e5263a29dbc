"""Text files that are known to be what was written; `checksums.json` lies beside them.

It names the SHA-256 of each file's content and of the content before, and is written first: whenever a process is
killed, what lies there is one of the two. A file that it does not name is taken as it is, as are those of versions
that kept no checksums.
"""

import hashlib
import json
from pathlib import Path

from aevb.errors import UserError
from harness.files import write_bytes, write_text

NAME = "checksums.json"


class Damaged(UserError):
    """A file is not what was written."""


def write_checked(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace a file atomically; one process at a time may write to a folder."""
    content = text.encode()
    sums = _sums(path.parent)
    known = sums.get(path.name)
    before = [_sha256(path.read_bytes())] if path.exists() else []
    if known is not None and not {*before} <= {*known}:
        before = []  # damage does not become what was written
    sums[path.name] = [*before, _sha256(content)]
    write_text(path.with_name(NAME), json.dumps(sums, indent=1, sort_keys=True), durable=durable)
    write_bytes(path, content, durable=durable)


def read_checked(path: Path) -> str:
    """What `write_checked` wrote, also while another process writes.

    Raises:
        FileNotFoundError: there is no such file.
        Damaged: its checksum is another.
    """
    last = None
    if path.exists() and not path.is_file():
        raise Damaged(f"{path}: it is not a file")  # a pipe would keep its reader waiting
    while True:
        content = path.read_bytes()
        known = _sums(path.parent).get(path.name)
        if known is None or _sha256(content) in known:
            try:
                return content.decode()
            except UnicodeDecodeError as error:
                raise Damaged(f"{path}: no text") from error
        if (content, known) == last:  # else it may have been replaced between the two looks
            raise Damaged(f"{path}: its checksum is another")
        last = content, known


def _sums(folder: Path) -> dict[str, list[str]]:
    """The checksums of a folder; none where they are damaged themselves."""
    try:
        sums = json.loads((folder / NAME).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return {k: v for k, v in sums.items() if isinstance(v, list)} if isinstance(sums, dict) else {}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
