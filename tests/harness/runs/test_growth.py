"""A run is a trajectory: how it came to its length leaves no trace in it."""

import random
import signal
import time
from dataclasses import replace

import pandas as pd
import pytest
import torch

from aevb import trained
from aevb.errors import UserError
from aevb.estimators import evaluate_lower_bound
from harness.figures.compute import compute
from harness.figures.plan import Plan
from harness.figures.request import Request
from harness.runs.build import evaluation_generator, load, prepare
from harness.runs.job import Job
from harness.runs.train import run, run_together
from harness.store.tensors import load_saved, save
from harness.workers.progress import Display
from tests import forked
from tests.support import curve, small_job
from tests.tally import tally

MARGINAL = {"measure": "marginal_log_likelihood", "first_point": 1_000, "points_per_decade": 2, "evaluation_points": 30}
LEARNERS = {
    "AEVB": {"first_point": 100},
    "wake-sleep": {"method": "wake_sleep", "first_point": 100},
    "MCEM": {"method": "mcem", "warm_up": 0, "batch_size": 0, **MARGINAL},
    "MCEM by minibatches": {"method": "mcem", "warm_up": 0, **MARGINAL},
    "AEVB, log p(x)": MARGINAL,
    "AEVB, auto step size": {"first_point": 100, "step_size": "auto", "auto_steps": 20},
}
# Lengths on the grid and off it, and the last one; for MCEM a step is 3,600 samples, or 300 by minibatches.
LENGTHS = {"MCEM": (7_000, 30_000, 46_000, 60_000), "MCEM by minibatches": (700, 4_000, 6_100, 9_000)}
USUAL = (60, 333, 1_000, 2_500, 4_000)
ALL = pytest.mark.parametrize("learner", LEARNERS)


def grown(learner, folder, array):
    """A run taken to its length in steps, and one taken there at once."""
    *steps, last = LENGTHS.get(learner, USUAL)
    return [small_job(folder, array, samples=samples, **LEARNERS[learner]) for samples in (*steps, last)]


def assert_same(one, other):
    pd.testing.assert_frame_equal(curve(one), curve(other), check_exact=True)
    assert one.folder.model_samples() == other.folder.model_samples()
    for samples in one.folder.model_samples():
        contents = [load_saved(job.folder.model(samples)) for job in (one, other)]
        for network in ("model", "encoder"):
            first, second = (content[network] or {} for content in contents)
            assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    checkpoints = [load_saved(job.folder.checkpoint) for job in (one, other)]
    first, second = (state["learner"]["model"] for state in checkpoints)
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert torch.equal(*(state["generator"] for state in checkpoints))


@ALL
def test_a_run_that_grew_in_steps_is_the_run_that_was_computed_at_once(learner, tmp_path, array):
    steps = grown(learner, tmp_path / "grown", array)
    for job in steps:
        status = run(job)
        assert (status.state, status.completed) == ("finished", status.samples)
        assert job.samples <= status.samples
    whole = replace(steps[-1], root=tmp_path / "whole")
    run(whole)
    assert_same(steps[-1], whole)


@ALL
def test_a_run_that_is_killed_while_it_grows_is_the_run_that_was_computed_at_once(learner, tmp_path, array):
    steps, moments = grown(learner, tmp_path / "grown", array), random.Random(learner)
    whole = replace(steps[-1], root=tmp_path / "whole")
    seconds = forked.seconds_of(forked.run_with_frequent_saves, whole)
    for job in steps:
        for kill in (True, False):
            process = forked.start(forked.run_with_frequent_saves, job)
            if kill:
                time.sleep(moments.uniform(0, seconds / 2))
                forked.send(process, signal.SIGKILL)
            assert forked.finish(process) in (0, -signal.SIGKILL)
        tally("kills of a growing run")
    assert_same(steps[-1], whole)


