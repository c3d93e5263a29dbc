"""Bounds of K draws against exact log p(x), and gradients of φ against what theory says of them."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from aevb.ascent import AscentOptions
from aevb.encoder import GaussianEncoder
from aevb.estimators import LowerBound, lower_bound_a
from aevb.learner import Batch, Noise
from aevb.model import BernoulliModel
from baselines.importance_weighted import ImportanceWeighted, importance_weighted_bound, log_weights
from baselines.reweighted_wake_sleep import ReweightedWakeSleep
from baselines.sticking_the_landing import sticking_the_landing_bound
from tests.oracles import linear_gaussian

ORACLE = linear_gaussian()


def doubly_reparameterized_bound(model, encoder, x, eps) -> Tensor:
    return log_weights(model, encoder, x, eps, doubly_reparameterized=True).logsumexp(0) - math.log(len(eps))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def off_encoder(by: float = 0.2) -> nn.Module:
    """The exact posterior, a little off in mean and spread."""
    encoder = ORACLE.exact_encoder()
    with torch.no_grad():
        encoder.offset.add_(by)
        encoder.log_var.add_(by)
    return encoder


def networks() -> tuple[BernoulliModel, GaussianEncoder, Tensor]:
    seeds = [torch.Generator().manual_seed(seed) for seed in (1, 2, 3)]
    model = BernoulliModel(2, 6, (4,), init_std=0.7, generator=seeds[0]).double()
    encoder = GaussianEncoder(6, 2, (4,), init_std=0.7, generator=seeds[1]).double()
    return model, encoder, (torch.rand(5, 6, generator=seeds[2]) < 0.5).double()


def gradient(bound: LowerBound, model, encoder, x: Tensor, eps: Tensor, of: nn.Module | None = None) -> Tensor:
    """With respect to φ, or of the module's parameters, in one row."""
    parts = torch.autograd.grad(bound(model, encoder, x, eps).sum(), [*(of or encoder).parameters()])
    return torch.cat([part.flatten() for part in parts])


def test_the_bound_rises_with_k_to_the_exact_likelihood() -> None:
    x, encoder = ORACLE.simulate(20), off_encoder()
    exact, means = ORACLE.log_marginal(x), []
    with torch.no_grad():
        for k, repeats in ((1, 4000), (5, 2000), (50, 400), (5000, 20)):
            each = torch.stack(
                [importance_weighted_bound(ORACLE.model, encoder, x, noise(k, 20, 3, seed=s)) for s in range(repeats)]
            )
            means.append((each.mean(0), each.std(0) / math.sqrt(repeats)))
    for (lower, error), (higher, other) in pairwise(means):
        assert (higher - lower).mean() > 3 * torch.hypot(error, other).mean() / math.sqrt(20)
    last, error = means[-1]
    assert ((last - exact).abs() < 3.5 * error + 1e-3).all()  # 1e-3: the bias that K = 5,000 leaves
    assert ((last - exact).mean().abs()) < 3 * error.mean() / math.sqrt(20) + 1e-3


def test_with_one_draw_it_is_estimator_a() -> None:
    model, encoder, x = networks()
    eps = noise(1, 5, 2)
    for other, of in ((importance_weighted_bound, encoder), (importance_weighted_bound, model)):
        torch.testing.assert_close(other(model, encoder, x, eps), lower_bound_a(model, encoder, x, eps))
        torch.testing.assert_close(
            gradient(other, model, encoder, x, eps, of), gradient(lower_bound_a, model, encoder, x, eps, of)
        )
    torch.testing.assert_close(
        gradient(doubly_reparameterized_bound, model, encoder, x, eps),
        gradient(sticking_the_landing_bound, model, encoder, x, eps),
    )


@pytest.mark.parametrize("bound", [sticking_the_landing_bound, doubly_reparameterized_bound])
def test_at_the_exact_posterior_the_gradient_of_phi_vanishes_draw_by_draw(bound: LowerBound) -> None:
    x, exact = ORACLE.simulate(7), ORACLE.exact_encoder()
    for k in (1, 4):
        assert gradient(bound, ORACLE.model, exact, x, noise(k, 7, 3)).abs().max() < 1e-11
    assert gradient(lower_bound_a, ORACLE.model, exact, x, noise(1, 7, 3)).abs().max() > 0.1


