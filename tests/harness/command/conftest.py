"""A stranger's density whose log p(x) is known, and the command that evaluates it."""

import importlib
import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from harness.command import evaluate, waiting


@pytest.fixture
def truth(own_files):
    """Exact log p(x) of the rows in rows.npy, by SciPy."""
    weight = importlib.import_module("factors").Factors().weight.detach().numpy().astype(float)
    noise = np.random.default_rng(1)
    rows = noise.standard_normal((12, 2)) @ weight.T + 0.5 * noise.standard_normal((12, 5))
    np.save(own_files / "rows.npy", rows)
    return multivariate_normal(np.zeros(5), weight @ weight.T + 0.25 * np.eye(5)).logpdf(rows)


@pytest.fixture
def evaluated(capsys, monkeypatch):
    """Status, stdout and stderr of `evaluate` with given arguments, of which a slow machine says no more."""
    monkeypatch.setattr(waiting, "SECONDS_BETWEEN_LINES", math.inf)

    def call(*arguments):
        try:
            status = evaluate.main(arguments)
        except SystemExit as leaving:
            status = leaving.code
        said = capsys.readouterr()
        return status, said.out, said.err

    return call