def test_seeds_in_a_stack_grow_to_the_curves_they_have_at_once(tmp_path, array):
    def stack(name, samples):
        return [small_job(tmp_path / name, array, samples=samples, seed=seed, **LEARNERS["AEVB"]) for seed in range(3)]

    for samples in USUAL:
        run_together(stack("grown", samples))
    run_together(stack("whole", USUAL[-1]))
    for one, other in zip(stack("grown", USUAL[-1]), stack("whole", USUAL[-1]), strict=True):
        pd.testing.assert_frame_equal(curve(one), curve(other), check_exact=True)


def test_an_end_off_the_grid_is_logged_until_the_run_goes_on(tmp_path, array):
    short, longer = (small_job(tmp_path, array, samples=n, first_point=100) for n in (300, 1_000))
    run(short)
    assert [*curve(short)["samples"].unique()] == [100, 160, 260, 300]  # steps of 20; 251 and 398 are on the grid
    assert short.folder.model_samples() == [100, 300]
    run(longer)
    assert [*curve(longer)["samples"].unique()] == [100, 160, 260, 400, 640, 1_000]
    assert longer.folder.model_samples() == [100, 1_000], "the model of an end that is none any more goes"


@pytest.mark.parametrize("learner", ["AEVB", "MCEM"])
def test_what_is_long_enough_is_not_touched(learner, tmp_path, array):
    *shorter, last = grown(learner, tmp_path, array)
    assert run(last).steps > 0
    before = {path: path.stat().st_mtime_ns for path in last.folder.path.rglob("*")}
    for job in shorter:
        assert job.is_done()
        assert run(job).steps == 0
    assert {path: path.stat().st_mtime_ns for path in last.folder.path.rglob("*")} == before


def test_a_run_that_was_stopped_on_its_way_to_more_is_still_done_as_far_as_it_was(tmp_path, array):
    short, longer = (small_job(tmp_path, array, samples=n) for n in (1_000, 400_000))
    run(short)
    process = forked.start(forked.run_with_frequent_saves, longer)
    while longer.folder.status().samples < 20_000:
        time.sleep(0.01)
    forked.send(process, signal.SIGKILL)
    forked.finish(process)
    assert longer.folder.status().state == "running"
    assert short.is_done()
    assert not longer.is_done()
    between = replace(longer, samples=15_000)
    assert run(between).steps == 0, "the checkpoint is beyond that already"
    assert between.folder.status().completed >= 15_000


def test_the_steps_of_growing_are_those_that_were_left(tmp_path, array):
    assert run(small_job(tmp_path, array, samples=1_000)).steps == 50
    assert run(small_job(tmp_path, array, samples=3_000)).steps == 100
    assert run(small_job(tmp_path, array, samples=2_000)).steps == 0


def test_kept_models_are_those_of_the_powers_of_ten_and_of_the_end_and_have_the_bounds_that_were_logged(
    tmp_path, array
):
    job = small_job(tmp_path, array, samples=20_000, first_point=10)
    run(job)
    assert job.folder.model_samples() == [20, 100, 1_000, 10_000, 20_000]  # 10 is reached at 20, after one step
    data = prepare(job.config, load(job.config, array), torch.device("cpu"))
    logged = curve(job).query("split == 'test'").set_index("samples")["lower_bound"]
    for samples in job.folder.model_samples():
        model, encoder = trained.build(load_saved(job.folder.model(samples)))
        bound = evaluate_lower_bound(model, encoder, data.test_points, evaluation_generator("cpu"))
        assert float(bound.mean()) == pytest.approx(logged[samples], rel=1e-12)


def test_a_model_of_two_latents_comes_with_its_map_of_test_points(tmp_path, array):
    job = small_job(tmp_path, array, samples=200)
    run(job)
    content = load_saved(job.folder.model(200))
    _, encoder = trained.build(content)
    data = prepare(job.config, load(job.config, array), torch.device("cpu"))
    assert torch.equal(content["encoded"]["mean"], encoder(data.test_points).mean.half())
    assert content["encoded"]["bound"].shape == (len(data.test_points),)
    assert content["image_shape"] == (4, 4)
    three = small_job(tmp_path, array, samples=200, n_latent=3)
    run(three)
    assert "encoded" not in load_saved(three.folder.model(200))


