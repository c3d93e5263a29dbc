"""Errors come whole out of a worker process."""

import pickle

import pytest

from aevb.data import DatasetUnavailable
from aevb.errors import DataError, UserError
from harness.workers.schedule import Interrupted, WorkerDied


@pytest.mark.parametrize(
    "error", [UserError("u"), DataError("d"), DatasetUnavailable("m", "r"), WorkerDied("w"), Interrupted()]
)
def test_an_error_survives_the_way_between_processes(error):
    other = pickle.loads(pickle.dumps(error))
    assert (type(other), str(other), vars(other)) == (type(error), str(error), vars(error))
