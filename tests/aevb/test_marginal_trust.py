"""An estimate that cannot be trusted says so: non-finite densities, stuck chains, poor proposals, too many latents."""

import math
import warnings

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from aevb import diagnostics, tuning
from aevb.densities import DiagonalGaussian
from aevb.linear_gaussian import exact_posterior
from aevb.marginal.ais import _estimate, ais_log_likelihood, reverse_ais_log_likelihood
from aevb.marginal.annealing import Annealing, Run, sigmoidal_schedule
from aevb.marginal.appendix_d import appendix_d_log_likelihood
from aevb.marginal.chains import posterior_gaussian, start_chains
from aevb.marginal.estimate import UntrustedEstimateWarning, independent_draws, log_mean
from aevb.marginal.gaussian import FullGaussian
from aevb.marginal.importance import importance_log_likelihood, tail_shape
from aevb.marginal.kde import KernelDensity
from aevb.model import GaussianModel
from tests.oracles import linear_gaussian

ORACLE = linear_gaussian(n_latent=3, n_pixels=8, diagonal_posterior=False)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Broken(GaussianModel):
    """The oracle, but for the datapoints whose first pixel is over 100: their log-likelihood is `value`."""

    value = math.nan

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        good = super().log_likelihood(x.clamp(max=100), z)
        return torch.where(x[..., 0] > 100, self.value, good)


def broken_at(row: int, value: float, n: int = 20) -> tuple[Broken, Tensor, Tensor]:
    model = Broken(3, 8, (), log_var="constant", squash_mean=False).double()
    model.load_state_dict(ORACLE.model.state_dict())
    model.value = value
    x = ORACLE.simulate(n)
    exact = ORACLE.log_marginal(x)
    x[row, 0] = 1000
    return model, x, exact


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_importance_sampling_reports_a_density_that_is_not_finite(value: float) -> None:
    model, x, exact = broken_at(3, value)
    posterior = exact_posterior(ORACLE.model, x.clamp(max=100))
    with pytest.warns(UntrustedEstimateWarning, match=r"1 of 20 .*\(1 are NaN"):
        estimate = importance_log_likelihood(model, x, posterior, seeded(), n_samples=40)
    assert estimate.log_likelihood[3].isnan()
    assert int(estimate.n_non_finite[3]) == 40
    others = torch.arange(20) != 3
    assert estimate.trusted.equal(others)
    assert estimate.n_non_finite[others].sum() == 0
    torch.testing.assert_close(estimate.log_likelihood[others], exact[others])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_appendix_d_reports_a_density_that_is_not_finite(value: float) -> None:
    model, x, _ = broken_at(3, value)
    chains = posterior_gaussian(ORACLE.model, x.clamp(max=100), start_chains(ORACLE.model, x, seeded()), seeded())[1]
    with pytest.warns(UntrustedEstimateWarning):
        estimate, moved = appendix_d_log_likelihood(model, x, chains, seeded(), n_samples=100)
    assert estimate.log_likelihood[3].isnan()
    assert estimate.standard_error[3] == math.inf
    assert (estimate.ess[3], estimate.acceptance[3]) == (0, 0)
    assert estimate.n_non_finite[3] >= 100
    assert not estimate.trusted[3]
    others = torch.arange(20) != 3
    assert estimate.log_likelihood[others].isfinite().all()
    assert estimate.trusted[others].double().mean() > 0.8
    assert moved.z.isfinite().all()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_ais_reports_a_density_that_is_not_finite(value: float) -> None:
    model, x, exact = broken_at(3, value)
    annealing = Annealing(sigmoidal_schedule(100))
    z = exact_posterior(ORACLE.model, x.clamp(max=100)).mean.detach()
    with pytest.warns(UntrustedEstimateWarning):
        lower = ais_log_likelihood(model, x, seeded(), annealing)
    with pytest.warns(UntrustedEstimateWarning):
        upper = reverse_ais_log_likelihood(model, x, z, seeded(), annealing)
    others = torch.arange(20) != 3
    for estimate in (lower, upper):
        assert not estimate.log_likelihood[3].isfinite()
        assert not estimate.trusted[3]
        assert estimate.n_non_finite[3] > 0
    assert ((lower.log_likelihood - exact)[others].abs() < 4 * lower.standard_error[others]).all()


def test_a_chain_that_accepts_nothing_has_no_estimate() -> None:
    x = ORACLE.simulate(20)
    chains = posterior_gaussian(ORACLE.model, x, start_chains(ORACLE.model, x, seeded()), seeded())[1]
    step_size = chains.step_size.clone()
    step_size[7] = 50.0  # far beyond stability
    with pytest.warns(UntrustedEstimateWarning):
        estimate, _ = appendix_d_log_likelihood(
            ORACLE.model, x, chains._replace(step_size=step_size), seeded(), n_burn_in=0, n_samples=200
        )
    assert estimate.log_likelihood.isnan().nonzero()[:, 0].tolist() == [7]
    assert estimate.acceptance[7] < 1e-6
    assert not estimate.trusted[7]
    assert estimate.standard_error[7] == math.inf


