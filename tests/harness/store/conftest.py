"""A run for others to change, and a project without results."""

import pytest

from aevb import shipped
from harness.runs.job import Job
from harness.runs.train import run
from harness.store import notices
from tests.support import small_job


@pytest.fixture
def whole(tmp_path, array) -> Job:
    """A finished run of a store that keeps no checksums."""
    job = small_job(tmp_path, array, samples=4_000, first_point=100)
    run(job)
    (job.folder.path / "checksums.json").unlink()
    return job


@pytest.fixture
def nothing_published(tmp_path, monkeypatch):
    """An empty working folder, and a project that has published nothing yet."""
    monkeypatch.setattr(shipped, "RESULTS", tmp_path / "project")
    monkeypatch.setattr(notices, "_told", set())
    monkeypatch.chdir(tmp_path)
