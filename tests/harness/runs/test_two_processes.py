"""Processes that are given the same run: one works, the others wait; one that dies is taken over from."""

import os
import random
import signal
import time

import pandas as pd

from harness.runs import train
from harness.runs.train import run
from tests import forked
from tests.support import curve, small_job
from tests.tally import tally


def run_and_note(job, notes):
    """Say in `notes` when this process trains and when it is done."""
    inner = train.train

    def noted(runs, samples, should_stop):
        note(notes, "begins")
        inner(runs, samples, should_stop)
        note(notes, "ends")

    train.train = noted
    forked.run_with_frequent_saves(job)


def note(notes, what):
    with notes.open("a") as file:
        file.write(f"{os.getpid()} {what}\n")


def lines(notes):
    return [line.split() for line in notes.read_text().splitlines()] if notes.exists() else []


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_of_four_processes_one_computes_the_run_and_all_have_it(tmp_path, array):
    job, notes = small_job(tmp_path, array, samples=4_000), tmp_path / "notes"
    processes = [forked.start(run_and_note, job, notes) for _ in range(4)]
    assert [forked.finish(process) for process in processes] == [0] * 4
    (first, begins), (last, ends) = lines(notes)
    assert (first, begins, ends) == (last, "begins", "ends")
    assert job.is_done()
    tally("runs contended for")


def test_whoever_waits_takes_over_from_the_killed_and_nobody_works_beside_another(tmp_path, array):
    whole, job = (small_job(tmp_path / name, array, samples=100_000) for name in ("whole", "contended"))
    run(whole)
    notes, moments, kills = tmp_path / "notes", random.Random(0), 3
    processes = {p.pid: p for p in (forked.start(run_and_note, job, notes) for _ in range(kills + 1))}
    for killed in range(kills):
        until(lambda n=killed: len(lines(notes)) == n + 1)
        time.sleep(moments.uniform(0, 0.1))
        holder = int(lines(notes)[-1][0])
        forked.send(processes[holder], signal.SIGKILL)
        assert forked.finish(processes[holder]) == -signal.SIGKILL
    rest = [p for p in processes.values() if p.exitcode is None]
    assert [forked.finish(process) for process in rest] == [0]
    assert [what for _, what in lines(notes)] == ["begins"] * (kills + 1) + ["ends"]
    assert len({process for process, _ in lines(notes)}) == kills + 1, "each is another process"
    assert job.folder.status().message == ""
    pd.testing.assert_frame_equal(curve(job), curve(whole), check_exact=True)
    tally("holders of a run killed", kills)
