"""`--check`: what it compares, what it says, and what it refuses."""

import json
import math
import os
import re
import statistics
import sys
from dataclasses import dataclass, replace
from typing import ClassVar
from xml.etree import ElementTree

import pytest
import torch

from aevb.data import load_dataset
from harness.check import command
from harness.check.case import Place
from harness.check.measure import Measured, Task, measure
from harness.check.reference import PATH, Line, read_reference
from harness.check.roster import CASES, CHECKED_SEEDS, REFERENCE_SEEDS
from harness.check.verdict import format_verdicts, judge
from harness.check.waves import write_waves
from harness.command import main as command_line
from harness.runs.streams import stream
from tests.support import reproduce


@dataclass(frozen=True)
class Drawn:
    """A quantity drawn from N(level, 1), and one whose truth is 0."""

    name: str

    random: ClassVar[bool] = True
    exact: ClassVar[frozenset[str]] = frozenset({"error"})
    level: ClassVar[float] = 5.0
    error: ClassVar[float] = 0.0

    def measure(self, seed, place):
        draw = torch.randn(2, generator=stream(self.name, seed), dtype=torch.float64).tolist()
        return {"value": self.level + draw[0], "error": self.error + 0.01 * draw[1]}


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """The command with two such cases and their reference; returns its file."""
    path = tmp_path / "reference" / "reference.json"
    monkeypatch.setattr(command, "CASES", (Drawn("one"), Drawn("two")))
    monkeypatch.setattr(command, "PATH", path)
    assert command_line.main(["--check", "--update-reference"]) == 0
    return path


