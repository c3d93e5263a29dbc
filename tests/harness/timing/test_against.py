"""Two trees measured in turns: a planted slowdown is found, and what cannot be measured is named."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aevb.errors import UserError
from harness.store.checkout import find_commit, worktree
from harness.timing import against, trees
from harness.timing.against import compare, format_comparison, measure, show_against
from harness.timing.journal import NAME, Journal, alone, read_journal
from harness.timing.trees import Tree
from tests.support import ROOT, reproduce

PLACE = "        for call in self._calls:\n"
PLANTED = """
        import time
        begin = time.thread_time()
        while time.thread_time() - begin < 0.005:
            pass
"""


@pytest.fixture
def slow_tree(tmp_path: Path) -> Path:
    """A copy of the project, whose steps are slower."""
    tree = tmp_path / "slow"
    for name in ("aevb", "baselines", "harness", "benchmarks"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    replay = tree / "aevb" / "fast" / "replay.py"
    text = replay.read_text()
    assert text.count(PLACE) == 1
    replay.write_text(text.replace(PLACE, PLANTED.lstrip("\n") + PLACE))
    return tree


@pytest.mark.processes
def test_a_planted_slowdown_is_found_where_it_is_planted(slow_tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(against, "SECONDS_OF_A_BLOCK", 0.03)
    monkeypatch.setattr(against, "ROUNDS", 5)
    with Tree(ROOT, "the base") as base, Tree(slow_tree, "this tree") as tree:
        times = measure(base, tree, fewest=4, most=8, only=["AEVB 500/20", "noise in bulk"])
    table = compare(times).set_index("case")
    assert table.loc["AEVB 500/20", "verdict"] == "slower"
    assert table.loc["AEVB 500/20", "ratio"] > 1.2
    assert table.loc["noise in bulk", "low"] < 1.1
    assert (table["rounds"] == 5 * table["launches"]).all()
    assert table["launches"].between(4, 8).all()


class Steady:
    """In a tree's place: each launch is faster than the one before, and one of them is the last.

    Args:
        launches: it has been through so many.
        most: so many it goes through, and is then stopped.
    """

    def __init__(self, launches: int, most: int) -> None:
        self.launches, self._most = launches, most

    def launch(self) -> list[str]:
        self.launches += 1
        if self.launches > self._most:
            raise KeyboardInterrupt
        return ["a case"]

    def run(self, case: str, times: int) -> float:
        return times / self.launches

    def end(self) -> None:
        pass


def test_what_is_stopped_goes_on_with_the_next_launch(tmp_path: Path) -> None:
    path, heading = tmp_path / "journal.jsonl", {"base": "abc"}
    with pytest.raises(KeyboardInterrupt):
        measure(Steady(0, 3), Steady(0, 3), fewest=5, journal=Journal(path, heading))
    resumed = measure(Steady(3, 5), Steady(3, 5), fewest=5, journal=Journal(path, heading))
    assert resumed == measure(Steady(0, 5), Steady(0, 5), fewest=5)
    assert [rounds[0][0] for rounds in resumed["a case"]] == [1 / k for k in (1, 2, 3, 4, 5)]
    assert measure(Steady(5, 5), Steady(5, 5), fewest=5, journal=Journal(path, heading)) == resumed


class Scattered(Steady):
    """One case takes as long at each launch, another is slower in every second one."""

    def launch(self) -> list[str]:
        super().launch()
        self.asked: set[str] = set()
        return ["steady", "scattered"]

    def run(self, case: str, times: int) -> float:
        self.asked.add(case)
        return times * (1 + 0.2 * (case == "scattered" and self.launches % 2))


def test_what_is_known_well_enough_is_measured_no_further() -> None:
    base, tree = Scattered(0, 9), Scattered(1, 9)
    measured = measure(base, tree, fewest=4, most=7)
    assert {case: len(launches) for case, launches in measured.items()} == {"steady": 4, "scattered": 7}
    assert base.asked == tree.asked == {"scattered"}


def test_a_tree_that_has_not_the_cases_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "aevb").mkdir()
    (tmp_path / "aevb" / "__init__.py").write_text("")
    with (
        pytest.raises(UserError, match=r"commit abc ends with .*Error.*: choose a commit"),
        Tree(tmp_path, "commit abc"),
    ):
        pass


@pytest.fixture
def worker(tmp_path, monkeypatch) -> Callable[[str], Path]:
    """A tree without packages, whose worker does what is told."""

    def make(code: str) -> Path:
        path = tmp_path / "worker.py"
        path.write_text(f"import json, os, sys\nprint(json.dumps({{'packages': os.getcwd()}}), flush=True)\n{code}")
        monkeypatch.setattr(trees, "WORKER", path)
        return tmp_path

    return make


@pytest.mark.parametrize("answers", [0, 1])
def test_a_tree_that_has_ended_is_named_and_leaves_nothing(answers: int, worker) -> None:
    code = "sys.stdin.readline(); print('{\"cases\": []}', flush=True)\n" * answers + "sys.exit('its last words')"
    tree = Tree(worker(code).resolve(), "commit abc")

    def ask() -> None:
        with tree:
            if answers:
                tree.launch()
            tree._process.wait()
            tree.launch()

    with pytest.raises(UserError, match="commit abc ends with its last words: choose a commit"):
        ask()
    assert tree._errors.closed
    assert tree._process.returncode == 1


def test_an_answer_to_something_else_is_no_answer(worker) -> None:
    tree = Tree(worker("sys.stdin.readline(); print('{\"ended\": true}', flush=True)").resolve(), "commit abc")
    with pytest.raises(UserError, match="commit abc ends with an answer without seconds: choose"), tree:
        tree.run("AEVB 500/20", 1)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux names a process's children")
@pytest.mark.processes
def test_a_launch_that_is_killed_is_told_by_its_signal() -> None:
    with Tree(ROOT, "this tree") as tree:
        tree.launch()
        of_worker = Path(f"/proc/{tree._process.pid}/task/{tree._process.pid}/children")
        os.kill(int(of_worker.read_text()), signal.SIGKILL)
        with pytest.raises(UserError, match="this tree ends with status -9 of a launch, as where memory runs out: "):
            tree.run("AEVB 500/20", 1)


def times(ratio: float, scatter: float) -> list[list[tuple[float, float]]]:
    """Ten launches of eight pairs, whose ratios go up and down by the scatter."""
    return [[(0.01, 0.01 * ratio * (1 + scatter * (-1) ** (k // 2 + n))) for n in range(8)] for k in range(10)]


def test_the_table_says_slower_faster_or_not_to_be_told_apart_and_what_is_noisy() -> None:
    table = compare(
        {"wake-sleep 500/20": times(1.1, 0.01), "b": times(1.0, 0.001), "c": times(0.8, 0.01), "d": times(1.0, 0.2)}
    )
    assert table["verdict"].tolist() == ["slower", "not to be told apart", "faster", "not to be told apart"]
    assert table["noisy"].tolist() == [False, False, False, True]
    text = format_comparison(table)
    assert "1.10" in text
    assert "medians of 80 pairs in 10 launches" in text
    longer = format_comparison(compare({"a": times(1.0, 0.001), "b": times(1.0, 0.2) * 3}))
    assert "medians of 80 to 240 pairs in 10 to 30 launches" in longer
    assert "not to be told apart !" in text
    assert all(len(line) <= 80 for line in text.splitlines()), text


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@b.c")
    return subprocess.run(
        ["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "-q")
    for content in ("one", "two"):
        (folder / "file.txt").write_text(content)
        git(folder, "add", ".")
        git(folder, "commit", "-qm", content)
    return folder


def test_a_commit_is_checked_out_beside_the_tree_and_leaves_nothing(checkout: Path) -> None:
    (checkout / "file.txt").write_text("not committed")
    with worktree(checkout, find_commit(checkout, "HEAD~1")) as path:
        assert (path / "file.txt").read_text() == "one"
        assert (checkout / "file.txt").read_text() == "not committed"
    assert not path.exists()
    assert len(git(checkout, "worktree", "list").splitlines()) == 1


def test_an_unknown_commit_and_what_is_no_checkout_are_named_with_what_to_do(checkout: Path, tmp_path: Path) -> None:
    for name in ("nowhere", "", "--all", "nul\0", "\udcff", "x" * 300_000, "HEAD:file.txt"):
        with pytest.raises(UserError, match=r"must be one that this checkout has, got .*: `git fetch` it"):
            find_commit(checkout, name)
    with pytest.raises(UserError, match="must be a git checkout, and it is none: clone the project"):
        find_commit(tmp_path, "HEAD")
    (checkout / "inside").mkdir()
    with pytest.raises(UserError, match="a folder in one: clone the project"):
        find_commit(checkout / "inside", "HEAD")


def test_a_checkout_that_git_refuses_is_told_with_gits_own_words(checkout: Path, tmp_path: Path, monkeypatch) -> None:
    refusing = tmp_path / "bin" / "git"
    refusing.parent.mkdir()
    refusing.write_text(f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {shutil.which("git")} "$@"\n')
    refusing.chmod(0o755)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{refusing.parent}{os.pathsep}{os.environ['PATH']}")
        with pytest.raises(UserError, match=r"it says fatal: detected dubious ownership .* safe\.directory .*: mend"):
            find_commit(checkout, "HEAD")
    (checkout / ".git" / "config").write_text("[broken")
    with pytest.raises(UserError, match=r"git must be able to read .*; it says fatal: bad config line .*: mend"):
        find_commit(checkout, "HEAD")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="git is not to be had: install git"):
        find_commit(checkout, "HEAD")


def test_a_commit_that_cannot_be_checked_out_is_named_with_what_git_says(checkout: Path) -> None:
    with pytest.raises(UserError, match="must be able to check commit 000000000000 out"), worktree(checkout, "0" * 40):
        pass


@pytest.mark.parametrize(("slower", "asked", "status"), [(True, True, 1), (True, False, 0), (False, True, 0)])
def test_the_status_is_1_only_where_that_is_asked_for(slower, asked, status, monkeypatch, tmp_path) -> None:
    from harness.command import main

    monkeypatch.setattr(main, "show_against", lambda commit, results: not slower)
    options = ["--benchmark", "--against", "HEAD", "--results", str(tmp_path), *["--fail-if-slower"] * asked]
    assert main.main(options) == status


@pytest.fixture
def measured_at_once(monkeypatch) -> None:
    monkeypatch.setattr(Tree, "__enter__", lambda self: self)
    monkeypatch.setattr(Tree, "__exit__", lambda self, *_: None)
    monkeypatch.setattr(against, "measure", lambda base, tree, journal: {"AEVB 500/20": times(1.1, 0.01)})


def test_what_was_measured_is_written_with_its_provenance(measured_at_once, tmp_path, capsys) -> None:
    assert not show_against("HEAD", tmp_path)
    assert "slower" in capsys.readouterr().out
    name = git(ROOT, "rev-parse", "HEAD")[:12]
    folder = tmp_path / "benchmarks" / "against"
    assert {path.name for path in folder.iterdir()} - {".lock"} == {f"{name}.json", f"{name}.csv"}
    assert '"base"' in (folder / f"{name}.json").read_text()


def test_of_two_commands_for_one_folder_the_first_keeps_its_launches(measured_at_once, tmp_path) -> None:
    folder = tmp_path / "benchmarks" / "against"
    path = folder / f".{git(ROOT, 'rev-parse', 'HEAD')[:12]}{NAME}"
    with alone(folder):
        Journal(path, {"base": "of the first"}).add({"seconds": 1.0})
        with pytest.raises(UserError, match=r"another is at work in .*: wait for it"):
            show_against("HEAD", tmp_path)
    assert read_journal(path) == ({"base": "of the first"}, [{"seconds": 1.0}])
    assert not show_against("HEAD", tmp_path)
    assert not path.exists()


def test_the_folder_is_one_commands_until_all_is_written(measured_at_once, tmp_path, monkeypatch) -> None:
    folder, written = tmp_path / "benchmarks" / "against", []

    def writing(path: Path, text: str) -> None:
        with pytest.raises(UserError, match="another is at work"), alone(folder):
            pass
        written.append(path.suffix)

    monkeypatch.setattr(against, "write_text", writing)
    assert not show_against("HEAD", tmp_path)
    assert written == [".json", ".csv"]


def test_the_command_names_an_unknown_commit(tmp_path: Path) -> None:
    done = reproduce("--benchmark", "--against", "no-such-commit", cwd=tmp_path)
    assert done.returncode == 2
    assert "got 'no-such-commit'" in done.stderr.splitlines()[-1]
