"""The errors a user can cause, and therefore mend."""

import difflib
from collections import Counter
from collections.abc import Iterable

LONGEST = 2000  # characters of a message


class UserError(Exception):
    """Something the user asked for cannot be done; in one line the message names the rule, what came and the remedy."""

    def __str__(self) -> str:
        """The message as `one_line` gives it."""
        return one_line(super().__str__())


class DataError(UserError):
    """A dataset is missing, damaged or not what it claims to be."""


class ArgumentError(UserError, ValueError):
    """A function was called with an argument that it cannot take."""


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """ "; did you mean mnist?" where a known name is near, else nothing: to be added to an error's remedy."""
    names = {name.casefold(): name for name in known}
    text = str(word)[:100].casefold()

    def likeness(name: str) -> tuple[float, int]:
        """Of equally near names that of the same letters is meant, in another order."""
        shared = Counter(text) & Counter(name)
        return difflib.SequenceMatcher(None, name, text).ratio(), shared.total()

    near = difflib.get_close_matches(text, names, n=9, cutoff=0.6)
    return f"; did you mean {names[max(near, key=likeness)]}?" if near else ""


def one_line(text: object) -> str:
    """Return the text in one line that a terminal can show: breaks as spaces, other control characters escaped.

    Of what is very long the middle is left out. Odd paths, and other libraries' messages, have all of this.
    """
    line = " ".join(str(text).splitlines())
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST * 2 // 3]} … {shown[-LONGEST // 3 :]}"
