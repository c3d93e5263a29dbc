"""Files that land whole or not at all."""

import errno
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aevb import files
from aevb.errors import UserError


@contextmanager
def replacing(path: Path, *, durable: bool = True, previous: Path | None = None) -> Iterator[Path]:
    """`aevb.files.replacing` for files of results.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    try:
        with files.replacing(path, durable=durable, previous=previous) as temporary:
            yield temporary
    except OSError as error:
        raise unwritable(path, error) from error


IN_ITS_PLACE = "move away what is in its place"


class NotAFile(OSError):
    """A folder or a pipe, say, where a file should be; the latter would keep its reader waiting."""


def read_bytes(path: Path) -> bytes:
    """The content of a regular file.

    Raises:
        FileNotFoundError: there is no such file.
        NotAFile: something else is in its place.
        UserError: it may not be read, or its disk does not answer; what it holds may be whole.
    """
    try:
        if stat.S_ISREG(path.stat().st_mode):
            return path.read_bytes()
    except FileNotFoundError:
        raise
    except NotADirectoryError as error:
        raise FileNotFoundError(error.errno, error.strerror, str(path)) from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotAFile("it is a link to itself") from error
        raise unusable(error) from error
    raise NotAFile("it is not a file")


def write_bytes(path: Path, content: bytes | memoryview, *, durable: bool = True, previous: Path | None = None) -> None:
    """Write a file atomically; see `replacing`."""
    with replacing(path, durable=durable, previous=previous) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a text file atomically."""
    write_bytes(path, encoded(text), durable=durable)


def encoded(text: str) -> bytes:
    """UTF-8; of names of files that are none, bytes as escapes."""
    return text.encode(errors="backslashreplace")


def remove(path: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        UserError: it cannot be removed, or is a folder.
    """
    try:
        path.unlink(missing_ok=True)
    except NotADirectoryError:  # nor is its folder there
        return
    except OSError as error:
        raise unwritable(path, error) from error


@contextmanager
def scratch(prefix: str = "aevb-") -> Iterator[Path]:
    """A folder for as long as the block lasts.

    Raises:
        UserError: there is no place for one.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as error:
        raise UserError(
            f"a folder for what is computed for a while must be had; {error.strerror or error}: make room, or name one "
            "in TMPDIR"
        ) from error
    with folder as name:
        yield Path(name)


def check_writable(folder: Path) -> None:
    """Make the folder, and try it.

    Raises:
        UserError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise unwritable(folder, error) from error


def check_file(path: Path, option: str, begins: bytes) -> None:
    """See now that the file an option names can be written later, and is not another that is there.

    Args:
        path: the file.
        option: that names it.
        begins: how a file begins that an earlier command wrote there; it is replaced, as is an empty one.

    Raises:
        UserError: it cannot, or it is another.
    """
    try:
        if path.exists():
            if not path.is_file():
                raise OSError("it is not a regular file")
            with path.open("rb") as there:
                if there.read(len(begins)) not in (b"", begins):
                    raise OSError("it is there, and of another kind")
        tempfile.TemporaryFile(dir=path.parent).close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{option} must name a file that can be written; {path}: {reason}: name another") from error


def unwritable(path: Path, error: Exception) -> UserError:
    """What to tell a user whose results cannot be written."""
    reason = getattr(error, "strerror", None) or error
    denied = isinstance(error, PermissionError)
    remedy = IN_ITS_PLACE if _is_odd(error) else "give this user the right to" if denied else "make room"
    return UserError(f"results must be writable; {path}: {reason}; {remedy}, or choose a folder with --results DIR")


def unusable(error: OSError) -> UserError:
    """What to tell a user whose file cannot be used, whatever for; the error names it."""
    remedy = IN_ITS_PLACE if _is_odd(error) else "give this user the right to, or look after the disk"
    return UserError(f"files must be such that they can be read; {error.filename}: {error.strerror or error}; {remedy}")


def _is_odd(error: Exception) -> bool:
    """Something is in the place of a file or a folder that is none."""
    if isinstance(error, IsADirectoryError | NotADirectoryError | FileExistsError):
        return True
    return isinstance(error, OSError) and error.errno == errno.ELOOP