def test_a_gaussian_fitted_to_a_stuck_chain_is_no_proposal() -> None:
    x = ORACLE.simulate(5)
    chains = start_chains(ORACLE.model, x, seeded(), step_size=1e-1)
    chains = chains._replace(step_size=torch.tensor([0.3, 0.3, 1e6, 0.3, 0.3], dtype=torch.float64))
    proposal, _ = posterior_gaussian(ORACLE.model, x, chains, seeded(), n_burn_in=0)
    with pytest.warns(UntrustedEstimateWarning, match="1 of 5"):
        estimate = importance_log_likelihood(ORACLE.model, x, proposal, seeded(), n_samples=200)
    assert estimate.log_likelihood.isnan().tolist() == [False, False, True, False, False]


def test_a_proposal_narrower_than_the_posterior_is_found_out() -> None:
    x = ORACLE.simulate(50)
    posterior = exact_posterior(ORACLE.model, x)
    narrow = FullGaussian(posterior.mean, 0.4 * posterior.cholesky)
    with pytest.warns(UntrustedEstimateWarning) as caught:
        estimate = importance_log_likelihood(ORACLE.model, x, narrow, seeded(), n_samples=2000)
    assert len(caught) == 1
    assert estimate.trusted.double().mean() < 0.2
    off = (estimate.log_likelihood - ORACLE.log_marginal(x)).abs() > 3 * estimate.standard_error
    assert off.double().mean() > 0.05  # rightly so: its errors are not honest


def test_a_proposal_that_misses_the_posterior_is_found_out() -> None:
    x = ORACLE.simulate(20)
    away = DiagonalGaussian(exact_posterior(ORACLE.model, x).mean.detach() + 3, torch.full((20, 3), -1.0).double())
    with pytest.warns(UntrustedEstimateWarning):
        estimate = importance_log_likelihood(ORACLE.model, x, away, seeded())
    assert not estimate.trusted.any()


def test_appendix_d_is_not_trusted_in_many_dimensions() -> None:
    oracle = linear_gaussian(n_latent=5, n_pixels=12)
    x = oracle.simulate(10)
    with pytest.warns(UntrustedEstimateWarning, match="10 of 10"):
        appendix_d_log_likelihood(oracle.model, x, start_chains(oracle.model, x, seeded()), seeded())


