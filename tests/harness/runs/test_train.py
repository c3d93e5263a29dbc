import json
import math
import signal
import subprocess
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from aevb.estimators import evaluate_lower_bound
from harness.runs import steps as trainer
from harness.runs import tape, train
from harness.runs.build import build_learner, evaluation_generator, load, prepare
from harness.runs.curve import Progress, points_up_to
from harness.runs.steps import choose_step_size
from harness.runs.tape import Tape
from harness.runs.train import Interrupted, run, run_together, stacks
from harness.store.records import parse_curve
from harness.store.run_folder import RunFolder
from tests import head_start
from tests.support import ROOT, curve, environment, small_job

SETTINGS = {
    "aevb": {"method": "aevb"},
    "wake_sleep": {"method": "wake_sleep"},
    "mcem": {"method": "mcem", "batch_size": 0, "warm_up": 0, "measure": "marginal_log_likelihood"},
    "aevb, log p(x)": {"method": "aevb", "measure": "marginal_log_likelihood", "samples": 20_000},
}
ALL = pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)


@ALL
def test_the_same_seed_gives_the_same_curve_bit_for_bit(setting, tmp_path, array):
    one, other = (small_job(tmp_path / name, array, **setting) for name in "ab")
    assert run(one).state == run(other).state == "finished"
    pd.testing.assert_frame_equal(curve(one), curve(other), check_exact=True)
    third = small_job(tmp_path, array, **setting, seed=1)
    run(third)
    assert not curve(one).equals(curve(third))


@pytest.mark.parametrize("method", ["aevb", "wake_sleep"])
def test_training_climbs_and_logs_three_splits_on_the_grid(method, tmp_path, array):
    job = small_job(tmp_path, array, method=method, first_point=100)
    run(job)
    table = curve(job)
    assert [*pd.read_csv(job.folder.curve).columns] == [
        "split", "samples", "lower_bound", "standard_error", "seconds",
    ]  # fmt: skip
    for _, part in table.groupby("split"):
        assert [*part["samples"]] == [math.ceil(point / 20) * 20 for point in points_up_to(40_000, 5, 100)]
        # On stripes as simple as these wake-sleep learns p and q at the expense of the bound.
        assert method == "wake_sleep" or part["lower_bound"].iloc[-1] > part["lower_bound"].iloc[0] + 0.1
        assert (part["standard_error"] > 0).all()


def test_the_logged_test_bound_is_the_estimators_on_the_stored_model(tmp_path, array):
    job = small_job(tmp_path, array)
    run(job)
    folder = job.folder
    data = prepare(job.config, load(job.config, array), torch.device("cpu"))
    learner = build_learner(job.config, data, 0.05)
    learner.load_state_dict(torch.load(folder.checkpoint, weights_only=True)["learner"])
    noise = evaluation_generator(torch.device("cpu"))
    bound = evaluate_lower_bound(learner.model, learner.encoder, data.test_points, noise)
    logged = curve(job).query("split == 'test'").iloc[-1]
    assert float(bound.mean()) == pytest.approx(logged["lower_bound"], rel=1e-12)
    assert float(bound.std()) / len(bound) ** 0.5 == pytest.approx(logged["standard_error"], rel=1e-12)


def test_the_running_mean_is_over_the_minibatches_since_the_last_point():
    progress = Progress(0.1)
    values = np.random.default_rng(0).normal(-100, 3, 40)
    progress.add(300, 1.0, [*values[:30]])
    progress.add(100, 1.0, [*values[30:]])
    mean, error = progress.running_mean()
    assert mean == pytest.approx(values.mean())
    assert error == pytest.approx(values.std(ddof=1) / 40**0.5)


def test_the_error_of_one_minibatch_is_not_known_and_is_no_fault(tmp_path, array):
    whole = small_job(tmp_path, array, method="aevb", batch_size=0, samples=1000, first_point=1)
    run(whole)
    train_rows = whole.folder.read_curve().query("split == 'train'")
    assert train_rows["standard_error"].isna().any(), "steps are as far apart as the first points"
    assert (train_rows["standard_error"].dropna() > 0).all()
    assert not whole.folder.damaged()
    assert RunFolder(whole.folder.path.parent, whole.config).is_done(1000)
    older = whole.folder.curve.read_text().splitlines()
    older = [line.replace(",,", ",0.0,") if line.startswith("train,") else line for line in older]
    assert parse_curve("\n".join(older) + "\n", "lower_bound").equals(whole.folder.read_curve()), "as versions wrote it"


