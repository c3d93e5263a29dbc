"""`--check`: what it says in its table, in JUnit's file and by its status, and that a drift and a fault are named."""

import math
import os
import re
import sys
from xml.etree import ElementTree

import pytest

from aevb.errors import UserError
from harness.check import command
from harness.check.measure import Measured
from harness.check.reference import PATH, read_reference
from harness.check.roster import CASES, CHECKED_SEEDS
from harness.check.verdict import format_verdicts, judge
from harness.command import main as command_line
from tests.drawn_cases import Drawn
from tests.support import reproduce


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
    for found in suite.iter("failure"):
        assert re.match(r"must be \S+ ± \S+, got \S+, off by \S+ tolerances; if the change", found.get("message"))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_has_drifted(value, drawn, monkeypatch):
    monkeypatch.setattr(Drawn, "level", value)
    assert command_line.main(["--check"]) == 1


@pytest.mark.parametrize(
    ("error", "told"),
    [(ValueError, r"ValueError: must not be \(test_check\.py:\d+\)"), (UserError, "must not be")],
)
def test_a_case_that_raises_has_drifted_and_the_others_go_on(error, told, drawn, monkeypatch, capsys):
    def failing(self, seed, place, right=Drawn.measure):
        if self.name == "one":
            raise error("must not\nbe")
        return right(self, seed, place)

    monkeypatch.setattr(Drawn, "measure", failing)
    assert command_line.main(["--check"]) == 1
    printed = capsys.readouterr().out
    lines = printed.splitlines()[1:5]
    assert [line.split()[0] for line in lines if re.search(f"FAULT: {told}$", line)] == ["one", "one"]
    assert [line.split()[0] for line in lines if line.endswith("ok")] == ["two", "two"]
    assert "--update-reference" not in printed


def test_a_case_without_any_reference_that_raises_has_drifted():
    (verdict,) = judge([], {"one": Measured({}, "ValueError: boom")})
    assert not verdict.passed
    assert "FAULT: ValueError: boom" in format_verdicts([verdict])


def test_what_junit_holds_is_of_this_check_and_can_be_read(drawn, monkeypatch, capsys, tmp_path):
    file = tmp_path / "check.xml"
    file.write_text("<?xml of an earlier check")

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


def test_where_there_is_no_reference_no_earlier_file_stays_to_be_taken_for_this_checks(drawn, capsys, tmp_path):
    file = tmp_path / "check.xml"
    file.write_text("<?xml of an earlier check")
    drawn.unlink()
    capsys.readouterr()
    assert command_line.main(["--check", "--junit", str(file)]) == 2
    assert str(drawn) in capsys.readouterr().err
    assert not file.exists()


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


def test_progress_is_for_terminals(drawn, monkeypatch, capsys):
    capsys.readouterr()
    command_line.main(["--check"])
    assert "[1/2] one" not in capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    command_line.main(["--check"])
    assert "[2/2] two" in capsys.readouterr().out
