"""Which code implements which part of the paper: a table made from what docstrings cite."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("aevb", "baselines", "harness")
LINKED = ("aevb", "baselines")  # packages that the site's library pages describe
PAPER = "Kingma & Welling 2013"
# How docstrings name a part of the paper, and what the table calls it; in the table's order.
KINDS = {
    "equation": r"eqs?\.",
    "algorithm": r"algorithm",
    "section": r"sections?",
    "appendix": r"(?:app\.|appendix)",
    "figure": r"figure",
}
_NUMBER = r"(?:\d+(?:\.\d+)?|[A-F](?:\.\d+)?)\b"
_LIST = rf"({_NUMBER}(?:(?:,| and) {_NUMBER})*)"
_END = re.compile(r"[);]|(?<!eq)(?<!eqs)(?<!app)\.(?=\s|$)")


@dataclass(frozen=True)
class Citation:
    """A part of the paper, and the code whose docstring cites it.

    Attributes:
        kind: of part, as in `KINDS`.
        number: as in the paper.
        code: full name of the module, class or function.
        says: the docstring's first line.
    """

    kind: str
    number: str
    code: str
    says: str


def citations() -> list[Citation]:
    """All that the docstrings of the packages cite, in the paper's order and then by name."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    found = {cited for path in paths for code, text in _docstrings(path) for cited in _cited(code, text)}
    return sorted(found, key=lambda cited: ([*KINDS].index(cited.kind), _order(cited.number), cited.code))


def table() -> str:
    """A row for each citation; the part of the paper stands once, at the first of its rows. Markdown."""
    rows, last = ["| the paper | code | what it says of itself |", "|---|---|---|"], ""
    for cited in citations():
        part = f"{cited.kind} {cited.number}"
        rows.append(f"| {'' if part == last else part} | {_link(cited.code)} | {_plain(cited.says)} |")
        last = part
    return "\n".join(rows)


def _docstrings(path: Path) -> Iterator[tuple[str, str]]:
    """Full names of the module and of all in it, each with its docstring."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    pending: list[tuple[str, ast.Module | ast.ClassDef | ast.FunctionDef]] = [(module, ast.parse(path.read_text()))]
    while pending:
        name, node = pending.pop()
        if text := ast.get_docstring(node):
            yield name, text
        pending += [
            (f"{name}.{inner.name}", inner) for inner in node.body if isinstance(inner, (ast.ClassDef, ast.FunctionDef))
        ]


def _cited(code: str, text: str) -> Iterator[Citation]:
    says = text.splitlines()[0]
    text = " ".join(text.split())
    for _, _, rest in (text[found.start() :].partition(PAPER) for found in re.finditer(PAPER, text)):
        end = _END.search(rest)
        place = rest[: end.start() if end else None]
        for kind, word in KINDS.items():
            for numbers in re.findall(rf"{word} {_LIST}", place):
                for number in re.findall(_NUMBER, numbers):
                    yield Citation(kind, number, code, says)


def _order(number: str) -> tuple[int | str, ...]:
    letter, *digits = number.split(".")
    first = (0, int(letter)) if letter.isdigit() else (1, letter)
    return (*first, *map(int, digits))


def _link(code: str) -> str:
    short = f"`{code}`"
    return f"[{short}][{code}]" if code.partition(".")[0] in LINKED else short


def _plain(text: str) -> str:
    """Without what cites the paper, and with nothing that a table would take for its own."""
    text = re.sub(rf" \({PAPER}.*?\)(?=\.?$)|, as in {PAPER}.*?(?=\.?$)", "", text)
    return text.replace("|", "&#124;").replace("*", "\\*")
