"""An estimate below what log p(x) is known to exceed is not trusted, and one that is right keeps its trust."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from aevb import tuning
from aevb.evaluation import evaluate
from aevb.joint import Joint
from aevb.linear_gaussian import exact_log_marginal, exact_posterior
from aevb.marginal.ais import simulate
from aevb.marginal.appendix_d import appendix_d_log_likelihood
from aevb.marginal.chains import posterior_gaussian
from aevb.marginal.contradiction import distrust, limit_of, log_likelihood_of_pairs, prior_limit
from aevb.marginal.estimate import MarginalEstimate
from aevb.marginal.gaussian import FullGaussian
from aevb.marginal.importance import importance_log_likelihood
from aevb.model import BernoulliModel, DecoderLogVar, GaussianModel, GenerativeModel
from tests.oracles import linear_gaussian

pytestmark = pytest.mark.filterwarnings("ignore::aevb.marginal.estimate.UntrustedEstimateWarning")
Estimator = Callable[..., MarginalEstimate]
POINTS, STD = 40, 0.15


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def planted(n_latent: int, minor: float) -> tuple[Joint, Tensor, Tensor]:
    """Two round modes at ±1 on the first axis, of which the left one has the mass `minor`; log p(x) is x itself."""
    centre = torch.eye(n_latent)[0]

    def log_joint(x: Tensor, z: Tensor) -> Tensor:
        density = -torch.inf
        for sign, mass in ((1, 1 - minor), (-1, minor)):
            mode = -0.5 * ((z - sign * centre) / STD).square().sum(-1)
            density = torch.logaddexp(torch.as_tensor(density), mode + math.log(max(mass, 1e-30)))
        return x[..., 0] + density - n_latent * math.log(STD * math.sqrt(2 * math.pi))

    return Joint(log_joint, n_latent, 1), torch.linspace(-100, -90, POINTS)[:, None], centre


def at(z: Tensor) -> tuning.Chains:
    return tuning.Chains(z.expand(POINTS, -1), torch.full((POINTS,), 0.1), torch.tensor(0))


def by_importance(model: GenerativeModel, x: Tensor, start: Tensor, **how: int) -> MarginalEstimate:
    proposal, _ = posterior_gaussian(model, x, at(start), seeded(), n_samples=100, n_burn_in=30)
    return importance_log_likelihood(model, x, proposal, seeded(1), **how)


def by_appendix_d(model: GenerativeModel, x: Tensor, start: Tensor, **how: int) -> MarginalEstimate:
    settled = posterior_gaussian(model, x, at(start), seeded(), n_samples=2, n_burn_in=30)[1]
    return appendix_d_log_likelihood(model, x, settled, seeded(1), **how)[0]


@pytest.mark.parametrize("estimate", [by_importance, by_appendix_d])
def test_a_chain_in_the_minor_mode_is_not_trusted_and_one_in_the_main_mode_is(estimate: Estimator) -> None:
    model, x, centre = planted(2, 0.02)
    unseen = estimate(model, x, -centre, n_prior=0)
    assert unseen.trusted.double().mean() > 0.9  # the chain alone has nothing to say against it
    assert (unseen.log_likelihood - x[:, 0]).max() < -3
    assert not estimate(model, x, -centre).trusted.any()
    right = estimate(model, x, centre)
    assert right.trusted.double().mean() > 0.9
    assert (right.log_likelihood - x[:, 0])[right.trusted].abs().max() < 1


@pytest.mark.parametrize("estimate", [by_importance, by_appendix_d])
def test_of_a_single_mode_no_draw_from_the_prior_takes_the_trust(estimate: Estimator) -> None:
    model, x, centre = planted(2, 0.0)
    without, found = estimate(model, x, centre, n_prior=0), estimate(model, x, centre)
    assert found.trusted.double().mean() > 0.9
    assert torch.equal(found.trusted, without.trusted)


def test_estimates_by_other_proposals_contradict_one_in_the_minor_mode_whatever_the_number_of_latents() -> None:
    # In ten dimensions no draw from the prior comes near a mode; a second proposal does.
    model, x, centre = planted(10, 0.02)
    spread = 1.2 * STD * torch.eye(10)
    minor, main = (
        importance_log_likelihood(model, x, FullGaussian(sign * centre.expand(POINTS, -1), spread), seeded())
        for sign in (-1, 1)
    )
    assert minor.trusted.all()
    limit = limit_of([minor, main])
    assert not distrust(minor, limit).trusted.any()
    assert distrust(main, limit).trusted.all()


@pytest.mark.parametrize("wider", [1.2, 1.5])
def test_a_limit_is_too_high_for_one_datapoint_in_500_at_most(wider: float) -> None:
    # 0.00135 of a normal law is more than 3 standard errors up; the bound on the count is 4 standard deviations wide.
    oracle = linear_gaussian(2, 6, diagonal_posterior=False)
    x = oracle.simulate(4000, seed=5)
    posterior = exact_posterior(oracle.model, x)
    q = FullGaussian(posterior.mean, wider * posterior.cholesky)
    estimate = importance_log_likelihood(oracle.model, x, q, seeded(), n_prior=0)
    too_high = limit_of([estimate]) > oracle.log_marginal(x)
    assert int(too_high.sum()) <= 8 + 4 * math.sqrt(8)
    assert not (prior_limit(oracle.model, x) > oracle.log_marginal(x)).any()


def test_estimates_side_by_side_contradict_a_q_that_knows_the_minor_mode_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # By each other alone: no draws from the prior.
    monkeypatch.setattr("aevb.marginal.importance.prior_limit", lambda _, x, n: x[:, 0].double() - 1000)
    model, x, centre = planted(2, 0.02)
    few, minor = x[:4], -centre.expand(4, -1)
    found = evaluate(model, few, seeded(), q=lambda x: (minor, torch.full_like(minor, 2 * math.log(STD)))).estimates
    q, chains = (found[f"importance sampling, {name}"] for name in ("q", "chains"))
    assert (q.log_likelihood - few[:, 0]).max() < -3
    assert not q.trusted.any()
    assert chains.trusted.all()
    assert (chains.log_likelihood - few[:, 0]).abs().max() < 0.2


@pytest.mark.parametrize("n_latent", [1, 2, 10, 20])
def test_the_limit_is_below_the_truth_and_near_it_where_the_prior_is_near_the_posterior(n_latent: int) -> None:
    oracle = linear_gaussian(n_latent=n_latent, n_pixels=2 * n_latent + 4, diagonal_posterior=False)
    x, _ = simulate(oracle.model, 200, seeded())
    below = exact_log_marginal(oracle.model, x).detach() - prior_limit(oracle.model, x)
    assert (below > 0).double().mean() > 0.97
    if n_latent <= 2:
        assert below.quantile(0.9) < 0.5


def test_draws_from_the_prior_leave_the_estimate_and_the_generator_alone() -> None:
    oracle = linear_gaussian(n_latent=2, n_pixels=6)
    x, proposal = oracle.simulate(10), FullGaussian(torch.zeros(10, 2).double(), torch.eye(2).double())
    generators = seeded(), seeded()
    found = [
        importance_log_likelihood(oracle.model, x, proposal, generator, n_prior=n)
        for generator, n in zip(generators, (0, 500), strict=True)
    ]
    assert torch.equal(found[0].log_likelihood, found[1].log_likelihood)
    assert torch.equal(*(generator.get_state() for generator in generators))
    assert torch.equal(prior_limit(oracle.model, x), prior_limit(oracle.model, x))
    assert (prior_limit(oracle.model, x, 0) == -math.inf).all()


class Subclass(GaussianModel):
    """A class that nothing is known of: its decoder is evaluated for each datapoint."""


@pytest.mark.parametrize("log_var", ["hidden", "constant"])
def test_a_model_of_another_class_has_the_limit_of_as_many_draws(log_var: DecoderLogVar) -> None:
    ours, other = (
        kind(2, 7, (5,), log_var=log_var, init_std=0.5, generator=seeded()).double()
        for kind in (GaussianModel, Subclass)
    )
    x = torch.rand(9, 7, dtype=torch.float64, generator=seeded(1))
    torch.testing.assert_close(prior_limit(ours, x, 1000), prior_limit(other, x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pairs_have_the_models_log_likelihood(dtype: torch.dtype) -> None:
    x = torch.rand(6, 50, generator=seeded(1)).to(dtype)
    z = torch.randn(8, 3, generator=seeded(2)).to(dtype)
    for model in (
        BernoulliModel(3, 50, (20,), init_std=1.0, generator=seeded()).to(dtype),
        GaussianModel(3, 50, (20,), init_std=1.0, generator=seeded()).to(dtype),
        GaussianModel(3, 50, (20,), init_std=1.0, log_var="constant", generator=seeded()).to(dtype),
    ):
        with torch.no_grad():
            expected = model.log_likelihood(x, z[:, None].expand(-1, 6, -1))
            torch.testing.assert_close(log_likelihood_of_pairs(model, x, z), expected.double(), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_density_that_is_not_finite_contradicts_nobody(value: float) -> None:
    model = Joint(lambda x, z: torch.full(z.shape[:-1], value) + 0 * x[..., 0], 2, 1)
    assert (prior_limit(model, torch.zeros(3, 1), 50) == -math.inf).all()
