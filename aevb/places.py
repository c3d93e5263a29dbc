"""What anybody has written, by its place: "package.module:name"."""

import importlib
import re
import sys
from pathlib import Path
from typing import Any

from aevb.errors import UserError, one_line

_PLACE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*", re.ASCII)


def is_place(text: object) -> bool:
    """It is written as a place; whether something is there is not looked at, and nothing is imported."""
    return isinstance(text, str) and _PLACE.fullmatch(text) is not None


def short_name(place: str) -> str:
    """The name without its module: short, and fit for a file's name. What is no place stays as it is."""
    return place.rpartition(":")[2] if is_place(place) else place


def name_in_print(place: str, width: int) -> str:
    """Of a class its name; of a function, which many call `load`, its module's too, and packages while there is room.

    Args:
        place: "package.module:name"; what is no place stays as it is.
        width: letters that there is room for; module and function are named even if they have more.
    """
    name = short_name(place)
    if name == place or name[0].isupper():
        return name
    parts = place.replace(":", ".").split(".")
    names = [".".join(parts[n:]) for n in range(len(parts) - 1)]
    return next((name for name in names if len(name) <= width), names[-1])


def load_place(place: str, option: str, kind: str) -> Any:
    """What is at a place; modules of the working folder can be named too. It is imported, and may run anything.

    Args:
        place: "package.module:name", as `is_place` knows it.
        option: that has named it, for the error.
        kind: of thing that is wanted, for the error.

    Raises:
        UserError: it cannot be imported.
    """
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    module, _, name = place.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:  # whatever a stranger's module does while it is loaded
        raise UserError(
            f"{option} must be a known name or package.module:{kind}, got {place!r}, which cannot be imported "
            f"({type(error).__name__}: {one_line(error)}): install it, or run where it lies"
        ) from error
