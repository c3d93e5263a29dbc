"""The machine's clock may jump: no number comes from it, and no decision."""

import ast
import datetime
import io
import os
import random
import time

import pandas as pd
import pytest
from rich.console import Console

from harness.runs import train
from harness.runs.job import Job
from harness.runs.train import Interrupted, run
from harness.workers.progress import Display, Way
from tests.support import ROOT, curve, small_job
from tests.tally import tally

YEAR = 365 * 86_400.0


def jump(job: Job, years: float) -> None:
    """What lies there was written then."""
    for path in job.folder.path.rglob("*"):
        moment = time.monotonic() + (50 + years) * YEAR
        os.utime(path, (moment, moment))


def test_a_clock_that_jumps_by_hours_and_years_changes_no_curve(tmp_path, array, monkeypatch):
    whole, job = (small_job(tmp_path / name, array, samples=4_000) for name in ("whole", "jumping"))
    run(whole)
    jumps = random.Random(0)
    monkeypatch.setattr(time, "time", lambda: 1.7e9 + jumps.choice([-30, -1e-4, 0, 1e-4, 30]) * YEAR)
    monkeypatch.setattr(train, "SECONDS_BETWEEN_REPORTS", 0.0)
    monkeypatch.setattr(train, "SECONDS_OF_A_BURST", 0.0)
    display = Display(Console(file=io.StringIO()))
    display.start({job.folder: Way(job.samples, 1.0)})
    stops = 0
    while not job.is_done():
        looks = iter(range(50))
        try:
            run(job, should_stop=lambda looks=looks: next(looks, None) is None)
        except Interrupted:
            stops += 1
            display.look()
            left = display._seconds_left()
            assert left is not None
            assert 0 <= left < 3600
        jump(job, years=jumps.uniform(-40, 40))
        tally("clock jumps")
    assert stops > 2
    assert job.folder.status().message == ""
    pd.testing.assert_frame_equal(curve(job), curve(whole), check_exact=True)
    seconds = pd.read_csv(job.folder.curve)["seconds"]
    assert seconds.between(0, 600).all()
    assert seconds.is_monotonic_increasing


def uses(path, names):
    """Attributes that a source file takes, such as time.time."""
    return {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    } & names


@pytest.mark.parametrize("room", ["aevb", "baselines", "harness"])
def test_nothing_reads_the_clock_but_the_record_of_the_environment(room):
    clocks = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
    readers = {path.name: uses(path, clocks) for path in (ROOT / room).rglob("*.py")}
    assert {name: found for name, found in readers.items() if found} == (
        {"environment.py": {"datetime.now"}} if room == "harness" else {}
    )
    for path in (ROOT / room).rglob("*.py"):
        assert "st_mtime" not in path.read_text(), "what is fresh is told by content"


def test_the_start_of_a_run_is_told_in_universal_time(tmp_path, array):
    job = small_job(tmp_path, array, samples=1_000)
    run(job)
    (environment,) = job.folder.environments()
    assert datetime.datetime.fromisoformat(environment["started"]).utcoffset() == datetime.timedelta(0)
