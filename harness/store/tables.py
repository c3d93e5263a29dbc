"""Reading back what the suite has written: as it was, or an error that says what to do."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from aevb.errors import UserError
from harness.store.checksums import Damaged, read_checked
from harness.store.files import read_bytes

Kind = TypeVar("Kind", bound=dict[str, Any] | list[Any])


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What goes wrong in the block is the file's fault.

    Raises:
        UserError: something did.
    """
    try:
        yield
    except (OSError, ValueError, TypeError, LookupError, AttributeError, SyntaxError, RecursionError) as error:
        raise UserError(
            f"results must be as they were written; {path}: {type(error).__name__}: {error}; remove it, to be made anew"
        ) from error


@contextmanager
def showing(place: Path, remedy: str) -> Iterator[None]:
    """What goes wrong in the block, which shows what is stored here, is the fault of that: columns that lack, say.

    Args:
        place: of what is shown.
        remedy: what makes it anew.

    Raises:
        UserError: something did; of the system, nothing is taken for that.
    """
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        if isinstance(error, UserError | UnicodeError):  # texts are decoded where they are read
            raise
        raise UserError(
            f"results must be as they were written; {place}: {type(error).__name__}: {error}; {remedy}"
        ) from error


def read_checked_table(path: Path) -> pd.DataFrame:
    """A CSV file that was written with a checksum.

    Raises:
        FileNotFoundError: there is no such file.
        Damaged: it is another.
    """
    try:
        return pd.read_csv(io.StringIO(read_checked(path)))
    except ValueError as error:  # pandas' errors are
        raise Damaged(f"{path}: {error}") from error


def read_json(path: Path, kind: type[Kind]) -> Kind:
    """An object (dict) or a list from a JSON file.

    Raises:
        UserError: it cannot be read, or is something else.
    """
    with reading(path):
        content = json.loads(read_bytes(path))
        if not isinstance(content, kind):
            raise ValueError(f"a JSON {kind.__name__} was expected, found {type(content).__name__}")
        return content


def read_table(path: Path, *columns: str) -> pd.DataFrame:
    """A table from a CSV file, which has these columns, and perhaps others.

    Raises:
        UserError: it cannot be read, lacks columns, or is cut in a row.
    """
    with reading(path):
        content = read_bytes(path)
        table = pd.read_csv(io.BytesIO(content))
        if not content.endswith(b"\n"):
            raise ValueError("its end is missing")
        if missing := {*columns} - {*table.columns}:
            raise ValueError(f"no column {', '.join(sorted(missing))}")
        return table
