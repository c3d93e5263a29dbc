"""What stops a run is stored or reported, and costs nothing that was computed."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from aevb.errors import DataError, UserError
from harness.runs import run as run_module
from harness.runs.train import Interrupted, run, run_together
from harness.store import locks
from harness.store.tensors import save
from tests.support import SMALL, curve, small_job


def test_a_diverging_run_is_stored_as_such_with_its_finite_points(tmp_path, array):
    protocol = SMALL + "+decoder=gaussian+decoder_log_var=hidden"
    job = small_job(tmp_path, array, protocol, step_size=1e30, warm_up=550)
    status = run(job)
    assert status.state == "diverged"
    assert "no longer finite" in status.message
    table = curve(job)
    assert len(table) == 3
    assert np.isfinite(table["lower_bound"]).all()
    assert run(job) == replace(job.folder.status(), steps=0), "nothing is computed again"
    assert curve(job).equals(table)


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


def test_of_runs_that_are_computed_together_all_are_interrupted_not_the_one_that_was_at_work_alone(
    tmp_path, array, monkeypatch
):
    jobs = [small_job(tmp_path, array, samples=2_000, seed=seed) for seed in range(3)]
    run(replace(jobs[0], samples=1_000))
    begun = []

    def choose(config, *_):
        begun.append(config.seed)
        if len(begun) == 2:
            raise Interrupted
        return 0.05

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "choose_step_size", choose)
        with pytest.raises(Interrupted):
            run_together(jobs)
    states = [job.folder.status() for job in jobs]
    assert [status.state for status in states] == ["interrupted"] * 3
    assert {status.state for status in run_together(jobs)} == {"finished"}


def test_what_a_killed_process_left_half_written_is_removed(tmp_path, array):
    job = small_job(tmp_path, array, samples=4000)
    halves = [job.folder.path / ".checkpoint.pt.4711", job.folder.path / "models" / ".1000.pt.4711"]
    for half in halves:
        half.parent.mkdir(parents=True, exist_ok=True)
        half.write_bytes(b"half")
    run(job)
    assert not any(half.exists() for half in halves)


def test_a_stale_run_is_computed_anew_and_until_then_kept(tmp_path, array):
    job = small_job(tmp_path, array)
    run(job)
    before, written = curve(job), job.folder.curve.stat().st_mtime_ns
    job.folder.mark_stale()
    assert not job.is_done()
    assert curve(job).equals(before)
    run(job)
    assert job.is_done()
    assert job.folder.curve.stat().st_mtime_ns > written
    pd.testing.assert_frame_equal(curve(job), before, check_exact=True)


def test_waiting_for_another_process_can_be_stopped(tmp_path, array, monkeypatch):
    monkeypatch.setattr(locks, "SECONDS_BETWEEN_TRIES", 0.01)
    job = small_job(tmp_path, array)
    looks = iter([False, False, True])
    with job.folder.lock(), pytest.raises(Interrupted):
        run(job, should_stop=lambda: next(looks))


def test_a_checkpoint_of_another_kind_of_device_is_refused(tmp_path, array):
    job = small_job(tmp_path, array)
    with pytest.raises(Interrupted):
        run(job, should_stop=lambda: True)
    state = torch.load(job.folder.checkpoint, weights_only=True)
    save(state | {"device": "cuda"}, job.folder.checkpoint)
    with pytest.raises(UserError, match="--device cuda"):
        run(job)
