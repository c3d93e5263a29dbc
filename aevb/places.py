"""What anybody has written, by its place: "package.module:name"."""

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


def did_you_mean_place(text: str) -> str:
    """ "; did you mean beta:Beta?" where a text is that but for a path, a file's ending or a call: beta.py:Beta()."""
    path, colon, name = text.removesuffix("()").rpartition(":")
    place = path.removesuffix(".py").removeprefix("./").replace("/", ".") + colon + name
    return f"; did you mean {place}?" if place != text and is_place(place) else ""


@contextmanager
def strangers_code(error_for: Callable[[str], UserError]) -> Iterator[None]:
    """In the block anybody's code runs, and whatever ends it, `sys.exit()` too, is an error of theirs, not an end.

    Args:
        error_for: makes the error from what was raised, as "Type: message" in one line.

    Raises:
        UserError: the block raised something; Ctrl-C alone stays what it is.
    """
    try:
        yield
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise error_for(f"{type(error).__name__}: {one_line(error)}") from error


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

    def error_for(what: str) -> UserError:
        return UserError(
            f"{option} must be a known name or package.module:{kind}, got {place!r}, which cannot be imported "
            f"({what}): install it, or run where it lies{did_you_mean_place(place)}"
        )

    with strangers_code(error_for):
        return getattr(importlib.import_module(module), name)