def test_trusted_estimates_do_not_warn() -> None:
    x = ORACLE.simulate(5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        importance_log_likelihood(ORACLE.model, x, exact_posterior(ORACLE.model, x), seeded(), n_samples=50)


def test_the_best_of_many_prior_draws_is_nearer_to_the_posterior() -> None:
    x = ORACLE.simulate(100)
    one, many = (start_chains(ORACLE.model, x, seeded(), n_candidates=n, chunk=700).z for n in (1, 500))
    mean, _ = ORACLE.posterior(x)
    assert (many - mean).norm(dim=1).mean() < 0.5 * (one - mean).norm(dim=1).mean()
    candidates = torch.randn(1, 100, 3, dtype=torch.float64, generator=seeded())
    assert torch.equal(one, candidates[0])


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


@pytest.mark.parametrize("shrink", [False, True])
def test_a_kernel_density_integrates_to_one(shrink: bool) -> None:
    z = torch.randn(30, 4, 2, dtype=torch.float64, generator=seeded()) * torch.tensor([0.5, 3.0])
    density = KernelDensity.fit(z, shrink=shrink)
    wide = DiagonalGaussian(z.mean(0), (4 * z.var(0)).log())
    value = wide.at(torch.randn(100_000, 4, 2, dtype=torch.float64, generator=seeded(1)))
    weights = (density.log_density(value) - wide.log_density(value)).exp()
    assert ((weights.mean(0) - 1).abs() < 4 * weights.std(0) / math.sqrt(100_000)).all()


def test_a_kernel_density_keeps_two_modes_apart_and_a_gaussian_whole() -> None:
    noise = torch.randn(200, 1, 1, dtype=torch.float64, generator=seeded())
    mode = torch.tensor([4.0, -4.0]).double().repeat(100)[:, None, None]  # in turn: each half sees both
    split, whole = (KernelDensity.fit(z, shrink=True) for z in (0.3 * noise + mode, noise))
    assert split.bandwidth.item() < 0.3
    assert whole.bandwidth.item() > 0.5
    log_density = split.log_density(torch.tensor([0.0, 4.0]).double()[:, None, None])
    assert log_density[1, 0] - log_density[0, 0] > 4


def test_kernels_and_gaussians_on_too_few_distinct_samples_are_nan() -> None:
    z = torch.randn(20, 2, 3, dtype=torch.float64, generator=seeded())
    z[:, 1] = z[0, 1]
    for fitted in (KernelDensity.fit(z), FullGaussian.fit(z)):
        log_density = fitted.log_density(z)
        assert log_density[:, 0].isfinite().all()
        assert log_density[:, 1].isnan().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_latent", [1, 3, 10, 20])
def test_draws_that_do_not_span_the_space_have_no_density(n_latent: int, dtype: torch.dtype) -> None:
    z = 1 + 1e-3 * torch.randn(n_latent + 1, 50, n_latent, dtype=dtype, generator=seeded())
    assert FullGaussian.fit(z).cholesky.isfinite().double().mean() > 0.9
    one_less = z[:-1].repeat_interleave(3, 0)
    assert FullGaussian.fit(one_less).cholesky.isnan().all()
    assert FullGaussian.fit(one_less, diagonal=True).cholesky.isfinite().all() == (n_latent > 1)


def test_a_singular_fit_gives_no_estimate_rather_than_an_absurd_one() -> None:
    oracle = linear_gaussian(n_latent=10, n_pixels=20)
    x = oracle.simulate(20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrustedEstimateWarning)
        for fit in ("kde", "shrunk_kde", "full"):
            estimate, _ = appendix_d_log_likelihood(
                oracle.model, x, start_chains(oracle.model, x, seeded()), seeded(1), n_samples=20, fit=fit
            )
            assert estimate.log_likelihood.isnan().all()
            assert not estimate.trusted.any()


def test_chains_of_other_datapoints_are_refused() -> None:
    x = ORACLE.simulate(5)
    chains = tuning.Chains(torch.zeros(4, 3).double(), torch.tensor(0.1).double(), torch.tensor(0))
    with pytest.raises(ValueError, match="start them for these datapoints"):
        appendix_d_log_likelihood(ORACLE.model, x, chains, seeded())


@pytest.mark.parametrize("betas", [[0.0, 0.5], [0.1, 1.0], [0.0, 0.5, 0.5, 1.0], [1.0, 0.0]])
def test_a_schedule_that_does_not_rise_from_zero_to_one_is_refused(betas: list[float]) -> None:
    with pytest.raises(ValueError, match="must rise from 0 to 1"):
        Annealing(torch.tensor(betas))


@pytest.mark.parametrize("n", [16, 100, 1000])
def test_a_small_ess_makes_the_stated_error_large_and_one_weight_makes_it_infinite(n: int) -> None:
    # One weight of e^t among n − 1 equal ones: the larger it is, the less is known.
    log_weights = torch.zeros(n, 60, dtype=torch.float64)
    log_weights[0] = torch.linspace(math.log(n) - 2, 80, 60)
    _, error, ess = log_mean(log_weights)
    assert (ess[1:] <= ess[:-1]).all()
    assert (error[1:] >= error[:-1]).all()
    assert error[-1] > 10
    assert error[(ess - 1).abs() < 1e-3].min() > 3
    torch.testing.assert_close(log_mean(torch.zeros(n, 1).double())[1], torch.zeros(1).double())
    alone = torch.full((n, 1), -math.inf, dtype=torch.float64)
    alone[0] = 0
    assert log_mean(alone)[1] == math.inf


@pytest.mark.parametrize("spread", [1.0, 1.5, 2.0, 3.0])
def test_ais_weights_that_are_spread_have_an_error_that_covers_the_truth(spread: float) -> None:
    # Log-normal weights of mean 1, as many as AIS has chains.
    log_weights = spread * torch.randn(16, 4000, dtype=torch.float64, generator=seeded()) - spread**2 / 2
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


def test_importance_estimates_with_a_large_error_are_not_trusted() -> None:
    x = ORACLE.simulate(200)
    exact = exact_posterior(ORACLE.model, x)
    wide = FullGaussian(exact.mean, 3 * exact.cholesky)
    with pytest.warns(UntrustedEstimateWarning):
        estimate = importance_log_likelihood(ORACLE.model, x, wide, seeded(), n_samples=100)
    assert (estimate.standard_error[estimate.trusted] < 0.3).all()
    assert (estimate.ess[~estimate.trusted] < 30).all()


@pytest.mark.parametrize(("share", "spread"), [(0.5, 0.5), (0.75, 0.5), (0.75, 1.0), (0.95, 1.0)])
def test_chains_of_ais_that_are_lost_do_not_take_the_trust_but_widen_the_error(share: float, spread: float) -> None:
    # Weights of mean 1: log-normal ones, or, for chains that ended in a mode of no mass, e^−1000.
    log_weights = spread * torch.randn(16, 4000, dtype=torch.float64, generator=seeded()) - spread**2 / 2
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