@pytest.mark.parametrize(
    ("plain", "other", "k"),
    [
        (importance_weighted_bound, doubly_reparameterized_bound, 3),
        (lower_bound_a, sticking_the_landing_bound, 1),
        (lower_bound_a, sticking_the_landing_bound, 3),
    ],
)
def test_gradients_of_one_bound_agree_in_mean_and_value(plain: LowerBound, other: LowerBound, k: int) -> None:
    model, encoder, x = networks()
    torch.testing.assert_close(
        plain(model, encoder, x, noise(k, 5, 2)), other(model, encoder, x, noise(k, 5, 2)), rtol=0, atol=1e-12
    )
    draws, at_once = 3000, 10  # ten draws for each of the points are one sum
    many = x.repeat(at_once, 1)
    sums = []
    for s in range(draws // at_once):
        eps = noise(k, len(many), 2, seed=s)
        sums.append(gradient(plain, model, encoder, many, eps) - gradient(other, model, encoder, many, eps))
    apart = torch.stack(sums)
    moves = apart.std(0) > 1e-11
    assert moves.sum() > 10
    z = apart.mean(0)[moves] / (apart.std(0)[moves] / math.sqrt(len(apart)))
    assert z.abs().max() < 4.5
    torch.testing.assert_close(
        gradient(plain, model, encoder, x, noise(k, 5, 2), model),
        gradient(other, model, encoder, x, noise(k, 5, 2), model),
    )


def test_the_signal_of_phi_drowns_as_k_grows_unless_it_is_doubly_reparameterized() -> None:
    # Rainforth et al. 2018: the signal-to-noise ratio falls as 1/√K; Tucker et al. 2019: it rises as √K.
    x, encoder = ORACLE.simulate(4), off_encoder(0.3)

    def ratio(bound: LowerBound, k: int) -> float:
        draws = torch.stack([gradient(bound, ORACLE.model, encoder, x, noise(k, 4, 3, seed=s)) for s in range(400)])
        return float((draws.mean(0).abs() / draws.std(0)).mean())

    assert ratio(importance_weighted_bound, 256) < 0.6 * ratio(importance_weighted_bound, 1)
    assert ratio(doubly_reparameterized_bound, 256) > 2 * ratio(doubly_reparameterized_bound, 4)


def test_a_step_reports_the_variational_bound_and_climbs_the_other() -> None:
    model, encoder, x = networks()
    eps = noise(4, 5, 2)
    expected = lower_bound_a(model, encoder, x, eps).detach()
    before = gradient(importance_weighted_bound, model, encoder, x, eps, model)
    learner = ImportanceWeighted(model, encoder, 5, AscentOptions(0.1, 0, prior_weight=0), n_samples=4)
    old = nn.utils.parameters_to_vector(model.parameters()).detach()
    info = learner.step(Batch(x, torch.arange(5)), torch.Generator(), Noise(eps))
    torch.testing.assert_close(info.bound, expected)
    moved = nn.utils.parameters_to_vector(model.parameters()).detach() - old
    torch.testing.assert_close(moved, 0.1 * before / (before.square() + 1e-8).sqrt())


def test_reweighted_wake_sleep_moves_theta_as_the_importance_weighted_bound_does() -> None:
    model, encoder, x = networks()
    eps, moved = noise(6, 5, 2), []
    for algorithm in (ImportanceWeighted, ReweightedWakeSleep):
        model, encoder, x = networks()
        old = nn.utils.parameters_to_vector(model.parameters()).detach()
        learner = algorithm(model, encoder, 5, AscentOptions(0.1, 0), n_samples=6)
        learner.step(Batch(x, torch.arange(5)), torch.Generator(), Noise(eps))
        moved.append(nn.utils.parameters_to_vector(model.parameters()).detach() - old)
    torch.testing.assert_close(*moved)


@pytest.mark.parametrize("sleep", [False, True])
def test_reweighted_wake_sleep_teaches_the_encoder_the_posterior(sleep: bool) -> None:
    x, encoder = ORACLE.simulate(200), off_encoder(0.5)
    learner = ReweightedWakeSleep(
        ORACLE.model, encoder, 200, AscentOptions(0.05, 0, prior_weight=0), n_samples=50, sleep=sleep
    )
    learner._wake.step = lambda *_: None  # θ stays the truth
    generator = torch.Generator().manual_seed(4)
    before = _divergence(encoder, x)
    for _ in range(300):
        learner.step(Batch(x, torch.arange(200)), generator)
    assert before > 0.3
    assert _divergence(encoder, x) < 0.02


def _divergence(encoder: nn.Module, x: Tensor) -> float:
    """Mean KL(p(z|x) ‖ q(z|x)) where both are diagonal Gaussians, nats."""
    mean, covariance = ORACLE.posterior(x)
    q = encoder(x)
    precision = (-q.log_var).exp()
    terms = covariance.diagonal() * precision + (mean - q.mean).square() * precision - 1
    return (0.5 * (terms + q.log_var - covariance.diagonal().log()).sum(-1).mean()).item()
