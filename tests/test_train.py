import errno
import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from aevb.errors import DataError, UserError
from aevb.estimators import evaluate_lower_bound
from harness import batches, store, train
from harness.batches import choose_step_size, draw_batch
from harness.build import build_learner, evaluation_generator, load, prepare
from harness.curve import Progress, grid
from harness.train import Interrupted, run
from tests.support import ROOT, SMALL, environment, small_job, write_array

SETTINGS = {
    "aevb": {"method": "aevb"},
    "wake_sleep": {"method": "wake_sleep"},
    "mcem": {"method": "mcem", "batch_size": 0, "warm_up": 0, "measure": "marginal_log_likelihood"},
    "aevb, log p(x)": {"method": "aevb", "measure": "marginal_log_likelihood", "samples": 20_000},
}
ALL = pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)


@pytest.fixture
def array(tmp_path):
    return write_array(tmp_path)


def curve(job):
    """All but the clock's column."""
    return pd.read_csv(job.folder.curve).drop(columns="seconds")


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
        assert [*part["samples"]] == [math.ceil(point / 20) * 20 for point in grid(40_000, 5, 100)]
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
    for value in values:
        progress.moments += torch.tensor([value, value**2], dtype=torch.float64)
        progress.batches += 1
    mean, error = progress.running_mean()
    assert mean == pytest.approx(values.mean())
    assert error == pytest.approx(values.std(ddof=1) / 40**0.5)


@ALL
def test_an_interrupted_run_resumes_to_the_identical_curve(setting, tmp_path, array, monkeypatch):
    whole = small_job(tmp_path / "whole", array, **setting)
    run(whole)
    monkeypatch.setattr(train, "SECONDS_BETWEEN_REPORTS", 0.0)
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
from tests.support import small_job; from harness import train; import torch
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
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), str(array), json.dumps(setting)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment())
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


def test_a_diverging_run_is_stored_as_such_with_its_finite_points(tmp_path, array):
    protocol = SMALL + "+decoder=gaussian+decoder_log_var=hidden"
    job = small_job(tmp_path, array, protocol, step_size=1e30, warm_up=550)
    status = run(job)
    assert status.state == "diverged"
    assert "no longer finite" in status.message
    table = curve(job)
    assert len(table) == 3
    assert np.isfinite(table["lower_bound"]).all()
    assert run(job) == job.folder.status()


def test_a_failed_run_says_why_and_can_be_tried_again(tmp_path, array):
    job = small_job(tmp_path, array)
    content = array.read_bytes()
    array.write_bytes(b"nothing")
    with pytest.raises(DataError):
        run(job)
    status = job.folder.status()
    assert status.state == "failed"
    assert "DataError" in status.message
    array.write_bytes(content)
    assert run(job).state == "finished"


def test_an_array_that_changed_is_refused(tmp_path, array):
    job = small_job(tmp_path, array)
    np.save(array, np.load(array)[::-1])
    with pytest.raises(DataError, match="must not change"):
        run(job)


def test_a_damaged_checkpoint_is_an_error_that_names_it(tmp_path, array):
    job = small_job(tmp_path, array)
    with pytest.raises(Interrupted):
        run(job, should_stop=lambda: True)
    path = job.folder.checkpoint
    whole = path.read_bytes()
    for damaged in (whole[:1000], b"", b"damaged"):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"checkpoint must be whole; .*checkpoint.pt: .+--force"):
            run(job)


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
    monkeypatch.setattr(batches, "STEP_SIZE_CANDIDATES", (1e-6, 0.05, 1e20))
    assert choose_step_size(job.config, data) == 0.05
    looks = iter(range(100))
    with pytest.raises(Interrupted):
        run(job, should_stop=lambda: next(looks, None) is None)
    assert run(job).step_size == 0.05
    fixed = small_job(tmp_path, array, step_size=0.05, auto_steps=60)
    run(fixed)
    pd.testing.assert_frame_equal(curve(job), curve(fixed), check_exact=True)


