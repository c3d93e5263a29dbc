"""A run for others to change."""

import pytest

from harness.runs.job import Job
from harness.runs.train import run
from tests.support import small_job


@pytest.fixture
def whole(tmp_path, array) -> Job:
    """A finished run of a store that keeps no checksums."""
    job = small_job(tmp_path, array, samples=4_000, first_point=100)
    run(job)
    (job.folder.path / "checksums.json").unlink()
    return job
