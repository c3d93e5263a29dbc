"""Cases go on where they were stopped: each is timed once, and those of another commit or device are not taken."""

import json
import sys
from pathlib import Path

import pytest
import torch

from aevb.errors import UserError
from benchmarks.resume import Resume
from harness.timing import journal as journals
from harness.timing import suite
from harness.timing.journal import NAME, alone, read_journal
from harness.timing.suite import measured

pytest_plugins = ["pytester"]
CASES = """
import pytest
from pathlib import Path

@pytest.mark.parametrize("device", ["cpu"])
@pytest.mark.parametrize("name", ["good", "wrong", "absent", "broken", "stopped", "last"])
def test_case(name, device, benchmark):
    with Path("ran").open("a") as file:
        file.write(name + " ")
    if name == "absent":
        pytest.skip("it is not there")
    if name == "broken" and not Path("repaired").exists():
        raise MemoryError
    benchmark.pedantic(lambda: None)
    if name == "stopped" and not Path("go").exists():
        raise KeyboardInterrupt
    benchmark.extra_info.update(suite="learner", seconds=0.1)
    assert name != "wrong", "it is not right"
"""
ALL = ["good", "wrong", "absent", "broken", "stopped", "last"]


@pytest.fixture
def cases(pytester, monkeypatch):
    """Runs them in this process; their names, and what was told of those that are there."""
    monkeypatch.setattr(journals, "title", lambda environment: "Some CPU")
    pytester.makepyfile(CASES)

    def run(methods: tuple[str, ...] = ()) -> tuple[list[str], str]:
        Path("ran").write_text("")
        plugin = Resume(Path("journal"), methods)
        pytester.inline_run("--benchmark-disable", plugins=[plugin], no_reraise_ctrlc=True)
        return Path("ran").read_text().split(), plugin.pytest_report_collectionfinish()[0]

    return run


def outcomes() -> dict[str, tuple[str, bool]]:
    """Each case's outcome in the journal, and whether it has numbers."""
    found = suite.outcomes(read_journal(Path("journal"))[1])
    return {case.split("[")[1].split("-")[0]: (line["outcome"], bool(line["record"])) for case, line in found.items()}


def test_a_stopped_suite_goes_on_with_what_is_missing_and_then_has_each_case_once(cases):
    assert cases() == (ALL[:5], "cases: 0 of 6 are done")
    first = {"good": ("passed", True), "wrong": ("failed", True), "absent": ("skipped", False)}
    assert outcomes() == first | {"broken": ("failed", False)}
    told = " ".join(line["failure"] for line in read_journal(Path("journal"))[1])
    assert "it is not right" in told
    assert "MemoryError" in told
    Path("go").touch()
    assert cases() == (["broken", "stopped", "last"], "cases: 3 of 6 are done")
    Path("repaired").touch()
    assert cases() == (["broken"], "cases: 5 of 6 are done")
    passed = dict.fromkeys(["broken", "stopped", "last"], ("passed", True))
    assert outcomes() == first | passed
    assert cases() == ([], "cases: 6 of 6 are done")
    heading, lines = read_journal(Path("journal"))
    assert {*heading["cases"]} == suite.done(lines)


def test_what_is_of_another_commit_or_device_or_of_other_methods_begins_anew(cases, monkeypatch):
    def begins_anew(name: str, methods: tuple[str, ...] = ()) -> None:
        there = f"cases: 0 of 6 are done; begins anew: those that were there differ in {name}"
        assert cases(methods) == (ALL, there)

    Path("go").touch()
    Path("repaired").touch()
    cases()
    heading, _ = read_journal(Path("journal"))
    assert heading["packages"]["torch"] == torch.__version__
    assert heading["device"] == ["Some CPU"]
    real = journals.describe
    monkeypatch.setattr(journals, "describe", lambda device: real(device) | {"commit": "another"})
    begins_anew("commit")
    monkeypatch.setattr(journals, "title", lambda environment: "Other CPU")
    begins_anew("device")
    begins_anew("methods", ("json:JSONEncoder",))


def line(case: str, outcome: str = "passed", *, record: bool = True, failure: str = "") -> dict:
    return {"case": case, "outcome": outcome, "record": {"test": case} if record else None, "failure": failure}


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """What has a run of pytest end with this status and these lines."""

    def become(status: int, *lines: dict) -> None:
        def run(command: list[str], journal: Path) -> int:
            assert not journal.exists()
            journal.write_text("".join(json.dumps(each) + "\n" for each in ({"cases": ["a", "b"]}, *lines)))
            return status

        monkeypatch.setattr(suite, "_run", run)

    return become


def test_records_are_in_the_suites_order_and_the_journal_goes_once_they_are_kept(ran, tmp_path):
    ran(0, line("b"), line("a"))
    with pytest.raises(UserError, match="the disk is full"), measured(["cpu"], tmp_path):
        raise UserError("the disk is full")
    assert (tmp_path / NAME).exists()
    with measured(["cpu"], tmp_path, anew=True) as (records, right):
        assert [each["test"] for each in records] == ["a", "b"]
        assert right
        assert (tmp_path / NAME).exists()
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize("status", [0, 1, 5])  # where it failed in an earlier process, the last one knows nothing of it
def test_a_failed_case_keeps_its_numbers_and_is_told(ran, tmp_path, capsys, status):
    ran(status, line("a", "failed", failure="it is not right"), line("b"))
    with measured(["cpu"], tmp_path) as (records, right):
        assert [each["test"] for each in records] == ["a", "b"]
        assert not right
    assert "a\nit is not right" in capsys.readouterr().err
    assert not (tmp_path / NAME).exists()


def test_what_failed_without_numbers_is_left_to_be_tried_again(ran, tmp_path):
    ran(1, line("a", "failed", record=False), line("b"))
    with measured(["cpu"], tmp_path) as (records, right):
        assert [each["test"] for each in records] == ["b"]
        assert not right
    assert (tmp_path / NAME).exists()


def test_where_pytest_dies_it_is_told_what_is_there_and_what_is_printed_last(tmp_path, capsys):
    journals.Journal(tmp_path / NAME, {"cases": ["a", "b"]}).add(line("a"))
    said = "cases: 0 of 2 are done\nbenchmarks/test_x.py::a PASSED [ 50%]\nout of memory"
    code = f"import os; print({said!r}, flush=True); os.kill(os.getpid(), 9)"
    dies = "status -9: out of memory; 1 of 2 cases are done, and the same command resumes"
    with pytest.raises(UserError, match=dies):
        suite._run([sys.executable, "-c", code], tmp_path / NAME)
    assert capsys.readouterr().out == "[1/2] a: passed; about – left\n"


def test_two_commands_do_not_measure_for_one_folder(tmp_path):
    with alone(tmp_path), pytest.raises(UserError, match="another is at work"), measured(["cpu"], tmp_path):
        pass
