"""What the first author's library does for appendix D: every move tunes its chain, and a kernel density by its rule."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import gaussian_kde
from torch import Tensor

from aevb import hmc, tuning
from aevb.errors import ArgumentError
from aevb.linear_gaussian import exact_log_marginal
from aevb.marginal.appendix_d import appendix_d_log_likelihood
from aevb.marginal.chains import posterior_gaussian, start_chains
from aevb.marginal.kde import KernelDensity
from tests.oracles import linear_gaussian

ORACLE = linear_gaussian(n_latent=3, n_pixels=8, diagonal_posterior=False)
ignore_untrusted = pytest.mark.filterwarnings("ignore::aevb.marginal.estimate.UntrustedEstimateWarning")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def standard(z: Tensor) -> Tensor:
    return -0.5 * z.square().sum(-1)


def test_a_step_size_counts_accepted_and_rejected_moves() -> None:
    z = torch.randn(200, 3, dtype=torch.float64, generator=seeded())
    step_size = torch.full((200,), 0.5, dtype=torch.float64)
    samples, last = tuning.sample_and_tune(standard, hmc.evaluate(standard, z), step_size, 40, 5, seeded(1))
    power = 2 * samples.n_accepted - 40
    torch.testing.assert_close(last, 0.5 * torch.exp(1.02 * power.double()))
    assert 0.4 < samples.n_accepted.double().mean() / 40 < 0.65  # as many up as down
    assert torch.equal(samples.state.z, samples.z[-1])


def test_the_moments_are_about_those_of_the_target() -> None:
    z = torch.randn(4000, 2, dtype=torch.float64, generator=seeded())
    step_size = torch.full((4000,), 1.0, dtype=torch.float64)
    samples, _ = tuning.sample_and_tune(standard, hmc.evaluate(standard, z), step_size, 60, 5, seeded(1))
    assert samples.z[30:].mean().abs() < 0.02
    assert samples.z[30:].var().item() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("m", [4, 8, 25, 26, 100])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_kernel_density_is_scipys_with_the_factor_that_suits_the_first_half(m: int, n: int) -> None:
    if m // 2 <= n:
        pytest.skip("a half must span all dimensions")
    rng = np.random.default_rng(m)
    samples, value = rng.normal(size=(m, n)) @ rng.normal(size=(n, n)), rng.normal(size=(7, n))

    def density(points: np.ndarray, factor: float) -> gaussian_kde:
        return gaussian_kde(points.T, bw_method=factor)

    factors = [m ** (-1 / (n + 4)) * math.exp((i - 5) / 2) for i in range(10)]
    with np.errstate(divide="ignore"):
        scores = [density(samples[m // 2 :], h).logpdf(samples[: m // 2].T).sum() for h in factors]
    expected = density(samples, factors[int(np.argmax(scores))]).logpdf(value.T)
    found = KernelDensity.fit_scott(torch.tensor(samples)[:, None]).log_density(torch.tensor(value)[:, None])
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-8, atol=1e-8)


@ignore_untrusted
@pytest.mark.parametrize("settled", [True, False])
def test_the_estimate_is_too_high_by_half_a_nat_wherever_the_chains_began(settled: bool) -> None:
    x, generator = ORACLE.simulate(200), seeded()
    chains = start_chains(ORACLE.model, x, generator, n_candidates=1, step_size=1e-3)
    if settled:
        chains = posterior_gaussian(ORACLE.model, x, chains, generator)[1]
    for _ in range(3):
        estimate, moved = appendix_d_log_likelihood(
            ORACLE.model, x, chains, generator, n_leapfrog=5, fit="scott_kde", jitter=0, adapt="every_move"
        )
        assert (moved.step_size != chains.step_size).any()
        chains = moved
    off = estimate.log_likelihood - exact_log_marginal(ORACLE.model, x).detach()
    assert off.nanmean().item() == pytest.approx(0.5, abs=0.3)
    assert off[off.isfinite()].std() < 1.5


def test_jitter_and_unknown_rules_are_refused() -> None:
    x, generator = ORACLE.simulate(4), seeded()
    chains = start_chains(ORACLE.model, x, generator)
    with pytest.raises(ArgumentError, match=r"`jitter` must be 0 .*: give jitter=0"):
        appendix_d_log_likelihood(ORACLE.model, x, chains, generator, adapt="every_move")
    with pytest.raises(ArgumentError, match="`adapt` must be one of"):
        appendix_d_log_likelihood(ORACLE.model, x, chains, generator, adapt="never")  # type: ignore[arg-type]