@ALL
def test_an_interrupted_run_resumes_to_the_identical_curve(setting, tmp_path, array, monkeypatch):
    whole = small_job(tmp_path / "whole", array, **setting)
    run(whole)
    monkeypatch.setattr(train, "SECONDS_BETWEEN_REPORTS", 0.0)
    monkeypatch.setattr(train, "SECONDS_OF_A_BURST", 0.0)
    halting = small_job(tmp_path / "halting", array, **setting)
    stops, looks_between = 0, 4 if setting["method"] == "mcem" else 300
    while True:
        looks = iter(range(looks_between))
        try:
            status = run(halting, should_stop=lambda looks=looks: next(looks, None) is None)
            break
        except Interrupted:
            stops += 1
            assert halting.folder.status().state == "interrupted"
    assert status.state == "finished"
    assert stops >= 2
    pd.testing.assert_frame_equal(curve(whole), curve(halting), check_exact=True)


KILLED = """
import json, sys; from pathlib import Path
from tests.support import small_job; from harness.runs import train; import torch
torch.set_num_threads(1)
train.SECONDS_BETWEEN_CHECKPOINTS = 0.05
Path(sys.argv[1]).mkdir(exist_ok=True); (Path(sys.argv[1]) / "tries").touch()
train.run(small_job(Path(sys.argv[1]), Path(sys.argv[2]), **json.loads(sys.argv[3])))
"""


@ALL
def test_a_killed_run_resumes_to_the_identical_curve(setting, tmp_path, array):
    whole = small_job(tmp_path / "whole", array, **setting)
    run(whole)
    killed = small_job(tmp_path / "killed", array, **setting)
    folder = killed.folder
    process = head_start.start(
        ["-c", KILLED, str(tmp_path / "killed"), str(array), json.dumps(setting)], ROOT, environment()
    )
    deadline = time.monotonic() + 60
    while not (folder.curve.exists() and folder.checkpoint.exists()) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert folder.status().state == "running"
    assert run(killed).state == "finished"
    pd.testing.assert_frame_equal(curve(whole), curve(killed), check_exact=True)


def test_a_finished_run_is_left_as_it_is(tmp_path, array):
    job = small_job(tmp_path, array)
    run(job)
    path = job.folder.curve
    before = path.stat().st_mtime_ns, path.read_bytes()
    assert run(job).state == "finished"
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before


def test_the_environment_is_beside_every_run(tmp_path, array):
    job = small_job(tmp_path, array)
    run(job)
    (values,) = json.loads((job.folder.path / "environment.json").read_text())
    assert values["threads"] == 1
    assert values["packages"]["torch"] == torch.__version__
    assert values["device_type"] == "cpu"


def test_the_automatic_step_size_is_the_candidate_with_the_best_training_bound(tmp_path, array, monkeypatch):
    job = small_job(tmp_path, array, step_size="auto", auto_steps=60)
    data = prepare(job.config, load(job.config, array), torch.device("cpu"))
    monkeypatch.setattr(trainer, "STEP_SIZE_CANDIDATES", (1e-6, 0.05, 1e20))
    assert choose_step_size(job.config, data, "fast") == 0.05
    looks = iter(range(3))
    with pytest.raises(Interrupted):
        run(job, should_stop=lambda: next(looks, None) is None)
    assert run(job).step_size == 0.05
    fixed = small_job(tmp_path, array, step_size=0.05, auto_steps=60)
    run(fixed)
    pd.testing.assert_frame_equal(curve(job), curve(fixed), check_exact=True)


def test_dynamic_binarization_draws_anew_and_static_once(tmp_path, array):
    config = small_job(tmp_path, array).config
    dataset = load(config, array)
    for binarization in ("none", "threshold", "static", "dynamic"):
        changed = replace(config, binarization=binarization, batch_size=2000)
        data = prepare(changed, dataset, torch.device("cpu"))
        minibatches = Tape(changed, data, build_learner(changed, data, 0.05))
        batches = [next(minibatches.take(1).batches(data))[0] for _ in range(12)]
        values = [{i: x.tolist() for i, x in zip(b.indices.tolist(), b.x, strict=True)} for b in batches]
        binary = all(set(np.unique(b.x)) <= {0.0, 1.0} for b in batches)
        assert binary == (binarization != "none")
        again = prepare(changed, dataset, torch.device("cpu"))
        assert torch.equal(data.test_points, again.test_points)
        if binarization == "dynamic":
            assert values[0] != values[1]
            mean = torch.stack([b.x.mean() for b in batches]).mean()
            assert abs(float(mean - dataset.train.mean())) < 0.01
        else:
            assert all(values[0][i] == values[1][i] for i in values[0].keys() & values[1].keys())


