"""Tensors and plain values in files whose damage is noticed."""

import io
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch

from aevb.errors import UserError
from harness.store.checksums import Damaged
from harness.store.files import NotAFile, read_bytes, write_bytes


def save(state: dict[str, Any], path: Path, previous: Path | None = None) -> None:
    """Write atomically; what was there is kept as `previous`."""
    buffer = io.BytesIO()  # a full disk is then the store's to report
    torch.save(state, buffer)
    write_bytes(path, buffer.getbuffer(), previous=previous)


def load_saved(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """What `save` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        Damaged: it is truncated or no file, or its checksums are others.
        UserError: it holds something else.
    """
    try:
        content = io.BytesIO(read_bytes(path))
    except NotAFile as error:
        raise Damaged(f"{path}: {error}") from error
    _check(path, content)
    try:
        state: dict[str, Any] = torch.load(content, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(f"tensors and plain values are all that is read; {path} holds more: remove it") from error
    except RuntimeError as error:
        if "zip archive" not in str(error):  # as where there is no memory for it
            raise
        raise Damaged(f"{path}: {str(error).splitlines()[0]}") from error
    return state


def is_whole(path: Path) -> bool:
    """A file of `save` is there, and as it was written."""
    try:
        load_saved(path)
    except (FileNotFoundError, Damaged):
        return False
    return True


def _check(path: Path, content: io.BytesIO) -> None:
    """The CRC-32 of all records, which torch writes but does not look at."""
    try:
        with zipfile.ZipFile(content) as archive:
            wrong = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise Damaged(f"{path}: {error}") from error
    if wrong is not None:
        raise Damaged(f"{path}: the checksum of {wrong} is another")
    content.seek(0)
