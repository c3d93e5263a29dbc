"""The error that AIS states from the spread of its log weights, against weights whose law is known."""

import math
import warnings

import numpy as np
import pytest
import torch

from aevb.marginal.ais import CONFIDENCE, _estimate, spread_of_logs
from aevb.marginal.annealing import Run
from aevb.marginal.estimate import log_mean
from aevb.testing.law import seeded


@pytest.mark.parametrize("n_chains", [2, 4, 16])
@pytest.mark.parametrize("n_datapoints", [1, 2, 20, 1000])
def test_no_datapoint_is_given_less_than_a_95_percent_limit_of_the_variance_that_all_share(
    n_chains: int, n_datapoints: int
) -> None:
    generator, tries, variance = seeded(0), 500, 0.04
    logs = variance**0.5 * torch.randn(tries, n_chains, n_datapoints, dtype=torch.float64, generator=generator)
    enough = [bool((spread_of_logs(each)[0] >= variance).all()) for each in logs]
    error = (CONFIDENCE * (1 - CONFIDENCE) / tries) ** 0.5
    assert np.mean(enough) == pytest.approx(CONFIDENCE, abs=4 * error)


def test_a_few_datapoints_with_far_larger_variances_leave_that_of_the_others() -> None:
    logs = 0.2 * torch.randn(16, 100, dtype=torch.float64, generator=seeded(0))
    logs[:, :10] *= 10
    spread, _ = spread_of_logs(logs)
    assert spread[10:].min() < 0.06


@pytest.mark.parametrize("spread", [1.0, 1.5, 2.0, 3.0])
def test_ais_weights_that_are_spread_have_an_error_that_covers_the_truth(spread: float) -> None:
    # Log-normal weights of mean 1, as many as AIS has chains.
    log_weights = spread * torch.randn(16, 4000, dtype=torch.float64, generator=seeded(0)) - spread**2 / 2
    run = Run(log_weights, torch.ones(5, 4000), torch.zeros(4000, dtype=torch.int64))
    estimate = _estimate("AIS", [run], sign=1)
    covered = (estimate.log_likelihood.abs() < 2 * estimate.standard_error).double().mean()
    assert covered > 0.9
    wrong = estimate.trusted & (estimate.log_likelihood.abs() > 1)
    assert wrong.double().mean() < 0.01
    assert (estimate.standard_error >= log_mean(log_weights)[1]).all()
    alone = [
        _estimate("AIS", [Run(log_weights[:, [n]], torch.ones(5, 1), torch.zeros(1, dtype=torch.int64))], sign=1)
        for n in range(300)
    ]
    errors = torch.cat([each.standard_error for each in alone])
    assert (torch.cat([each.log_likelihood for each in alone]).abs() < 2 * errors).double().mean() > 0.9


@pytest.mark.parametrize(("share", "spread"), [(0.5, 0.5), (0.75, 0.5), (0.75, 1.0), (0.95, 1.0)])
def test_chains_of_ais_that_are_lost_do_not_take_the_trust_but_widen_the_error(share: float, spread: float) -> None:
    # Weights of mean 1: log-normal ones, or, for chains that ended in a mode of no mass, e^−1000.
    log_weights = spread * torch.randn(16, 4000, dtype=torch.float64, generator=seeded(0)) - spread**2 / 2
    lost = torch.rand(16, 4000, generator=seeded(1)) > share
    log_weights = torch.where(lost, -1000.0, log_weights - math.log(share))
    estimate = _estimate("AIS", [Run(log_weights, torch.ones(5, 4000), torch.zeros(4000, dtype=torch.int64))], sign=1)
    assert estimate.trusted.double().mean() > 0.9
    off, error = estimate.log_likelihood[estimate.trusted].abs(), estimate.standard_error[estimate.trusted]
    assert (off > 1).double().mean() < 0.02
    assert (off < 2 * error).double().mean() > 0.9
    assert error.mean() < 3 * off.square().mean().sqrt()


def test_a_trusted_estimate_of_ais_has_two_chains_that_count() -> None:
    log_weights = torch.full((16, 5), -1000.0, dtype=torch.float64)
    log_weights[0] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimate = _estimate("AIS", [Run(log_weights, torch.ones(5, 5), torch.zeros(5, dtype=torch.int64))], sign=1)
    assert not estimate.trusted.any()
    assert (estimate.standard_error == math.inf).all()