def test_a_run_without_its_checkpoint_keeps_what_it_has(tmp_path, array):
    job = small_job(tmp_path, array, samples=1_000, first_point=100)
    run(job)
    for path in (job.folder.checkpoint, job.folder.previous_checkpoint):
        path.unlink(missing_ok=True)
    before = curve(job)
    with pytest.raises(UserError, match=r"a run must have its checkpoint to go on; .* has 1,000 samples and none"):
        run(replace(job, samples=2_000))
    assert job.is_done()
    assert curve(job).equals(before)
    (job.folder.path / "environment.json").write_text("[")
    assert not job.is_done()
    assert run(job).steps == 0, "a record is written again, nothing computed"
    assert curve(job).equals(before)
    assert job.is_done()


def test_a_run_that_cannot_go_on_says_what_was_damaged(tmp_path, array):
    job = small_job(tmp_path, array, samples=1_000, first_point=100)
    run(job)
    save({"whole": False}, job.folder.previous_checkpoint)
    for path in (job.folder.checkpoint, job.folder.previous_checkpoint):
        path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"none \(checkpoint.pt was damaged, checkpoint.previous.pt was damaged\)"):
        run(replace(job, samples=2_000))


def test_a_request_for_more_that_fails_leaves_what_was_done_done(tmp_path, array, monkeypatch):
    job = small_job(tmp_path, array, samples=1_000, first_point=100)
    run(job)

    def no_memory(*_, **__):
        raise MemoryError("planted")

    with monkeypatch.context() as patch:
        patch.setattr("harness.runs.run.build_learner", no_memory)
        with pytest.raises(MemoryError):
            run(replace(job, samples=2_000))
    assert job.folder.status().completed == 1_000
    assert job.is_done()
    assert run(replace(job, samples=2_000)).steps == 50


def test_force_does_not_shorten_a_run(tmp_path, array):
    job = small_job(tmp_path, array, samples=2_000)
    run(job)
    request = Request(results=tmp_path, force=True, workers=1)
    with pytest.raises(UserError, match=r"must not shorten it; .* has 2,000 samples, got 1,000"):
        compute(Plan([replace(job, samples=1_000)]), request, Display())
    assert job.is_done()


@pytest.mark.parametrize("samples", [0, -1, 10**19])
def test_a_run_has_a_length_that_can_be(samples, tmp_path, array):
    with pytest.raises(UserError, match=r"samples must be from 1 to 1e\+18"):
        Job(small_job(tmp_path, array).config, samples, tmp_path, array, "cpu")


@pytest.mark.parametrize("first", ["blas", "onednn"])
def test_a_run_keeps_to_what_multiplied_first_whatever_is_faster_later(first, tmp_path, array, monkeypatch):
    job = small_job(tmp_path, array, samples=1_000, first_point=100)
    monkeypatch.setattr("harness.runs.steps.is_right", lambda library, shapes: True)
    monkeypatch.setattr("harness.runs.steps.choose_library", lambda *_: first)
    run(job)
    other = {"blas": "onednn", "onednn": "blas"}[first]
    monkeypatch.setattr("harness.runs.steps.choose_library", lambda *_: other)
    run(replace(job, samples=2_000))
    assert {environment["products"] for environment in job.folder.environments()} == {first}
    begun = replace(job, root=tmp_path / "begun", library=first)
    run(begun)
    assert {environment["products"] for environment in begun.folder.environments()} == {first}
    monkeypatch.setattr("harness.runs.steps.is_right", lambda library, shapes: library != first)
    run(replace(job, samples=3_000))
    assert job.folder.environments()[-1]["products"] == other, "what is wrong on this machine is left"
