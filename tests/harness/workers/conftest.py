"""A scheduler and two workers for the tests of a file."""

import pytest

from tests.dask_cluster import scheduler


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with scheduler(tmp_path_factory.mktemp("dask"), 2) as started:
        yield started