def test_the_check_passes_in_any_folder_and_writes_junit(tmp_path):
    done = reproduce("--check", "--junit", "check.xml", "--workers", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    table, summary = done.stdout.splitlines()[1:-1], done.stdout.splitlines()[-1]
    assert len(table) == len(read_reference(PATH, CASES))
    assert all(line.endswith("  ok") for line in table)
    assert summary.startswith(f"all {len(table)} lines within tolerance")
    (suite,) = ElementTree.parse(tmp_path / "check.xml").getroot()
    assert suite.get("tests") == str(len(table))
    assert suite.get("failures") == "0"
    assert len(suite.findall("testcase")) == len(table)


FEW = {"linear-Gaussian, bound − log p(x)", "MNIST, AEVB"}


@pytest.mark.parametrize(
    ("engine", "threads", "names"),
    [("reference", 1, {case.name for case in CASES}), ("fast", 2, FEW)],
    ids=["readable engine", "two threads"],
)
def test_values_hold_seed_by_seed(engine, threads, names, tmp_path):
    path = write_waves(tmp_path)
    place = Place(path, load_dataset(str(path)).sha256, engine)
    torch.set_num_threads(threads)
    try:
        results = {case.name: measure(Task(case, 1, place)).values for case in CASES if case.name in names}
    finally:
        torch.set_num_threads(1)
    lines = [line for line in read_reference(PATH, CASES) if line.case in names]
    assert {line.case for line in lines} == names
    off = {line: abs(results[line.case][line.quantity][0] - line.values[0]) / line.tolerance for line in lines}
    worst = max(off, key=lambda line: off[line])
    print(f"\n{engine}, {threads} threads: farthest by {off[worst]:.2g} tolerances: {worst.case}, {worst.quantity}")
    assert off[worst] < 0.5


def test_other_seeds_would_pass():
    """The reference's seeds that a check does not take, in sets of as many: what another random stream would give."""
    lines = read_reference(PATH, CASES)
    sets = range(CHECKED_SEEDS, REFERENCE_SEEDS, CHECKED_SEEDS)
    failed = [
        (line.case, line.quantity, first)
        for line in lines
        for first in sets
        if abs(statistics.fmean(line.values[first : first + CHECKED_SEEDS]) - line.reference) > line.tolerance
    ]
    print(f"\n{len(failed)} of {len(lines) * len(sets)} lines would fail with other seeds: {failed}")
    assert len(failed) <= 0.01 * len(lines) * len(sets)


def test_tolerances_are_those_of_the_rule():
    values = tuple(float(n % 7) for n in range(REFERENCE_SEEDS))
    line = Line("case", "quantity", False, values)
    s = statistics.stdev(values)
    assert line.reference == statistics.fmean(values[:CHECKED_SEEDS])
    assert line.tolerance == pytest.approx(4 * s * math.sqrt(2 / CHECKED_SEEDS))
    assert replace(line, exact=True).reference == 0
    assert replace(line, exact=True).tolerance == pytest.approx(4 * s / math.sqrt(CHECKED_SEEDS))
    assert replace(line, values=(1.0,) * REFERENCE_SEEDS).tolerance == 1e-3
    assert REFERENCE_SEEDS >= 10


def test_bad_luck_is_rare():
    draws = torch.randn(5_000, REFERENCE_SEEDS + CHECKED_SEEDS, dtype=torch.float64, generator=stream("bad luck"))
    failed = 0
    for row in draws.tolist():
        line = Line("", "", False, tuple(row[:REFERENCE_SEEDS]))
        failed += abs(statistics.fmean(row[REFERENCE_SEEDS:]) - line.reference) > line.tolerance
    assert failed / len(draws) < 2e-3


def test_a_drift_is_named_in_table_and_junit_and_ends_with_status_1(drawn, monkeypatch, capsys, tmp_path):
    file = tmp_path / "check.xml"
    assert command_line.main(["--check", "--junit", str(file)]) == 0
    monkeypatch.setattr(Drawn, "level", 15.0)
    capsys.readouterr()
    assert command_line.main(["--check", "--junit", str(file)]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in printed if line.endswith("DRIFT")] == [["one", "value"], ["two", "value"]]
    assert "+10.0000" in printed[1]
    assert printed[-2].startswith("2 of 4 lines drifted")
    assert printed[-1] == "if the change was wanted: --check --update-reference"
    suite = ElementTree.parse(file).getroot()[0]
    assert suite.get("failures") == "2"
    failed = [case.get("classname") for case in suite if case.find("failure") is not None]
    assert failed == ["one", "two"]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_has_drifted(value, drawn, monkeypatch):
    monkeypatch.setattr(Drawn, "level", value)
    assert command_line.main(["--check"]) == 1


def test_a_case_that_raises_has_drifted_and_the_others_go_on(drawn, monkeypatch, capsys):
    def failing(self, seed, place, right=Drawn.measure):
        if self.name == "one":
            raise ValueError("must not\nbe")
        return right(self, seed, place)

    monkeypatch.setattr(Drawn, "measure", failing)
    assert command_line.main(["--check"]) == 1
    lines = capsys.readouterr().out.splitlines()[1:5]
    fault = r"FAULT: ValueError: must not be \(test_check\.py:\d+\)$"
    assert [line.split()[0] for line in lines if re.search(fault, line)] == ["one", "one"]
    assert [line.split()[0] for line in lines if line.endswith("ok")] == ["two", "two"]


def test_a_case_without_any_reference_that_raises_has_drifted():
    (verdict,) = judge([], {"one": Measured({}, "ValueError: boom")})
    assert not verdict.passed
    assert "FAULT: ValueError: boom" in format_verdicts([verdict])


def test_what_junit_holds_is_of_this_check_and_can_be_read(drawn, monkeypatch, capsys, tmp_path):
    file = tmp_path / "check.xml"
    file.write_text("of an earlier check")

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Drawn, "measure", interrupted)
        assert command_line.main(["--check", "--junit", str(file)]) == 130
    assert capsys.readouterr().err.endswith("interrupted; the same command begins anew\n")
    assert not file.exists()

    def failing(*_):
        raise ValueError("\x1b[31m <&> \0")

    monkeypatch.setattr(Drawn, "measure", failing)
    assert command_line.main(["--check", "--junit", str(file)]) == 1
    suite = ElementTree.parse(file).getroot()[0]
    assert (suite.get("failures"), suite.get("errors")) == ("0", "4")
    assert all("ValueError" in case.find("error").get("message") for case in suite)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/null")])
def test_junit_is_not_written_over_what_is_no_file(make, drawn, capsys, tmp_path):
    make(tmp_path / "check.xml")
    capsys.readouterr()
    assert command_line.main(["--check", "--junit", str(tmp_path / "check.xml")]) == 2
    assert "--junit must name a file that can be written" in capsys.readouterr().err


