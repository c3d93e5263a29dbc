"""Costs of learners: two times are of one machine, and ratios in turns come before both."""

import json

import pytest

from harness.claims.results import Results
from harness.claims.speed import SMALL, mcems_pace, pair, wake_sleeps_pace
from harness.store.shelves import Shelves
from tests.claims_store import time_learners

TIMES = {("aevb", "fast"): 40.0, ("wake_sleep", "fast"): 60.0, ("mcem", "fast"): 20.0}


def store(tmp_path, **machines):
    """Benchmarks of several machines: seconds of a million samples, and half of their interval."""
    for name, (times, width) in machines.items():
        time_learners(tmp_path, times)
        made = tmp_path / "benchmarks" / "made-up.json"
        content = json.loads(made.read_text())
        content["environment"]["device"] = name
        for row in content["measured"]:
            row |= {"seconds_low": row["seconds"] * (1 - width), "seconds_high": row["seconds"] * (1 + width)}
        made.with_name(f"{name}.json").write_text(json.dumps(content))
        made.unlink()
    return Results(Shelves(tmp_path))


def test_both_times_are_of_one_machine_a_stable_one_if_there_is_any(tmp_path):
    slower = {case: 2 * time for case, time in TIMES.items()} | {("mcem", "fast"): 10.0}
    alone = {("aevb", "fast"): 1.0}
    results = store(tmp_path, steady=(slower, 0.01), noisy=(TIMES, 0.2), alone=(alone, 0.01))
    ours, other = pair(results.benchmarks, *({"method": name, **SMALL} for name in ("aevb", "mcem")))
    assert (ours["device"], other["device"]) == ("steady", "steady")
    assert mcems_pace(results) == (pytest.approx(80 / 10), "timed on steady")


def test_of_two_stable_machines_the_faster_one_counts(tmp_path):
    slower = {case: 3 * time for case, time in TIMES.items()} | {("mcem", "fast"): 10.0}
    results = store(tmp_path, one=(slower, 0.01), other=(TIMES, 0.04))
    assert mcems_pace(results) == (pytest.approx(40 / 20), "timed on other")


def test_a_ratio_in_turns_comes_before_two_times(tmp_path):
    times = TIMES | {("wake_sleep", "fast"): 100.0}
    assert wake_sleeps_pace(store(tmp_path, one=(times, 0.01))) == pytest.approx(40 / 100)
    path = tmp_path / "benchmarks" / "one.json"
    content = json.loads(path.read_text())
    contest = {"device_type": "cpu", "suite": "contest", "batch_size": 100, "seconds": 3600.0}
    content["contests"] = [
        {
            **contest,
            "hidden": [hidden],
            "n_latent": n_latent,
            "rates": {"fast": [3.0], "wake-sleep": [rate]} | ({"MCEM": [12.0]} if hidden == 100 else {}),
        }
        for hidden, n_latent, rate in ((500, 20, 2.0), (100, 3, 1.5))
    ]
    path.write_text(json.dumps(content))
    in_turns = Results(Shelves(tmp_path))
    assert wake_sleeps_pace(in_turns) == pytest.approx(2 / 3)
    assert mcems_pace(in_turns) == (pytest.approx(4), "in turns on one")
    assert len(in_turns.contests) == 5
