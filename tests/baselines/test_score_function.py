"""The score-function gradient against exact gradients and exact variances."""

import math

import pytest
import torch

from aevb.aevb import AEVB
from aevb.ascent import AscentOptions
from aevb.densities import LOG_2PI, DiagonalGaussian
from aevb.encoder import GaussianEncoder
from aevb.estimators import evaluate_lower_bound, lower_bound_a, lower_bound_b, standard_normal
from aevb.learner import Batch
from aevb.model import BernoulliModel, GaussianModel
from baselines.score_function import ScoreFunction, leave_one_out, no_baseline, score_function_bound
from tests.oracles import linear_gaussian

N = 20_000


def score(baseline):
    return lambda model, encoder, x, eps: score_function_bound(model, encoder, x, eps, baseline)


def constant(f):
    return -12.0


ESTIMATORS = {
    "naive": (score(no_baseline), 1),
    "naive, L = 3": (score(no_baseline), 3),
    "constant baseline": (score(constant), 1),
    "leave one out": (score(leave_one_out), 3),
    "reparameterization A": (lower_bound_a, 1),
    "reparameterization B": (lower_bound_b, 1),
}


def gradients(estimator, model, q, x, eps):
    """Of each of n independent estimates with respect to the moments of q: shape (n, batch, 2·latent)."""
    n_samples, n = eps.shape[:2]
    moments = [moment.detach().repeat(n, 1).requires_grad_() for moment in (q.mean, q.log_var.expand_as(q.mean))]
    bound = estimator(model, lambda _: DiagonalGaussian(*moments), x.repeat(n, 1), eps.reshape(n_samples, -1, 3))
    return torch.cat(torch.autograd.grad(bound.sum(), moments), -1).reshape(n, len(x), -1)


def exact_bound(oracle, q, x):
    """E_q[log p(x|z)] − KL in closed form."""
    weight, noise_var = torch.as_tensor(oracle.weight), torch.as_tensor(oracle.noise_var)
    squared = (x - torch.as_tensor(oracle.offset) - q.mean @ weight.T).square() + q.log_var.exp() @ weight.T.square()
    return -0.5 * (LOG_2PI + noise_var.log() + squared / noise_var).sum(-1) - q.kl_to_standard_normal()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_mean_gradient_is_that_of_the_exact_bound(name, generator):
    estimator, n_samples = ESTIMATORS[name]
    oracle = linear_gaussian()
    x = oracle.simulate(2)
    posterior = oracle.exact_encoder()(x)
    moments = [(posterior.mean + 0.3).detach().requires_grad_(), (posterior.log_var + 0.4).detach().requires_grad_()]
    q = DiagonalGaussian(*moments)
    exact = torch.cat(torch.autograd.grad(exact_bound(oracle, q, x).sum(), moments), -1)
    eps = standard_normal((n_samples, N, 2, 3), x, generator)
    drawn = gradients(estimator, oracle.model, q, x, eps)
    assert torch.all((drawn.mean(0) - exact).abs() < 4.5 * drawn.std(0) / N**0.5)


@pytest.mark.parametrize("baseline", [0.0, -2.5])
def test_the_variance_in_one_dimension_is_the_exact_one(baseline, generator):
    # f is a quadratic a₀ + a₁ε + a₂ε², and the score ε/σ for μ and ½(ε² − 1) for log σ².
    w, b, noise_var, x, mu, log_var = 1.3, 0.2, 0.5, 1.1, 0.4, -0.7
    var, r = math.exp(log_var), x - b - w * mu
    a0 = -0.5 * (mu**2 + r**2 / noise_var + LOG_2PI + math.log(noise_var) - log_var) - baseline
    a1 = math.sqrt(var) * (r * w / noise_var - mu)
    a2 = 0.5 * (1 - var - w**2 * var / noise_var)
    # Moments of ε: E ε² = 1, E ε⁴ = 3, E ε⁶ = 15, E ε⁸ = 105.
    exact_mean = torch.tensor([a1 / math.sqrt(var), a2], dtype=torch.float64)
    to_mu = (a0**2 + 3 * (a1**2 + 2 * a0 * a2) + 15 * a2**2 - a1**2) / var
    to_log_var = 0.25 * (2 * a0**2 + 10 * a1**2 + 20 * a0 * a2 + 78 * a2**2) - a2**2
    exact = torch.tensor([to_mu, to_log_var], dtype=torch.float64)

    model = GaussianModel(1, 1, (), log_var="constant", squash_mean=False).double()
    with torch.no_grad():
        model.output.weight.fill_(w)
        model.output.bias.fill_(b)
        model.log_var.bias.fill_(math.log(noise_var))
    n = 400_000
    eps = torch.randn(1, n, 1, dtype=torch.float64, generator=generator)
    moments = [torch.full((n, 1), value, dtype=torch.float64, requires_grad=True) for value in (mu, log_var)]
    bound = score_function_bound(
        model, lambda _: DiagonalGaussian(*moments), torch.full((n, 1), x).double(), eps, lambda f: baseline
    )
    drawn = torch.cat(torch.autograd.grad(bound.sum(), moments), -1)
    assert torch.all((drawn.mean(0) - exact_mean).abs() < 4.5 * drawn.std(0) / n**0.5)
    squared = (drawn - exact_mean).square()
    assert torch.all((squared.mean(0) - exact).abs() < 4.5 * squared.std(0) / n**0.5)
    assert torch.all(squared.std(0) / n**0.5 < 0.04 * exact), "the test would see an error of a fifth"


