"""Formulas as MathML, and a font for them: no script and no other server is needed to show them."""

import html
import re
from importlib.resources import as_file, files
from pathlib import Path

from fontTools import subset
from latex2mathml.converter import convert

FONT = "assets/stix-two-math.woff"  # as docs/css/site.css names it
# Letters in formulas are drawn in italics, which have places of their own in Unicode.
ITALICS = {*range(0x1D434, 0x1D468), 0x210E, *range(0x1D6E2, 0x1D71C)}
# What the converter leaves out: space after a function's name, "∼" as an operator, and space about a bar.
REPAIRS = (
    (re.compile(r"(<mi>(?:log|exp)</mi>)"), r'\1<mspace width="0.17em"></mspace>'),
    (re.compile(r"<mi>&#x0007E;</mi>"), "<mo>&#x0223C;</mo>"),
    (re.compile(r'<mo stretchy="false">&#x0007C;</mo>'), '<mo lspace="0.15em" rspace="0.15em">&#x0007C;</mo>'),
)
_FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\(?P<open>[(\[])(?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)


def as_mathml(page: str) -> str:
    """The page's HTML with MathML in place of the TeX that pymdownx.arithmatex has marked.

    The TeX stays as the element's `alttext`, for whoever cannot show or read the rest.
    """
    return _FORMULA.sub(_converted, page)


def write_font(pages: list[str], target: Path) -> None:
    """STIX Two Math with what the formulas of these pages need, and no more: a fiftieth of the whole font."""
    formulas = [formula for page in pages for formula in re.findall(r"<math .*?</math>", page, re.DOTALL)]
    letters = {ord(letter) for letter in html.unescape(re.sub(r"<[^>]*>", "", "".join(formulas)))}
    options = subset.Options(flavor="woff", layout_features=["*"], name_IDs=["*"])
    with as_file(files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf") as path:
        font = subset.load_font(str(path), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=letters | ITALICS)
    subsetter.subset(font)
    target.parent.mkdir(parents=True, exist_ok=True)
    subset.save_font(font, str(target), options)


def _converted(found: re.Match[str]) -> str:
    tex = html.unescape(found["tex"]).strip()
    block = found["open"] == "["
    math = convert(tex, display="block" if block else "inline")
    for wrong, right in REPAIRS:
        math = wrong.sub(right, math)
    math = math.replace("<math ", f'<math alttext="{html.escape(tex)}" ', 1)
    return f'<div class="formula">{math}</div>' if block else math
