"""The page and README.ko.md speak the Korean of the glossary, and the Korean page has nothing in English but names."""

import re
import tomllib
from html.parser import HTMLParser

import pytest

from harness.report.text import HERE, catalogue
from tests.support import ROOT

TEXTS = catalogue()
GLOSSARY = tomllib.loads((HERE / "glossary.toml").read_text(encoding="utf-8"))
NAMES = {name for names in GLOSSARY["names"].values() for name in names}
PROSE = re.sub(r"^```.*?^```$", "", (ROOT / "README.ko.md").read_text(), flags=re.MULTILINE | re.DOTALL)
LATIN = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z]+)*")
MARKUP = re.compile(r"<[^>]*>|\{\w+\}|`[^`]*`|https?://\S+")


def test_the_glossary_finds_what_it_forbids():
    wrong = (
        "훈련되므로",
        "찾아보십시오",
        "1 nat보다",
        "잠재 변수 모형",
        "시험 집합",
        "잡음 제거",
        "손상된 그림",
        "그림마다 숨어",
        "데이터 200개",
        "십 분 정도",
    )
    for text in wrong:
        assert [pattern for pattern in GLOSSARY["forbidden"] if re.search(pattern, text)], text
    for text in ("그림 2의 모델", "노이즈(잡음)", "데이터 포인트 200개", "논문의 그림"):
        assert not [pattern for pattern in GLOSSARY["forbidden"] if re.search(pattern, text)], text


@pytest.mark.parametrize("key", TEXTS)
def test_no_korean_text_says_what_the_glossary_forbids(key):
    text = MARKUP.sub("", TEXTS[key]["ko"]) if key != "idea.trick.2" else TEXTS[key]["ko"]
    found = {p: said for p, said in GLOSSARY["forbidden"].items() if re.search(p, text)}
    assert found == {}, text


def test_no_line_of_the_korean_readme_says_what_the_glossary_forbids():
    found = [(line, p) for line in PROSE.splitlines() for p in GLOSSARY["forbidden"] if re.search(p, line)]
    assert found == []


@pytest.mark.parametrize("key", TEXTS)
def test_a_term_is_translated_as_the_glossary_says(key):
    english, korean = MARKUP.sub("", TEXTS[key]["en"]), TEXTS[key]["ko"]
    for term, translation in GLOSSARY["terms"].items():
        if re.search(rf"\b(?:{term})", english):
            assert re.search(translation, korean), (term, translation)


def latin(text):
    """Words in Latin letters that are no names; single letters are those of formulas."""
    return [word for word in LATIN.findall(MARKUP.sub(" ", text)) if len(word) > 1 and word not in NAMES]


class Visible(HTMLParser):
    """What a reader of the Korean page sees as text, code and records of runs aside."""

    HIDDEN = ("script", "style", "code", "math", "title", "svg", "dd", "pre")
    EMPTY = ("img", "input", "br", "meta", "link")

    def __init__(self):
        super().__init__()
        self.hidden: list[str] = []
        self.found: list[str] = []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        english = given.get("lang") == "en" and tag != "html"
        if (self.hidden or english or tag in self.HIDDEN or given.get("class") == "settings") and tag not in self.EMPTY:
            self.hidden.append(tag)

    def handle_endtag(self, tag):
        if self.hidden and self.hidden[-1] == tag:
            self.hidden.pop()

    def handle_data(self, data):
        if not self.hidden:
            self.found.append(data)


def test_the_korean_page_has_nothing_in_english_but_names(fresh_report):
    reader = Visible()
    reader.feed(fresh_report.page)
    assert len("".join(reader.found)) > 5_000
    cards = r"NVIDIA [A-Z]+\d+(?: \d+GB [A-Z]+\d)?"
    machines = r"(?:AMD[ -]EPYC|Intel[ -]Xeon[ -]Processor)(?:.*?(?:virtual|MiB, $))?|[\d.]+ MiB|GB/s"
    known = re.compile(rf"arXiv:[\d.]+|C\d+|GFLOPS|{cards}|{machines}|E\[.*?\]|log p\(x\)|\b[0-9a-f]{{8,12}}\b")
    left = {word for text in reader.found for word in latin(known.sub("", text))}
    assert left == set()


def test_a_symbol_within_a_word_is_set_as_a_symbol(fresh_report):
    page = fresh_report.page
    assert "Manifolds are smooth; <math>" in page
    alone = re.findall(r'(?: |lang="ko">)<math>(?:(?!</math>).)*</math>[가-힣]', page)
    assert alone == [], "no line is broken between a symbol and its particle"
    assert "&lt;math&gt;" not in page.partition('<script type="application/json"')[0]
