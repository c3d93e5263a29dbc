"""Imported by the process that others are forked from: runs, for what torch loads only when it is used."""

import tempfile
from pathlib import Path

import torch

from harness.runs.train import run
from tests.support import small_job, write_array

torch.set_num_threads(1)
with tempfile.TemporaryDirectory() as folder:
    array = write_array(Path(folder))
    for method in ("aevb", "wake_sleep", "mcem"):
        measure = "marginal_log_likelihood" if method == "mcem" else "lower_bound"
        run(small_job(Path(folder), array, method=method, measure=measure, samples=100, evaluation_points=10))
