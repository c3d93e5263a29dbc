"""The table of equations has what docstrings cite, and each part of the paper once."""

import inspect
import re
from importlib import import_module
from typing import Any

import pytest

from docs.making.equations import PACKAGES, PAPER, citations, table
from tests.support import ROOT

FIRST = [line.split("|")[1].strip() for line in table().splitlines()[2:]]


def resolve(code: str) -> Any:
    """The module, class or function of this full name."""
    module, rest = code, []
    while True:
        try:
            found = import_module(module)
            break
        except ModuleNotFoundError:
            module, _, last = module.rpartition(".")
            rest.insert(0, last)
    for name in rest:
        found = getattr(found, name)
    return found


def test_each_part_of_the_paper_stands_once():
    named = [part for part in FIRST if part]
    assert len(named) == len({*named})
    assert {*named} == {f"{cited.kind} {cited.number}" for cited in citations()}


def test_every_equation_that_the_sources_cite_by_number_is_there():
    """Found another way: by words, in the files' text."""
    sources = " ".join(path.read_text() for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
    after = re.findall(rf"{PAPER},[^()]*?\beq\. ([0-9, and]+)", " ".join(sources.split()))
    numbers = {number for text in after for number in re.findall(r"\d+", text)}
    assert {"6", "7"} <= numbers
    assert numbers == {part.removeprefix("equation ") for part in FIRST if part.startswith("equation ")}


@pytest.mark.parametrize("cited", citations(), ids=lambda cited: f"{cited.kind}-{cited.number}-{cited.code}")
def test_the_code_is_there_and_its_docstring_has_the_citation_and_the_line(cited):
    text = inspect.getdoc(resolve(cited.code)) or ""
    assert PAPER in text
    assert cited.number in text
    assert text.splitlines()[0] == cited.says


def test_the_table_cites_no_paper_but_says_what_the_code_does():
    for line in table().splitlines()[2:]:
        code, says = line.split("|")[2:4]
        assert PAPER not in says
        assert says.strip(), code
