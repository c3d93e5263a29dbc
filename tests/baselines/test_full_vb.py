"""Full variational Bayes against a model whose evidence and whose posterior over θ are known."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from aevb.ascent import AscentOptions
from aevb.encoder import GaussianEncoder
from aevb.errors import ArgumentError
from aevb.estimators import lower_bound_b
from aevb.learner import Batch, Noise
from aevb.model import BernoulliModel, GaussianModel
from baselines.full_vb import FullVariationalBayes

N, PIXELS, NOISE = 40, 3, 0.5


def unknown_means() -> tuple[GaussianModel, GaussianEncoder, Tensor]:
    """x = b + 0.5·noise with b ~ N(0, I) alone unknown; z says nothing, and q(z|x) is its prior."""
    model = GaussianModel(1, PIXELS, (), log_var="constant", squash_mean=False).double()
    encoder = GaussianEncoder(PIXELS, 1, ()).double()
    with torch.no_grad():
        for parameter in (*model.parameters(), *encoder.parameters()):
            parameter.zero_()
        model.log_var.bias.fill_(2 * np.log(NOISE))
    for parameter in model.parameters():
        parameter.requires_grad_(parameter is model.output.bias)
    rng = np.random.default_rng(0)
    return model, encoder, torch.as_tensor(rng.standard_normal(PIXELS) + NOISE * rng.standard_normal((N, PIXELS)))


@pytest.fixture(scope="module")
def trained() -> tuple[FullVariationalBayes, GaussianModel, Tensor]:
    model, encoder, x = unknown_means()
    learner = FullVariationalBayes(model, encoder, N, AscentOptions(0.3, 0), n_samples=1, weight_std=0.3)
    generator = torch.Generator().manual_seed(1)
    for step_size in (0.3, 0.02):
        learner._weights._options = learner._spreads._options = AscentOptions(step_size, 0, prior_weight=0.0)
        for _ in range(3000):
            learner.step(Batch(x, torch.arange(N)), generator)
    return learner, model, x


def test_the_bound_is_within_a_tenth_of_a_nat_of_the_exact_evidence(trained) -> None:
    learner, _, x = trained
    covariance = NOISE**2 * np.eye(N) + np.ones((N, N))
    exact = sum(multivariate_normal(np.zeros(N), covariance).logpdf(x[:, pixel].numpy()) for pixel in range(PIXELS))
    bound, error = learner.evidence_bound(x, torch.Generator().manual_seed(2), 4000)
    assert error < 0.05
    assert exact - 0.1 - 3 * error < bound < exact + 3 * error


def test_the_posterior_of_theta_is_the_exact_one(trained) -> None:
    learner, model, x = trained
    variance = 1 / (1 + N / NOISE**2)
    mean = variance * x.sum(0) / NOISE**2
    assert ((model.output.bias.detach() - mean).abs() < 0.3 * variance**0.5).all()
    assert learner._log_vars[0].exp().detach().numpy() == pytest.approx(np.full(PIXELS, variance), rel=0.15)


def small() -> tuple[BernoulliModel, GaussianEncoder, Tensor]:
    seeds = [torch.Generator().manual_seed(seed) for seed in (1, 2, 3)]
    model = BernoulliModel(2, 6, (4,), init_std=0.7, generator=seeds[0]).double()
    encoder = GaussianEncoder(6, 2, (4,), init_std=0.7, generator=seeds[1]).double()
    return model, encoder, (torch.rand(5, 6, generator=seeds[2]) < 0.5).double()


def test_a_step_climbs_the_bounds_own_gradient() -> None:
    model, encoder, x = small()
    learner = FullVariationalBayes(model, encoder, 50, AscentOptions(0.1, 0), weight_std=0.4)
    eps = torch.randn(1, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    zeta = torch.Generator().manual_seed(5)
    means = [p.detach().clone() for p in model.parameters()]
    log_vars = [p.detach().clone() for p in learner._log_vars]
    draws = [torch.randn(p.shape, dtype=torch.float64, generator=zeta) for p in means]

    def objective(values: list[Tensor], spreads: list[Tensor]) -> Tensor:
        """The minibatch's share of the whole bound, by autograd through θ = μ + σ·ζ."""
        drawn = {
            name: mean + (0.5 * spread).exp() * draw
            for (name, _), mean, spread, draw in zip(model.named_parameters(), values, spreads, draws, strict=True)
        }
        hidden = torch.tanh(eps_z @ drawn["hidden.0.weight"].T + drawn["hidden.0.bias"])
        logits = hidden @ drawn["output.weight"].T + drawn["output.bias"]
        likelihood = -torch.nn.functional.binary_cross_entropy_with_logits(
            logits, x.expand_as(logits), reduction="none"
        ).sum()
        kl = sum(-0.5 * (1 + s - m.square() - s.exp()).sum() for m, s in zip(values, spreads, strict=True))
        return likelihood - 5 / 50 * kl

    with torch.no_grad():
        eps_z = encoder(x).at(eps)
    leaves = [p.clone().requires_grad_() for p in (*means, *log_vars)]
    assert {name for name, _ in model.named_parameters()} >= {"output.weight", "output.bias"}
    expected = torch.autograd.grad(objective(leaves[: len(means)], leaves[len(means) :]), leaves)
    learner.step(Batch(x, torch.arange(5)), torch.Generator().manual_seed(5), Noise(eps))
    after = [*model.parameters(), *learner._log_vars]
    for new, old, g in zip(after, (*means, *log_vars), expected, strict=True):
        torch.testing.assert_close(new.detach() - old, 0.1 * g / (g.square() + 1e-8).sqrt())


def test_the_models_parameters_are_the_means_again_whatever_happens() -> None:
    model, encoder, x = small()

    def fails(*_: object) -> Tensor:
        raise RuntimeError("no")

    learner = FullVariationalBayes(model, encoder, 50, AscentOptions(0.1, 0), estimator=fails, weight_std=0.4)
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(RuntimeError, match="no"):
        learner.step(Batch(x, torch.arange(5)), torch.Generator().manual_seed(5))
    assert all(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))


def test_without_spread_and_kl_it_is_plain_ascent_on_the_bound() -> None:
    model, encoder, x = small()
    eps = torch.randn(1, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    g = torch.autograd.grad(lower_bound_b(model, encoder, x, eps).sum(), [*model.parameters()])
    before = [p.detach().clone() for p in model.parameters()]
    learner = FullVariationalBayes(model, encoder, 50, AscentOptions(0.1, 0, prior_weight=0), weight_std=1e-12)
    learner.step(Batch(x, torch.arange(5)), torch.Generator(), Noise(eps))
    for new, old, part in zip(model.parameters(), before, g, strict=True):
        torch.testing.assert_close(new.detach() - old, 0.1 * part / (part.square() + 1e-8).sqrt(), rtol=1e-6, atol=1e-9)


def test_too_few_draws_are_refused() -> None:
    model, encoder, x = small()
    learner = FullVariationalBayes(model, encoder, 50)
    with pytest.raises(ArgumentError, match="n_draws"):
        learner.evidence_bound(x, torch.Generator(), 1)
