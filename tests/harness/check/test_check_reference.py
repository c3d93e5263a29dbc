"""The reference of `--check`: what agrees with it, how far off is too far, how it is made anew, and what is none."""

import json
import math
import statistics
from dataclasses import replace

import pytest
import torch

from aevb.data import load_dataset
from harness.check.case import Place
from harness.check.measure import Task, measure
from harness.check.reference import PATH, Line, read_reference
from harness.check.roster import CASES, CHECKED_SEEDS, REFERENCE_SEEDS
from harness.check.waves import write_waves
from harness.command import main as command_line
from harness.runs.streams import stream
from tests.drawn_cases import Drawn

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
