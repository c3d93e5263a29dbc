"""Files of data, read without ever keeping the reader waiting."""

import os
import stat
from io import BufferedReader
from pathlib import Path

from aevb.data.dataset import data_error, describe

LARGEST = 1 << 26  # bytes; no file of a named dataset comes near it


def open_regular(path: Path) -> BufferedReader:
    """Open a file to read; raise OSError for anything else: a pipe or a device could keep the reader for ever."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("it is not a regular file")
    return path.open("rb")


def read_regular(path: Path) -> bytes:
    """Return the file's bytes; raise OSError for all but a regular file of at most LARGEST bytes."""
    with open_regular(path) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError(f"it has more than {LARGEST} bytes")
    return content


def read_if_present(path: Path) -> bytes | None:
    """Return the file's bytes, or None where there is no such file; raise DataError for one that cannot be read."""
    try:
        path.lstat()  # a link to nowhere, or a folder, is present, and an error
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        return read_regular(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> Exception:
    return data_error(path, "the file must be readable", "a file", describe(error), "make it readable, or remove it")
