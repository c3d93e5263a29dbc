"""Letters that our font lacks, as in the names of users' files: from another font that has them, or spelt out."""

import re
from functools import cache

from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, fontManager, get_font
from matplotlib.text import Text

from harness.figures.style import FONT

_NO_FONTS_OF_LETTERS = ("Last Resort", "DejaVu", "STIX", "cm")  # those that come with matplotlib: boxes, formulas


def fit_letters(figure: Figure) -> None:
    """Give each text of the figure a font for every letter; what no font has becomes its code, as in \\uac00."""
    for text in figure.findobj(Text):
        if isinstance(text, Text) and (missing := _missing(text.get_text())):
            _fit(text, missing)


def _fit(text: Text, missing: frozenset[str]) -> None:
    words = text.get_text()
    if text.get_parse_math():  # formulas take their letters from one font alone
        words = re.sub(r"(?<!\\)\$(.+?)(?<!\\)\$", lambda formula: re.sub(r"\\\w+|[{}]", "", formula[1]), words)
        words = words.replace(r"\$", "$")
        text.set_parse_math(False)
    family, found = _other_font(missing)
    if family:
        text.set_fontfamily([FONT, family])
    text.set_text("".join(c if c not in missing - found else c.encode("unicode_escape").decode() for c in words))


def _missing(words: str) -> frozenset[str]:
    ours = _letters(findfont(FONT))
    return frozenset(c for c in words if c != "\n" and ord(c) not in ours)


@cache
def _other_font(missing: frozenset[str]) -> tuple[str, frozenset[str]]:
    """The family that has most of these letters, a plain one if several have them all, and which it has."""
    best: tuple[str, frozenset[str]] = ("", frozenset())
    plain = {(font.name, font.fname) for font in fontManager.ttflist if font.style == "normal"}
    for name, path in sorted(plain, key=lambda font: ("sans" not in font[0].lower(), font)):
        if not name.startswith(_NO_FONTS_OF_LETTERS):
            found = frozenset(c for c in missing if ord(c) in _letters(path))
            if len(found) > len(best[1]):
                best = name, found
            if found == missing:
                break
    return best


@cache
def _letters(path: str) -> frozenset[int]:
    """Codes of the letters that a font has; none of a damaged one, or of one of bitmaps, as for emoji."""
    try:
        font = get_font(path)
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (OSError, RuntimeError, ValueError):
        return frozenset()