def networks(generator):
    model = BernoulliModel(2, 9, (6,), init_std=0.7, generator=generator).double()
    encoder = GaussianEncoder(9, 2, (6,), zero_log_var=False, init_std=0.7, generator=generator).double()
    return model, encoder, torch.rand(5, 9, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("baseline", [no_baseline, constant, leave_one_out])
def test_the_value_and_the_gradient_for_theta_are_estimator_as(baseline, generator):
    model, encoder, x = networks(generator)
    eps = standard_normal((4, 5, 2), x, generator)
    bound, expected = score_function_bound(model, encoder, x, eps, baseline), lower_bound_a(model, encoder, x, eps)
    torch.testing.assert_close(bound, expected, rtol=0, atol=1e-12)
    theta = list(model.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(bound.sum(), theta), torch.autograd.grad(expected.sum(), theta), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_no_draw_enters_its_own_leave_one_out_baseline(generator):
    f = torch.randn(4, 3, dtype=torch.float64, generator=generator)
    other = f.clone()
    other[1] += 7
    changed = leave_one_out(other) - leave_one_out(f)
    torch.testing.assert_close(changed[1], torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-14)
    torch.testing.assert_close(changed[0], torch.full((3,), 7 / 3, dtype=torch.float64))


def test_leave_one_out_needs_another_draw():
    with pytest.raises(ValueError, match="L of at least 2, got 1"):
        leave_one_out(torch.zeros(1, 3))


def test_the_running_baseline_knows_earlier_minibatches_only(generator):
    # With the same draws, the first step is that without a baseline and the second is not.
    model, encoder, x = networks(generator)
    bounds = []
    for with_baseline in (False, True):
        noise = torch.Generator().manual_seed(1)
        weights = torch.Generator().manual_seed(2)
        model, encoder, _ = networks(weights)
        learner = ScoreFunction(model, encoder, 5, AscentOptions(0.1, warm_up=0), with_baseline=with_baseline)
        steps = [learner.step(Batch(x, torch.arange(5)), noise).bound for _ in range(3)]
        bounds.append(torch.stack(steps))
    torch.testing.assert_close(bounds[0][:2], bounds[1][:2], rtol=0, atol=0)
    assert not torch.allclose(bounds[0][2], bounds[1][2])


def test_the_running_baseline_is_a_weighted_mean():
    learner = ScoreFunction(*networks(torch.Generator().manual_seed(0))[:2], 5, with_baseline=True)
    for value in (1.0, 2.0, 4.0):
        learner._running.add(torch.tensor(value))
    assert float(learner._running(torch.zeros(1))) == pytest.approx((0.81 + 0.9 * 2 + 4) / (0.81 + 0.9 + 1))


def fit(learner, x, noise, steps):
    for _ in range(steps):
        learner.step(Batch(x, torch.arange(len(x))), noise)
    return evaluate_lower_bound(learner.model, learner.encoder, x, torch.Generator().manual_seed(0)).mean()


@pytest.mark.parametrize("n_samples", [1, 5])
def test_with_a_baseline_it_learns_as_far_as_aevb_on_a_small_problem(n_samples, generator):
    x = (torch.rand(40, 9, dtype=torch.float64, generator=generator) < 0.15).double()
    options = AscentOptions(0.05, warm_up=0)
    before, ends = [], []
    for cls, more in ((AEVB, {}), (ScoreFunction, {"with_baseline": True})):
        model, encoder, _ = networks(torch.Generator().manual_seed(2))
        learner = cls(model, encoder, 40, options, n_samples=n_samples, **more)
        before.append(fit(learner, x, generator, 0))
        ends.append(fit(learner, x, generator, 400))
    assert ends[0] > before[0] + 1
    assert abs(ends[0] - ends[1]) < 0.2


def test_a_learner_restored_from_its_state_goes_on_bit_for_bit(generator):
    _, _, x = networks(generator)
    first, second = (
        ScoreFunction(*networks(torch.Generator().manual_seed(seed))[:2], 5, with_baseline=True) for seed in (1, 2)
    )
    fit(first, x, generator, 3)
    second.load_state_dict(first.state_dict())
    ends = [fit(learner, x, torch.Generator().manual_seed(3), 120) for learner in (first, second)]
    assert ends[0] == ends[1]
