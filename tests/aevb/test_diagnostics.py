"""What is told of chains: effective sample sizes of known series, and R-hat where chains disagree."""

from statistics import NormalDist

import numpy as np
import pytest
import torch
from arviz_stats.base import array_stats
from torch import Tensor

from aevb import diagnostics, hmc


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=seeded(seed))


def test_ess_of_an_autoregression_is_the_closed_form() -> None:
    # AR(1) with coefficient a has ESS n·(1 − a)/(1 + a).
    a, n, chains = 0.6, 20_000, 4
    steps = np.random.default_rng(0).standard_normal((n, chains))
    draws = np.zeros((n, chains))
    for t in range(1, n):
        draws[t] = a * draws[t - 1] + steps[t]
    ess = diagnostics.effective_sample_size(torch.from_numpy(draws))
    assert ess == pytest.approx(n * chains * (1 - a) / (1 + a), rel=0.05)


@pytest.mark.parametrize("seed", range(10))
def test_the_reported_ess_of_antithetic_chains_is_that_of_what_changes_slowly(seed: int) -> None:
    # Sides change at every draw, how far out the chain is only slowly: a bulk of more draws than there are.
    rng = np.random.default_rng(seed)
    n, chains = 400, 4
    log_radius = np.zeros((n, chains))
    for t in range(1, n):
        log_radius[t] = 0.98 * log_radius[t - 1] + 0.2 * np.sqrt(1 - 0.98**2) * 5 * rng.standard_normal(chains)
    side = np.where(np.arange(n) % 2, 1.0, -1.0)[:, None] * np.where(rng.uniform(size=(n, chains)) < 0.97, 1, -1)
    z = torch.from_numpy(side * np.exp(log_radius) * (1 + 0.1 * rng.standard_normal((n, chains))))[..., None]
    log_density = -0.5 * z[..., 0].square()
    nothing = torch.zeros(chains, dtype=torch.int64)
    state = hmc.State(z[-1], log_density[-1], -z[-1])
    found = diagnostics.report(hmc.Samples(z, log_density, torch.ones(chains), nothing + n, nothing, state))
    assert found.bulk_ess[0] > n
    assert found.ess[0] <= min(found.tail_ess[0], found.log_density_ess)
    squares = diagnostics.effective_sample_size(z.square())[0]
    assert found.ess[0] < 2 * squares
    assert found.ess[0] < 0.2 * found.bulk_ess[0]


def test_the_reported_ess_of_independent_draws_is_their_number() -> None:
    z = noise(1000, 4, 2)
    nothing = torch.zeros(4, dtype=torch.int64)
    log_density = -0.5 * z.square().sum(-1)
    state = hmc.State(z[-1], log_density[-1], -z[-1])
    found = diagnostics.report(hmc.Samples(z, log_density, torch.ones(4), nothing + 1000, nothing, state))
    assert (found.ess > 0.7 * 4000).all()


def test_r_hat_tells_chains_that_disagree() -> None:
    draws = noise(500, 4, 2)
    draws[:, 0, 1] += 3
    agree, disagree = diagnostics.split_r_hat(draws)
    assert abs(agree - 1) < 0.01
    assert disagree > 1.1


@pytest.mark.parametrize("n", [4, 9, 200])
@pytest.mark.parametrize("chains", [2, 3])
def test_r_hat_of_several_chains_is_that_of_arviz(n: int, chains: int) -> None:
    draws = noise(n, chains, 2, 3).round(decimals=1)  # with ties
    expected = array_stats.rhat(draws.numpy(), chain_axis=1, draw_axis=0, method="rank")
    np.testing.assert_allclose(diagnostics.split_r_hat(draws), expected, rtol=1e-12)


def test_r_hat_of_one_chain_compares_its_halves() -> None:
    # Ranks 1 2 | 3 4 with scores −b −a | a b, b = Φ⁻¹(3.625/4.25), a = Φ⁻¹(2.625/4.25): means ∓(a + b)/2, variances
    # (b − a)²/2 in either half, B/n = (a + b)²/2. Distances from the median are alike in both halves.
    a, b = (NormalDist().inv_cdf((rank - 3 / 8) / 4.25) for rank in (3, 4))
    expected = (1 / 2 + ((a + b) / (b - a)) ** 2) ** 0.5
    draws = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)[:, None]
    assert diagnostics.split_r_hat(draws) == pytest.approx(expected, rel=1e-12)


def test_r_hat_of_single_chains_tells_which_have_moved_on() -> None:
    draws = noise(400, 5, 2)  # a chain for each of five datapoints
    draws[200:, 3, 1] += 3
    draws[200:, 4, 0] *= 9
    r_hat = diagnostics.split_r_hat(draws[:, None])
    assert r_hat.shape == (5, 2)
    assert {tuple(place) for place in np.argwhere(r_hat > 1.1).tolist()} == {(3, 1), (4, 0)}
    assert (r_hat[:3] < 1.02).all()


def test_a_chain_that_moved_only_once_disagrees_with_itself() -> None:
    draws = torch.cat([torch.zeros(50, 1), torch.ones(50, 1)])
    assert diagnostics.split_r_hat(draws) > 1e6
    assert np.isnan(diagnostics.split_r_hat(torch.zeros(100, 1)))
