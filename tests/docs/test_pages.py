"""What the pages' sources say holds: commands exist, numbers are not typed, and both languages have the same."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from docs.making import published
from harness.command.arguments import parser
from harness.command.evaluate import parser as evaluate_parser
from harness.command.parsing import EVALUATE
from harness.command.refusals import check
from tests.support import ROOT, environment

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
WRITTEN = {DOCS / f"{name}.md" for name in ("protocol", "estimators", "claims")}  # by commands, from data
KOREAN = sorted((DOCS / "ko").rglob("*.md"))
HEADINGS = [
    *("Command", "What it shows", "How it is computed", "What each number means", "Implementation details"),
    *("Results", "Limits"),
]
SAME = [
    *(path for room in ("figures", "studies", "algorithms") for path in sorted((DOCS / room).glob("*.md"))),
    *(DOCS / name for name in ("demos.md", "benchmarks.md", "check.md")),
]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# As an AI lecture does not say it: 모델, 이미지, 테스트, 노이즈, 샘플링 are the audience's words.
GLOSSARY = tomllib.loads((ROOT / "harness" / "report" / "glossary.toml").read_text(encoding="utf-8"))
OF_STYLE = ("십시오", "nat", "그림")  # the page's own; the docs say 보십시오, 1 nat, 그림까지
FORBIDDEN = [pattern for pattern in GLOSSARY["forbidden"] if not any(word in pattern for word in OF_STYLE)]
FOREIGN = ("모형", "시험 그림", "시험 집합", "잡음", "표본", "깨어남", "단추", "원전", "그림을 복원")


def name(path: Path) -> str:
    return path.relative_to(DOCS).as_posix()


def commands(path: Path) -> list[str]:
    """Those of this project that a page shows, in blocks and in lines."""
    text = path.read_text(encoding="utf-8")
    lines = [line for kind, block in _BLOCK.findall(text) if kind == "sh" for line in block.splitlines()]
    lines += re.findall(r"`(python reproduce\.py [^`]*)`", _BLOCK.sub("", text))
    return [found for line in lines for found in re.findall(r"python (reproduce\.py .*)", line)]


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_command_is_one_that_the_project_takes(path):
    for command in commands(path):
        words = shlex.split(command)[1:]
        if words[0] == EVALUATE:
            evaluate_parser("reproduce.py").parse_args(words[1:])
        else:
            check(parser().parse_args(words))


def test_there_are_commands_to_check():
    assert sum(len(commands(path)) for path in PAGES) > 50


@pytest.mark.parametrize("path", SAME, ids=name)
def test_pages_of_figures_studies_and_algorithms_have_the_same_headings(path):
    assert re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE) == HEADINGS


def test_the_page_of_commands_has_every_option_of_both_commands():
    explained = published.options()
    both = (parser(), evaluate_parser("reproduce.py"))
    known = {text for each in both for action in each._actions for text in action.option_strings}
    assert {"--temperatures", "--figure"} < known
    assert known - {*re.findall(r"(?<![\w-])--?[a-z][a-z-]*", explained)} == set()
    assert "or: reproduce.py evaluate [-h] MODEL" in parser().format_usage()
    assert "{{ options() }}" in (DOCS / "commands.md").read_text()


def test_every_study_and_every_figure_has_its_page():
    options = {action.dest: action.choices for action in parser()._actions}
    assert {path.stem for path in (DOCS / "studies").glob("*.md")} == {*options["study"]}
    assert {path.stem for path in (DOCS / "figures").glob("*.md")} == {f"figure{n}" for n in options["figure"]}
    for demo in options["demo"]:
        assert f"--demo {demo}" in (DOCS / "demos.md").read_text()


@pytest.mark.parametrize("folder", [DOCS, DOCS / "ko"], ids=name)
def test_the_workflow_for_code_of_your_own_runs_every_test_that_the_pages_have_you_save(folder, tmp_path):
    check_page, own_page = ((folder / page).read_text(encoding="utf-8") for page in ("check.md", "own-learner.md"))
    saved = {*re.findall(r"`(test_\w+\.py)`", own_page + check_page)}
    assert len(saved) > 1
    for file in saved:
        (tmp_path / file).write_text("def test_it():\n    pass\n")
    (workflow,) = [block for kind, block in _BLOCK.findall(check_page) if kind == "yaml"]
    ((_, *words),) = [shlex.split(line) for line in re.findall(r"- run: (python -m pytest.*)", workflow)]
    command = [sys.executable, *words, "-v", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=100)
    assert {*re.findall(r"^(\w+\.py)::test_it PASSED", done.stdout, re.MULTILINE)} == saved, done.stdout + done.stderr
    assert "git+PROJECT" in workflow
    assert {*re.findall(r"\w+://", workflow)} == {"https://", "file://"}, "git+ takes a URL, no path"


@pytest.mark.parametrize("path", [path for path in PAGES if path not in WRITTEN], ids=name)
def test_results_are_filled_in_and_never_typed(path):
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"\d ± \d", text)
    assert not re.findall(r"[-−+]\d+\.\d+ nats?", text)
    assert not any(kind == "text" for kind, _ in _BLOCK.findall(text)), "what a command prints is computed"


def test_every_page_is_there_in_korean_but_for_what_code_and_data_say_in_english():
    english = {name(path) for path in PAGES} - {name(path) for path in KOREAN}
    there = {path.relative_to(DOCS / "ko").as_posix() for path in KOREAN}
    without = {"equations.md", *(name(path) for path in WRITTEN), *(name(path) for path in (DOCS / "api").glob("*.md"))}
    assert there == english - without


@pytest.mark.parametrize("path", KOREAN, ids=name)
def test_both_languages_have_the_same_commands_formulas_and_tables(path):
    english = DOCS / path.relative_to(DOCS / "ko")

    def code(text: str) -> list[str]:
        blocks = [block for _, block in _BLOCK.findall(text)]
        return [re.sub(r"^# .*$", "#", block, flags=re.MULTILINE) for block in blocks]

    def computed(text: str) -> list[str]:
        return re.findall(r"\$\$\n.*?\n\$\$", text, re.DOTALL)

    def levels(text: str) -> list[str]:
        return re.findall(r"^#+ ", _BLOCK.sub("", text), re.MULTILINE)

    ours, theirs = path.read_text(encoding="utf-8"), english.read_text(encoding="utf-8")
    assert code(ours) == code(theirs)
    assert computed(ours) == computed(theirs)
    if path.stem != "index":  # the Korean one is shorter
        assert levels(ours) == levels(theirs)
        assert re.findall(r"\{\{.*?\}\}", ours) == re.findall(r"\{\{.*?\}\}", theirs)


@pytest.mark.parametrize("path", KOREAN, ids=name)
def test_korean_pages_speak_as_their_audience_does(path):
    text = path.read_text(encoding="utf-8")
    assert not [word for word in FOREIGN if word in text]
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "", _BLOCK.sub("", text))
    assert [found[0] for pattern in FORBIDDEN for found in re.finditer(pattern, prose)] == []


def test_changes_and_contributing_link_to_files_that_are_there():
    for page in ("CHANGELOG.md", "CONTRIBUTING.md"):
        targets = [t for t in re.findall(r"\]\(([^)]+)\)", (ROOT / page).read_text()) if "://" not in t]
        for target in targets:
            assert (ROOT / target).exists(), target
