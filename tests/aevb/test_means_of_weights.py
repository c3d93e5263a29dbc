"""What estimates make of weights and chains: the log of a mean and its error, the tail's shape, independent draws."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from aevb import diagnostics
from aevb.marginal.estimate import independent_draws, log_mean
from aevb.marginal.importance import tail_shape


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [0.2, 0.5, 1.0])
def test_tail_shape_is_that_of_a_generalised_pareto(shape: float) -> None:
    draws = stats.genpareto(shape).rvs((20_000, 40), random_state=np.random.default_rng(0))
    log_weights = torch.from_numpy(np.log(draws))
    estimated = tail_shape(log_weights.topk(401, dim=0).values, chunk=13)
    # The asymptotic standard error is (1 + k)/√n; the pull towards ½ is of weight 10 in 410.
    expected = (400 * shape + 10 * 0.5) / 410
    assert estimated.mean().item() == pytest.approx(expected, abs=4 * (1 + shape) / math.sqrt(400 * 40))


def test_log_mean_has_the_error_of_the_delta_method() -> None:
    # Log-normal weights: mean e^(σ²/2), squared coefficient of variation e^σ² − 1.
    sigma, n = 0.5, 1000
    log_weights = sigma * torch.randn(n, 2000, dtype=torch.float64, generator=seeded())
    mean, standard_error, ess = log_mean(log_weights)
    truth = math.sqrt(math.expm1(sigma**2) / n)
    assert mean.mean().item() == pytest.approx(sigma**2 / 2, abs=4 * truth / math.sqrt(2000) + truth**2)
    assert mean.std().item() == pytest.approx(truth, rel=4 / math.sqrt(2 * 2000))
    assert standard_error.mean().item() == pytest.approx(truth, rel=0.02)
    assert ess.mean().item() == pytest.approx(n * math.exp(-(sigma**2)), rel=0.01)


def test_log_mean_counts_zero_weights_and_refuses_infinite_ones() -> None:
    log_weights = torch.tensor([[0.0, 0.0, -math.inf], [-math.inf, math.inf, -math.inf]], dtype=torch.float64)
    mean, _, ess = log_mean(log_weights)
    assert mean[0].item() == pytest.approx(-math.log(2))
    assert ess[0].item() == pytest.approx(1)
    assert mean[1].isnan()
    assert mean[2] == -math.inf


def test_independent_draws_of_an_autoregression_are_the_closed_form_and_agree_with_arviz() -> None:
    a, n = 0.7, 4000
    steps = torch.randn(n, 30, dtype=torch.float64, generator=seeded())
    series = [steps[0] / math.sqrt(1 - a * a)]
    for step in steps[1:]:
        series.append(a * series[-1] + step)
    draws = torch.stack(series)
    ours = independent_draws(draws)
    assert ours.mean().item() == pytest.approx(n * (1 - a) / (1 + a), rel=0.1)
    theirs = torch.from_numpy(diagnostics.effective_sample_size(draws[:, None]))
    assert (ours / theirs).log().abs().mean() < 0.15


def test_independent_draws_give_no_credit_for_constants_and_antithetic_chains() -> None:
    alternating = torch.tensor([1.0, -1.0]).repeat(50).double()
    assert independent_draws(torch.stack([torch.full((100,), 0.1).double(), alternating], 1)).tolist() == [1, 100]
