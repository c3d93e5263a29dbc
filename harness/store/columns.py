"""Text that fits a terminal: lines and tables no wider than it is, or than 80 columns where there is none."""

import shutil
import textwrap
from collections.abc import Sequence

import pandas as pd

NARROWEST = 40
SHORTEST = 6  # letters of what is shortened


def columns() -> int:
    """Of the terminal, or of the environment's COLUMNS; 80 where neither says it."""
    try:
        return max(shutil.get_terminal_size().columns, NARROWEST)
    except (OSError, ValueError):  # a standard output that is closed
        return 80


def fold(line: str, width: int | None = None) -> str:
    """The line, broken between words where it is too long; what has no blanks stays whole."""
    lines = textwrap.wrap(
        line, width or columns(), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines)


def format_table(table: pd.DataFrame, width: int | None = None) -> str:
    """A table without its index: long texts have their middle left out, and columns that still do not fit go below.

    The parts of a table that is too wide begin with its first column.
    """
    width = width or columns()
    words = pd.DataFrame({str(name): table[name].astype(str) for name in table})
    while (excess := _wide(words) - width) > 0:
        lengths = {name: words[name].str.len().max() for name in words if not _is_number(words[name])}
        longest = max(lengths, key=lambda name: lengths[name], default=None)
        least = max(len(str(longest)), SHORTEST)
        if longest is None or lengths[longest] <= least:
            break
        words[longest] = [_shortened(text, max(lengths[longest] - excess, least)) for text in words[longest]]
    first, *others = map(str, words)
    parts: list[list[str]] = [[first]]
    for name in others:
        if _wide(words[[*parts[-1], name]]) > width and len(parts[-1]) > 1:
            parts.append([first])
        parts[-1].append(name)
    return "\n\n".join(words[part].to_string(index=False) for part in parts)


def paragraph(text: str, width: int | None = None) -> str:
    """Prose of any length, broken between words."""
    return textwrap.fill(text, width or columns(), break_long_words=False, break_on_hyphens=False)


def format_sections(heads: Sequence[str], table: pd.DataFrame, left: Sequence[str] = ()) -> str:
    """A table of texts whose rows stand in sections, each below a line of its own that says what they share.

    Args:
        heads: of each row; a section begins where it changes.
        table: the other columns. The first is aligned to the left, and those of `left`.
        left: names of columns.
    """
    names = [str(name) for name in table]
    rows = [names, *([str(cell) for cell in row] for row in table.to_numpy())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = ["<" if name in (names[0], *left) else ">" for name in names]
    lines = [
        "  " + " ".join(f"{c:{side}{width}}" for c, side, width in zip(row, sides, widths, strict=True)).rstrip()
        for row in rows
    ]
    text = [lines[0]]
    for k, (head, line) in enumerate(zip(heads, lines[1:], strict=True)):
        text += [line] if k and head == heads[k - 1] else [head, line]
    return "\n".join(text)


def _wide(words: pd.DataFrame) -> int:
    return sum(max(len(str(name)), int(words[name].str.len().max())) + 1 for name in words) - 1 if len(words) else 0


def _is_number(texts: pd.Series) -> bool:
    return bool(texts.str.fullmatch(r"[-+–\d.,%e]*").all())


def _shortened(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    return f"{text[: length - length // 2 - 1]}…{text[len(text) - length // 2 :]}"
