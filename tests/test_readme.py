"""What README says is what the published results say, and what CI runs is what README says."""

import json
import re
from collections import Counter

import pandas as pd
import pytest

from harness.experiments.paper import EXPERIMENTS
from harness.figures.show import in_panels
from harness.figures.summary import on_the_whole
from harness.store.columns import fold
from tests.support import ROOT

README = (ROOT / "README.md").read_text()
KOREAN = (ROOT / "README.ko.md").read_text()
REFERENCE = ROOT / "results" / "reference"
_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("figure", EXPERIMENTS)
@pytest.mark.parametrize("text", [README, KOREAN], ids=["README.md", "README.ko.md"])
def test_the_agreement_is_that_of_the_published_results(figure, text):
    distances = in_panels(pd.read_csv(REFERENCE / f"figure{figure}" / "agreement.csv"), EXPERIMENTS[figure])
    assert f"Figure {figure}: {fold(on_the_whole(distances), 80)}\n" in text


@pytest.mark.parametrize("text", [README, KOREAN], ids=["README.md", "README.ko.md"])
def test_it_is_read_in_minutes(text):
    assert len(text.splitlines()) <= 150


def test_every_picture_and_link_into_the_project_exists():
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", README + KOREAN) if "://" not in target]
    assert len(targets) >= 30
    for target in targets:
        assert (ROOT / target).exists(), target


def test_every_published_run_has_its_config_environment_and_status():
    runs = [path.parent for path in REFERENCE.glob("runs/*/curve.csv")]
    assert len(runs) >= 18
    for run in runs:
        for name in ("config.json", "environment.json", "status.json"):
            assert (run / name).exists(), run / name


def test_the_two_commands_are_marked_for_those_who_run_them():
    for mark in ("main", "tests"):
        block = re.search(rf"<!-- {mark} -->\n```sh\n(.*)\n```", README)
        assert block is not None
        assert block.group(1).startswith("python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e ")


def test_the_code_walks_between_the_images_of_the_picture_below_it():
    points = json.loads((REFERENCE / "demos/mnist-interpolate/provenance.json").read_text())["points"]
    pages = [README, *((ROOT / "docs" / page).read_text() for page in ("library.md", "ko/library.md"))]
    assert all(f"test[[{points[0]}, {points[1]}]]" in text for text in pages)


def _prose(text: str) -> str:
    """What is outside the fenced code blocks."""
    return _BLOCK.sub("", text)


def test_both_languages_have_the_same_code_but_for_the_comments_of_shell_commands():
    def code(text: str) -> list[str]:
        blocks = _BLOCK.findall(text)
        return [re.sub(r"#.*", "#", block) if block.startswith("```sh\n") else block for block in blocks]

    assert len(code(README)) >= 5
    assert code(KOREAN) == code(README)


def test_both_languages_have_the_same_inline_code():
    def spans(text: str) -> Counter[str]:
        return Counter(re.findall(r"`([^`]+)`", _prose(text)))

    assert spans(KOREAN) == spans(README)


def test_both_languages_have_the_same_links_and_pictures_in_the_same_order():
    def targets(text: str) -> list[str]:
        return [link or picture for link, picture in re.findall(r'\]\(([^)]+)\)|<img src="([^"]+)"', _prose(text))]

    assert "README.ko.md" in targets(README)
    assert "README.md" in targets(KOREAN)
    english = [target.replace("README.ko.md", "README.md") for target in targets(README)]
    assert english == [target.replace("docs/ko/", "docs/") for target in targets(KOREAN)]


def test_both_languages_have_the_same_numbers():
    def numbers(text: str) -> Counter[str]:
        return Counter(re.findall(r"[+-]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]\d+)?[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]*", _prose(text)))

    assert numbers(KOREAN) == numbers(README)


def test_both_languages_have_the_same_headings_and_marks():
    def outline(text: str) -> list[str]:
        return re.findall(r"^(#+ |<!-- .* -->|\|)", _prose(text), re.MULTILINE)

    assert outline(KOREAN) == outline(README)
