"""An estimate that cannot be trusted says so: non-finite densities, stuck chains, poor proposals, too many latents."""

import math
import warnings

import pytest
import torch
from torch import Tensor

from aevb import hmc, tuning
from aevb.densities import DiagonalGaussian, standard_normal_log_density
from aevb.linear_gaussian import exact_posterior
from aevb.marginal.ais import ais_log_likelihood, reverse_ais_log_likelihood
from aevb.marginal.annealing import Annealing, sigmoidal_schedule
from aevb.marginal.appendix_d import PosteriorFit, _plug_in, appendix_d_log_likelihood
from aevb.marginal.chains import posterior_gaussian, start_chains
from aevb.marginal.estimate import UntrustedEstimateWarning, log_mean
from aevb.marginal.gaussian import FullGaussian
from aevb.marginal.importance import importance_log_likelihood
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


@pytest.mark.parametrize("fit", ["shrunk_kde", "scott_kde", "full"])
def test_an_estimate_far_above_all_that_log_p_of_x_can_be_is_none(fit: PosteriorFit) -> None:
    # p(x|z) = 1/e for all z, and a chain whose first half stays where it is in one row, and whose second half leaves.
    normal = torch.randn(2, 25, 40, 3, generator=seeded(), dtype=torch.float64)
    normal[0, :, 7] *= 0.05
    estimate = _plug_in(fit, *(draws(half) for half in normal))
    assert estimate.log_likelihood.isnan().nonzero()[:, 0].tolist() == [7]
    assert not estimate.trusted[7]
    assert (estimate.log_likelihood[torch.arange(40) != 7] + 1).abs().max() < 4  # noise upwards is no reason


def draws(z: Tensor) -> hmc.Samples:
    log_density = standard_normal_log_density(z) - 1
    some = torch.ones(z.shape[1], dtype=torch.int64)
    return hmc.Samples(z, log_density, some.double(), some, 0 * some, hmc.State(z[-1], log_density[-1], z[-1]))


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


def test_importance_estimates_with_a_large_error_are_not_trusted() -> None:
    x = ORACLE.simulate(200)
    exact = exact_posterior(ORACLE.model, x)
    wide = FullGaussian(exact.mean, 3 * exact.cholesky)
    with pytest.warns(UntrustedEstimateWarning):
        estimate = importance_log_likelihood(ORACLE.model, x, wide, seeded(), n_samples=100)
    assert (estimate.standard_error[estimate.trusted] < 0.3).all()
    assert (estimate.ess[~estimate.trusted] < 30).all()