def test_dynamic_binarization_draws_anew_and_static_once(tmp_path, array):
    config = small_job(tmp_path, array).config
    dataset = load(config, array)
    generator = torch.Generator().manual_seed(0)
    for binarization in ("none", "threshold", "static", "dynamic"):
        data = prepare(replace(config, binarization=binarization), dataset, torch.device("cpu"))
        batches = [draw_batch(data, 2000, generator) for _ in range(2)]
        values = [{i: x.tolist() for i, x in zip(b.indices.tolist(), b.x, strict=True)} for b in batches]
        binary = all(set(np.unique(b.x)) <= {0.0, 1.0} for b in batches)
        assert binary == (binarization != "none")
        again = prepare(replace(config, binarization=binarization), dataset, torch.device("cpu"))
        assert torch.equal(data.test_points, again.test_points)
        if binarization == "dynamic":
            assert values[0] != values[1]
            mean = torch.stack([draw_batch(data, 5000, generator).x.mean() for _ in range(10)]).mean()
            assert abs(float(mean - dataset.train.mean())) < 0.01
        else:
            assert all(values[0][i] == values[1][i] for i in values[0].keys() & values[1].keys())


def test_two_processes_given_the_same_run_do_not_both_compute_it(tmp_path, array):
    job = small_job(tmp_path, array, samples=4000)
    tries = tmp_path / "tries"
    with job.folder.lock():
        command = [sys.executable, "-c", KILLED, str(tmp_path), str(array), json.dumps({"samples": 4000})]
        process = subprocess.Popen(command, cwd=ROOT, env=environment())
        deadline = time.monotonic() + 60
        while not tries.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert tries.exists()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        assert not job.folder.curve.exists()
    assert process.wait(60) == 0
    assert run(job).state == "finished"


def test_results_that_cannot_be_written_are_a_clear_error(tmp_path, array):
    (tmp_path / "file").write_text("")
    job = small_job(tmp_path, array)
    with pytest.raises(UserError, match=r"results must be writable; .*file.*: Not a directory; .*--results"):
        run(replace(job, root=tmp_path / "file" / "runs"))


def test_a_full_disk_is_a_clear_error_and_leaves_the_last_checkpoint_whole(tmp_path, array, monkeypatch):
    job = small_job(tmp_path, array)
    with pytest.raises(Interrupted):
        run(job, should_stop=lambda: True)
    before = job.folder.checkpoint.read_bytes()

    def full(path, content):
        with open(path, "wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(UserError, match=r"No space left on device; make room"):
            run(job)
    assert job.folder.checkpoint.read_bytes() == before
    assert not [path for path in job.folder.path.iterdir() if path.name.startswith(".") and path.name != ".lock"]
    assert run(job).state == "finished"


def test_what_a_killed_process_left_half_written_is_removed(tmp_path, array):
    job = small_job(tmp_path, array, samples=4000)
    job.folder.path.mkdir(parents=True)
    half = job.folder.path / ".checkpoint.pt.4711"
    half.write_bytes(b"half")
    run(job)
    assert not half.exists()


def test_a_stale_run_is_computed_anew_and_until_then_kept(tmp_path, array):
    job = small_job(tmp_path, array)
    run(job)
    before, written = curve(job), job.folder.curve.stat().st_mtime_ns
    job.folder.mark_stale()
    assert not job.folder.is_done()
    assert curve(job).equals(before)
    run(job)
    assert job.folder.is_done()
    assert job.folder.curve.stat().st_mtime_ns > written
    pd.testing.assert_frame_equal(curve(job), before, check_exact=True)


def test_waiting_for_another_process_can_be_stopped(tmp_path, array, monkeypatch):
    monkeypatch.setattr(store, "SECONDS_BETWEEN_TRIES", 0.01)
    job = small_job(tmp_path, array)
    looks = iter([False, False, True])
    with job.folder.lock(), pytest.raises(Interrupted):
        run(job, should_stop=lambda: next(looks))


def test_a_checkpoint_of_another_kind_of_device_is_refused(tmp_path, array):
    job = small_job(tmp_path, array)
    with pytest.raises(Interrupted):
        run(job, should_stop=lambda: True)
    state = torch.load(job.folder.checkpoint, weights_only=True)
    train.save(state | {"device": "cuda"}, job.folder.checkpoint)
    with pytest.raises(UserError, match="--device cuda"):
        run(job)


def test_a_garbled_curve_is_an_error_that_names_it(tmp_path, array):
    job = small_job(tmp_path, array)
    run(job)
    for content in ("", "split,samples\n", '"', "a,b\n1,2,3\n"):
        job.folder.curve.write_text(content)
        with pytest.raises(UserError, match=r"curve must be whole; .*curve.csv.*--force"):
            job.folder.read_curve()
