"""The best diagonal Gaussian against that of a linear-Gaussian model, where it is known."""

import pytest
import torch

from aevb.best_gaussian import best_gaussian
from aevb.densities import DiagonalGaussian
from aevb.encoder import GaussianEncoder
from aevb.errors import ArgumentError
from aevb.estimators import lower_bound_b
from aevb.model import BernoulliModel
from tests.oracles import linear_gaussian


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("diagonal", [True, False])
def test_it_is_the_known_best_one_of_a_linear_gaussian_model(diagonal: bool) -> None:
    oracle = linear_gaussian(diagonal_posterior=diagonal)
    x = oracle.simulate(30)
    mean, covariance = oracle.posterior(x)
    precision = torch.linalg.inv(covariance)
    start = DiagonalGaussian(
        mean + 1.5 * covariance.diagonal().sqrt(), (4 * covariance.diagonal()).log().expand_as(mean)
    )
    best = best_gaussian(oracle.model, x, start, seeded(1), n_steps=600)
    # KL(q ‖ N(m, C)) is least at the mean m and the variances 1 / (C⁻¹)_ii.
    assert ((best.mean - mean) / covariance.diagonal().sqrt()).abs().max() < 0.1
    assert (best.log_var + precision.diagonal().log()).abs().max() < 0.15
    least = 0.5 * (precision.diagonal().log().sum() + torch.logdet(covariance))
    assert (least > 1e-3) != diagonal
    eps = torch.randn(20_000, 30, 3, dtype=torch.float64, generator=seeded(2))
    with torch.no_grad():
        bound = lower_bound_b(oracle.model, lambda _: best, x, eps)
    off = (oracle.log_marginal(x) - least - bound).mean()
    assert -0.01 < off < 0.02


def test_it_is_better_than_an_encoder_that_knows_nothing_and_leaves_the_model_alone() -> None:
    model = BernoulliModel(2, 6, (4,), init_std=1.5, generator=seeded(1)).double()
    encoder = GaussianEncoder(6, 2, (4,), init_std=0.01, generator=seeded(2)).double()
    x = (torch.rand(50, 6, generator=seeded(3)) < 0.5).double()
    before = [p.detach().clone() for p in model.parameters()]
    best = best_gaussian(model, x, encoder(x), seeded(4), n_steps=200)
    assert not best.mean.requires_grad
    eps = torch.randn(2000, 50, 2, dtype=torch.float64, generator=seeded(5))
    with torch.no_grad():
        gain = lower_bound_b(model, lambda _: best, x, eps) - lower_bound_b(model, encoder, x, eps)
    assert gain.mean() > 0.05
    assert gain.min() > -0.05
    assert all(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))
    assert all(p.grad is None for p in model.parameters())


def test_nonsense_is_refused() -> None:
    oracle = linear_gaussian()
    with pytest.raises(ArgumentError, match="n_steps"):
        best_gaussian(
            oracle.model, oracle.simulate(2), DiagonalGaussian(*torch.zeros(2, 2, 3).double()), seeded(), n_steps=0
        )