def test_two_processes_given_the_same_run_do_not_both_compute_it(tmp_path, array):
    job = small_job(tmp_path, array, samples=4000)
    tries = tmp_path / "tries"
    with job.folder.lock():
        arguments = ["-c", KILLED, str(tmp_path), str(array), json.dumps({"samples": 4000})]
        process = head_start.start(arguments, ROOT, environment())
        deadline = time.monotonic() + 60
        while not tries.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert tries.exists()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        assert not job.folder.curve.exists()
    assert process.wait(60) == 0
    assert run(job).state == "finished"


def test_a_tape_goes_on_wherever_it_was_left(tmp_path, array, monkeypatch):
    monkeypatch.setattr(tape, "MOST_STEPS", 4)
    config = small_job(tmp_path, array, method="wake_sleep", binarization="dynamic").config
    data = prepare(config, load(config, array), torch.device("cpu"))
    learner = build_learner(config, data, 0.05)
    one = Tape(config, data, learner)
    for _ in range(9):
        other = Tape(config, data, learner)
        other.load_state_dict(one.state_dict())
        first, second = one.take(1), other.take(1)
        assert first.tensors.keys() == {"indices", "normal", "pixels", "thresholds"}
        assert all(torch.equal(value, second.tensors[name]) for name, value in first.tensors.items())


@pytest.mark.parametrize("method", ["aevb", "wake_sleep", "mcem"])
@pytest.mark.parametrize("decoder", ["bernoulli", "gaussian"])
def test_the_hand_written_engine_draws_the_reference_curve(method, decoder, tmp_path, array):
    measure = "marginal_log_likelihood" if method == "mcem" else "lower_bound"
    changes = {"method": method, "decoder": decoder, "measure": measure, "samples": 4_000}
    jobs = [replace(small_job(tmp_path / engine, array, **changes), engine=engine) for engine in ("reference", "fast")]
    for job in jobs:
        run(job)
    reference, fast = (curve(job) for job in jobs)
    np.testing.assert_allclose(fast[measure], reference[measure], rtol=2e-4)


@pytest.mark.parametrize("method", ["aevb", "wake_sleep"])
def test_seeds_that_are_computed_together_have_the_curves_they_have_alone(method, tmp_path, array, monkeypatch):
    alone = [small_job(tmp_path / "alone", array, method=method, seed=seed, samples=4_000) for seed in range(3)]
    together = [replace(job, root=tmp_path / "together") for job in alone]
    for job in alone:
        run(job)
    monkeypatch.setattr(train, "SECONDS_OF_A_BURST", 0.0)
    looks = iter(range(60))
    with pytest.raises(Interrupted):
        run_together(together, should_stop=lambda: next(looks, None) is None)
    assert [status.state for status in run_together(together)] == ["finished"] * 3
    for one, other in zip(alone, together, strict=True):
        pd.testing.assert_frame_equal(curve(one), curve(other), check_exact=False, rtol=2e-4)


def test_a_record_says_how_many_runs_its_stack_had_each_time(tmp_path, array):
    seeds = [small_job(tmp_path, array, seed=seed, samples=400) for seed in range(3)]

    def recorded():
        return [[each["runs_in_stack"] for each in job.folder.environments()] for job in seeds]

    run(seeds[0])
    run_together([replace(job, samples=800) for job in seeds])  # the first is ahead, and climbs alone
    assert recorded() == [[1], [2], [2]]
    assert [len(job.folder.environments()[-1].get("resumed", [])) for job in seeds] == [1, 0, 0]
    for samples in (1_200, 1_600):
        run_together([replace(job, samples=samples) for job in seeds])
    assert recorded() == [[1, 3], [2, 3], [2, 3]]
    assert [len(job.folder.environments()[-1]["resumed"]) for job in seeds] == [1, 1, 1]


def test_only_seeds_of_one_config_by_hand_on_a_gpu_share_a_stack(tmp_path, array):
    jobs = [
        small_job(tmp_path, array, method=method, seed=seed) for method in ("aevb", "wake_sleep") for seed in (0, 1)
    ]
    assert [len(group) for group in stacks(jobs)] == [1] * 4
    on_gpu = [replace(job, device="cuda") for job in jobs]
    assert [[job.config.seed for job in group] for group in stacks(on_gpu)] == [[0, 1]] * 2
    assert [len(group) for group in stacks([replace(job, engine="reference") for job in on_gpu])] == [1] * 4