def test_a_quantity_that_is_new_has_drifted_and_one_that_is_gone(drawn):
    lines = read_reference(drawn, command.CASES)
    new = {"one": Measured({"value": [5.0] * CHECKED_SEEDS, "more": [1.0] * CHECKED_SEEDS})}
    drifted = [(verdict.quantity, verdict.fault) for verdict in judge(lines, new) if not verdict.passed]
    assert drifted == [("error", "it was not measured"), ("more", "it has no reference")]


def test_an_update_shows_what_moved(drawn, monkeypatch, capsys):
    before = json.loads(drawn.read_text())["lines"][0]["reference"]
    monkeypatch.setattr(Drawn, "level", 7.0)
    capsys.readouterr()
    assert command_line.main(["--check", "--update-reference"]) == 0
    header, *rows, same, wrote = capsys.readouterr().out.splitlines()
    assert header.split()[:5] == ["case", "quantity", "old", "new", "moved,"]
    assert ["one", "value", f"{before:.4f}", f"{before + 2:.4f}"] in [row.split()[:4] for row in rows]
    assert len(rows) == 2
    assert same == "2 of 4 lines are as they were, to 0.01 tolerances"
    assert wrote == f"wrote {drawn}"
    assert command_line.main(["--check"]) == 0


def test_no_reference_is_made_of_what_misses_a_known_truth(drawn, monkeypatch, capsys):
    before = drawn.read_bytes()
    monkeypatch.setattr(Drawn, "error", 1.0)
    assert command_line.main(["--check", "--update-reference"]) == 1
    assert "error" in capsys.readouterr().out
    assert drawn.read_bytes() == before


def test_the_reference_has_its_seeds_cases_rule_and_environment():
    content = json.loads(PATH.read_text())
    assert content["definition"]["reference_seeds"] == REFERENCE_SEEDS
    assert "standard deviation" in content["rule"]
    environment = content["environment"]
    assert environment.keys() >= {"commit", "packages", "device", "threads", "engine", "python"}
    assert len(environment["commit"]) == 40, "it must be computed by a commit, without changes"


def edited(change):
    def damage(path):
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return damage


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.unlink(), "there is none at"),
        (lambda path: path.write_text(path.read_text()[:200]), "must be whole"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "must be whole"),
        (lambda path: path.write_text("[]"), "must be whole"),
        (edited(lambda content: content.pop("lines")), "must be whole"),
        (edited(lambda content: content["lines"][0].pop("values")), "must be whole"),
        (edited(lambda content: content["lines"][0].update(tolerance=9.0)), "as the command wrote it"),
        (edited(lambda content: content["lines"][0]["values"].__setitem__(0, 9.0)), "as the command wrote it"),
        (edited(lambda content: content["lines"][0].pop("spread")), "as the command wrote it"),
        (edited(lambda content: content["lines"][0]["values"].pop()), "as the command wrote it"),
        (edited(lambda content: content["lines"][0]["values"].__setitem__(0, "9")), "as the command wrote it"),
        (edited(lambda content: content["lines"][0]["values"].__setitem__(0, math.nan)), "as the command wrote it"),
        (edited(lambda content: content["lines"][0].update(exact=True)), "every case, and every line once"),
        (edited(lambda content: content["lines"].append(content["lines"][0])), "every case, and every line once"),
        (edited(lambda content: content.update(lines=content["lines"][2:])), "every case, and every line once"),
        (edited(lambda content: content["definition"].update(checked_seeds=1)), "cases and seeds of this version"),
        (edited(lambda content: content["definition"]["cases"].pop()), "cases and seeds of this version"),
    ],
)
def test_a_reference_that_will_not_do_is_one_clear_line_and_status_2(damage, says, drawn, capsys):
    damage(drawn)
    capsys.readouterr()
    assert command_line.main(["--check"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("reproduce.py: error: ")
    assert says in printed.err
    assert "--check --update-reference" in printed.err
    assert printed.err.count("\n") == 1


def test_progress_is_for_terminals(drawn, monkeypatch, capsys):
    capsys.readouterr()
    command_line.main(["--check"])
    assert "[1/2] one" not in capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    command_line.main(["--check"])
    assert "[2/2] two" in capsys.readouterr().out
