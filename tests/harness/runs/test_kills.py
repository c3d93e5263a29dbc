"""`kill -9` and Ctrl-C at random moments: a run goes on from whole files to the curve it would have had."""

import os
import random
import signal
import tempfile
import time
from pathlib import Path

import pandas as pd
import pytest

from harness.runs.train import run
from harness.store.tensors import is_whole
from tests import forked
from tests.support import curve, small_job
from tests.tally import tally

MCEM = {
    "method": "mcem",
    "warm_up": 0,
    "measure": "marginal_log_likelihood",
    "first_point": 1_000,
    "points_per_decade": 2,
    "evaluation_points": 30,
}
LEARNERS = {
    "AEVB": {"samples": 4_000, "first_point": 100},
    "wake-sleep": {"method": "wake_sleep", "samples": 4_000, "first_point": 100},
    "MCEM": {**MCEM, "batch_size": 0, "samples": 60_000},
    "MCEM by minibatches": {**MCEM, "samples": 8_000},
}
ALL = pytest.mark.parametrize("learner", LEARNERS)
KILLS = 10  # by each signal


@pytest.fixture
def memory(tmp_path):
    """A folder that costs no time: a kill leaves there what it leaves on a disk."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def assert_whole(folder):
    """Whatever lies there was written to its end."""
    assert folder.damaged() == []
    for path in (folder.checkpoint, folder.previous_checkpoint):
        assert is_whole(path) or not path.exists()
    assert all(is_whole(folder.model(samples)) for samples in folder.model_samples())


def assert_same_end(job, whole):
    assert job.folder.status().state == "finished"
    assert job.folder.status().message == "", "nothing was taken for damaged"
    assert job.folder.model_samples() == whole.folder.model_samples()
    pd.testing.assert_frame_equal(curve(job), curve(whole), check_exact=True)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
@ALL
def test_a_run_that_is_killed_at_random_moments_has_the_uninterrupted_curve(learner, name, memory, array):
    random_moments, setting = random.Random(f"{learner} {name}"), LEARNERS[learner]
    whole = small_job(memory / "whole", array, **setting)
    seconds = forked.seconds_of(forked.run_with_frequent_saves, whole)
    killed, runs = 0, 0
    while killed < KILLS:
        runs += 1
        assert runs < 10 * KILLS, "most moments come after the end"
        job = small_job(memory / str(runs), array, **setting)
        done = False
        while not done:
            process = forked.start(forked.run_with_frequent_saves, job)
            if killed < KILLS:
                time.sleep(random_moments.uniform(0, seconds))
                forked.send(process, getattr(signal, name))
            done = forked.finish(process) == 0
            killed += not done
            assert_whole(job.folder)
        assert_same_end(job, whole)
    tally(f"{name}s", KILLS)


def test_a_run_that_is_killed_at_a_step_of_writing_has_the_uninterrupted_curve(memory, array):
    setting = {**LEARNERS["AEVB"], "samples": 1_000}
    whole = small_job(memory / "whole", array, **setting)
    run(whole)
    for step in range(1, 41):  # two saves with all around them
        job = small_job(memory / str(step), array, **setting)
        assert forked.finish(forked.start(forked.run_and_die_writing, job, step)) == -signal.SIGKILL
        assert_whole(job.folder)
        assert forked.finish(forked.start(forked.run_with_frequent_saves, job)) == 0
        assert_same_end(job, whole)
        tally("kills at a step of writing")


def test_seeds_computed_together_that_are_killed_end_as_they_would_have(memory, array):
    def stack(name):
        return [small_job(memory / name, array, seed=seed, **LEARNERS["AEVB"]) for seed in range(3)]

    whole, killed, moments = stack("whole"), stack("killed"), random.Random(0)
    seconds = forked.seconds_of(forked.run_with_frequent_saves, *whole)
    kills, done = 0, False
    while not done:
        process = forked.start(forked.run_with_frequent_saves, *killed)
        if kills < 5:
            time.sleep(moments.uniform(0, seconds / 2))
            forked.send(process, signal.SIGKILL)
        done = forked.finish(process) == 0
        kills += not done
        for job in killed:
            assert_whole(job.folder)
    for one, other in zip(whole, killed, strict=True):
        # Those that were saved before the kill and those that were not go on apart: sums in another order.
        pd.testing.assert_frame_equal(curve(one), curve(other), check_exact=False, rtol=2e-4)
    assert kills
    tally("kills of a stack of seeds", kills)
