"""Runs for others to change, and a project without results."""

import pytest

from aevb import shipped
from harness.runs import train
from harness.runs.job import Job
from harness.runs.train import Interrupted, run
from harness.store import notices
from tests.support import small_job


@pytest.fixture
def finished(tmp_path, array) -> Job:
    """A finished run."""
    job = small_job(tmp_path, array, samples=4_000, first_point=100)
    run(job)
    return job


@pytest.fixture
def stopped(tmp_path, array, monkeypatch) -> Job:
    """The same run half-way, with two checkpoints."""
    job = small_job(tmp_path / "stopped", array, samples=4_000, first_point=100)
    with monkeypatch.context() as patch:
        patch.setattr(train, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
        patch.setattr(train, "SECONDS_OF_A_BURST", 0.0)
        looks = iter(range(60))
        with pytest.raises(Interrupted):
            run(job, should_stop=lambda: next(looks, None) is None)
    assert job.folder.previous_checkpoint.exists()
    return job


@pytest.fixture
def whole(finished) -> Job:
    """A finished run of a store that keeps no checksums."""
    (finished.folder.path / "checksums.json").unlink()
    return finished


@pytest.fixture
def nothing_published(tmp_path, monkeypatch):
    """An empty working folder, and a project that has published nothing yet."""
    monkeypatch.setattr(shipped, "RESULTS", tmp_path / "project")
    monkeypatch.setattr(notices, "_told", set())
    monkeypatch.chdir(tmp_path)
