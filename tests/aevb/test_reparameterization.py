"""Every distribution of the paper's section 2.4 against SciPy's, and its gradients against finite differences."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from aevb.reparameterization import composition, inverse_cdf
from aevb.reparameterization.inverse_cdf import uniform_noise
from aevb.reparameterization.location_scale import elliptical, location_scale
from aevb.reparameterization.table import REPARAMETERIZATIONS, STATEMENTS

N = 20_000
COVARIANCE = np.array([[1.3, -0.4], [-0.4, 0.7]])


@dataclass(frozen=True)
class Truth:
    """Parameters, SciPy's law at them, the noise, and what of a draw has that law.

    Attributes:
        parameters: of the draw.
        law: that the draw must have.
        noise: law of the noise.
        width: noise variables for each draw, 0 for a single one without an axis.
        project: a draw to the variable that has the law.
    """

    parameters: tuple[object, ...]
    law: object
    noise: object = field(default_factory=stats.uniform)
    width: int = 0
    project: Callable[[Tensor], Tensor] = lambda z: z


TRUTHS = {
    ("inverse CDF", "Exponential"): Truth((0.7,), stats.expon(scale=1 / 0.7)),
    ("inverse CDF", "Cauchy"): Truth((-0.4, 1.8), stats.cauchy(-0.4, 1.8)),
    ("inverse CDF", "Logistic"): Truth((0.6, 0.9), stats.logistic(0.6, 0.9)),
    ("inverse CDF", "Rayleigh"): Truth((1.4,), stats.rayleigh(scale=1.4)),
    ("inverse CDF", "Pareto"): Truth((0.8, 2.5), stats.pareto(2.5, scale=0.8)),
    ("inverse CDF", "Weibull"): Truth((1.3, 0.7), stats.weibull_min(0.7, scale=1.3)),
    ("inverse CDF", "Reciprocal"): Truth((0.5, 6.0), stats.reciprocal(0.5, 6.0)),
    ("inverse CDF", "Gompertz"): Truth((0.6, 1.7), stats.gompertz(0.6, scale=1 / 1.7)),
    ("inverse CDF", "Gumbel"): Truth((0.3, 1.2), stats.gumbel_r(0.3, 1.2)),
    ("inverse CDF", "Erlang"): Truth((3.0, 1.6), stats.erlang(3, scale=1 / 1.6)),
    ("location-scale", "Laplace"): Truth((0.5, 1.5), stats.laplace(0.5, 1.5), stats.laplace()),
    ("location-scale", "Elliptical"): Truth(
        ([0.2, -1.0], np.linalg.cholesky(COVARIANCE)),
        stats.norm(0.2 + 2.0, np.sqrt([1, -2] @ COVARIANCE @ [1, -2])),
        stats.norm(),
        2,
        lambda z: z[..., 0] - 2 * z[..., 1],
    ),
    ("location-scale", "Student's t"): Truth((0.5, 1.5), stats.t(4.5, 0.5, 1.5), stats.t(4.5)),
    ("location-scale", "Logistic"): Truth((0.6, 0.9), stats.logistic(0.6, 0.9), stats.logistic()),
    ("location-scale", "Uniform"): Truth((-1.0, 3.0), stats.uniform(-1.0, 3.0)),
    ("location-scale", "Triangular"): Truth((-1.0, 3.0), stats.triang(0.3, -1.0, 3.0), stats.triang(0.3)),
    ("location-scale", "Gaussian"): Truth((0.4, 2.0), stats.norm(0.4, 2.0), stats.norm()),
    ("composition", "Log-Normal"): Truth((0.4, 0.8), stats.lognorm(0.8, scale=np.exp(0.4)), stats.norm()),
    ("composition", "Gamma"): Truth((1.6,), stats.gamma(3, scale=1 / 1.6), width=3),
    ("composition", "Dirichlet"): Truth(([0.7, 1.5, 3.2],), stats.beta(1.5, 3.9), width=3, project=lambda z: z[..., 1]),
    ("composition", "Beta"): Truth((0.7, 2.4), stats.beta(0.7, 2.4), width=2),
    ("composition", "Chi-Squared"): Truth((3.5,), stats.chi2(3.5)),
    ("composition", "F"): Truth((3.5, 6.0), stats.f(3.5, 6.0), width=2),
}
EVERY = pytest.mark.parametrize(
    "row", REPARAMETERIZATIONS, ids=[f"{row.family} {row.distribution}" for row in REPARAMETERIZATIONS]
)


def noise_and_parameters(truth: Truth, n: int, seed: int) -> tuple[Tensor, list[Tensor]]:
    shape = (n, truth.width) if truth.width else (n,)
    noise = torch.as_tensor(truth.noise.rvs(shape, random_state=np.random.default_rng(seed)))
    return noise, [torch.as_tensor(parameter, dtype=torch.float64) for parameter in truth.parameters]


@EVERY
def test_the_draw_has_scipys_distribution(row):
    truth = TRUTHS[row.family, row.distribution]
    noise, parameters = noise_and_parameters(truth, N, seed=1)
    draws = truth.project(row.draw(*parameters, noise))
    # A fixed generator: right or wrong for ever. A fault of 1 % in a parameter would already show in most rows.
    assert stats.kstest(draws.numpy(), truth.law.cdf).pvalue > 0.001


@EVERY
def test_gradients_with_respect_to_every_parameter_agree_with_finite_differences(row):
    truth = TRUTHS[row.family, row.distribution]
    noise, parameters = noise_and_parameters(truth, 6, seed=2)
    leaves = [parameter.requires_grad_() for parameter in parameters]
    assert torch.autograd.gradcheck(lambda *values: row.draw(*values, noise), leaves, atol=1e-6, rtol=1e-4)


@EVERY
def test_gradients_with_respect_to_the_noise_agree_with_finite_differences(row):
    noise, parameters = noise_and_parameters(TRUTHS[row.family, row.distribution], 6, seed=3)
    assert torch.autograd.gradcheck(lambda eps: row.draw(*parameters, eps), noise.requires_grad_(), rtol=1e-4)


@EVERY
def test_the_pathwise_gradient_of_the_mean_is_the_means_gradient(row):
    # d/dλ E[h(z)] = E[dh/dz · dz/dλ], with h bounded so that the Cauchy has a mean too.
    truth = TRUTHS[row.family, row.distribution]
    noise, parameters = noise_and_parameters(truth, N, seed=4)
    each = [p.expand(N, *p.shape).clone().requires_grad_() for p in parameters]
    pathwise = torch.autograd.grad(torch.tanh(truth.project(row.draw(*each, noise))).sum(), each)
    fresh, _ = noise_and_parameters(truth, N, seed=5)
    for k, (parameter, gradient) in enumerate(zip(parameters, pathwise, strict=True)):
        for place in np.ndindex(tuple(parameter.shape)):
            step = torch.zeros_like(parameter)
            step[place] = 0.05
            shifted = [
                torch.tanh(
                    truth.project(row.draw(*parameters[:k], parameter + sign * step, *parameters[k + 1 :], fresh))
                )
                for sign in (1, -1)
            ]
            slope = (shifted[0] - shifted[1]) / 0.1
            drawn = gradient[(slice(None), *place)]
            error = torch.hypot(slope.std(), drawn.std()) / N**0.5
            assert abs(slope.mean() - drawn.mean()) < 4.5 * error + 2e-3


def test_every_distribution_that_the_paper_names_is_there():
    named = {
        "inverse CDF": "Exponential, Cauchy, Logistic, Rayleigh, Pareto, Weibull, Reciprocal, Gompertz, Gumbel, Erlang",
        "location-scale": "Laplace, Elliptical, Student's t, Logistic, Uniform, Triangular, Gaussian",
        "composition": "Log-Normal, Gamma, Dirichlet, Beta, Chi-Squared, F",
    }
    there = [(row.family, row.distribution) for row in REPARAMETERIZATIONS]
    assert there == [(family, name) for family, names in named.items() for name in names.split(", ")]
    assert {row.statement for row in REPARAMETERIZATIONS} == set(STATEMENTS.values())


def test_dirichlet_draws_have_the_known_covariance(generator):
    alpha = torch.tensor([0.7, 1.5, 3.2], dtype=torch.float64)
    draws = composition.dirichlet(alpha, uniform_noise((N, 3), alpha, generator))
    torch.testing.assert_close(draws.sum(-1), torch.ones(N, dtype=torch.float64))
    exact = stats.dirichlet(alpha.numpy()).cov()
    # The standard error of a covariance of variables within [0, 1] is at most 1/√N.
    np.testing.assert_allclose(np.cov(draws.numpy().T), exact, atol=0.25 / N**0.5)


def test_elliptical_draws_of_student_noise_have_a_student_marginal():
    rng = np.random.default_rng(0)
    spherical = rng.standard_normal((N, 2)) / np.sqrt(rng.chisquare(5, (N, 1)) / 5)
    factor = torch.as_tensor(np.linalg.cholesky(COVARIANCE))
    draws = elliptical(torch.zeros(2, dtype=torch.float64), factor, torch.as_tensor(spherical))
    law = stats.t(5, scale=np.sqrt(COVARIANCE[1, 1]))
    assert stats.kstest(draws[:, 1].numpy(), law.cdf).pvalue > 0.001


def test_the_derivative_with_respect_to_a_gamma_shape_is_torchs_implicit_one():
    # torch.distributions differentiates its Gamma draws implicitly, by series and fits good to 5e-4.
    shape = torch.tensor([0.3, 1.0, 2.5, 30.0], dtype=torch.float64, requires_grad=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = torch.distributions.Gamma(shape, torch.ones_like(shape)).rsample()
    (expected,) = torch.autograd.grad(theirs.sum(), shape)
    eps = torch.as_tensor(stats.gamma(shape.detach().numpy()).cdf(theirs.detach().numpy()))
    ours = inverse_cdf.erlang(shape, torch.ones_like(shape), eps)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(torch.autograd.grad(ours.sum(), shape)[0], expected, rtol=1e-3, atol=0)


def test_a_gamma_of_one_exponential_is_exponential(generator):
    rate = torch.tensor([0.5, 2.0])
    eps = uniform_noise((2, 1), rate, generator)
    torch.testing.assert_close(composition.gamma(rate, eps), inverse_cdf.exponential(rate, eps[:, 0]))


def test_uniform_noise_is_inside_the_open_interval(generator):
    for dtype in (torch.float16, torch.float32, torch.float64):
        noise = uniform_noise((100_000,), torch.zeros((), dtype=dtype), generator)
        assert noise.min() > 0
        assert noise.max() < 1


@pytest.mark.parametrize(
    ("draw", "says"),
    [
        (lambda: inverse_cdf.exponential(torch.tensor(0.0), torch.tensor(0.5)), "`rate` must be positive"),
        (lambda: inverse_cdf.erlang(torch.tensor(-1.0), torch.tensor(1.0), torch.tensor(0.5)), "`shape` must be"),
        (lambda: inverse_cdf.gumbel(torch.tensor(0.0), torch.tensor(1.0), torch.tensor(0.0)), "uniform_noise"),
        (lambda: inverse_cdf.reciprocal(torch.tensor(2.0), torch.tensor(1.0), torch.tensor(0.5)), "above `low`, got 1"),
        (lambda: location_scale(torch.tensor(0.0), torch.tensor([1.0, -2.0]), torch.zeros(2)), "finite, got -2"),
        (lambda: elliptical(torch.zeros(2), torch.eye(3), torch.zeros(2)), r"shape \(..., 2, 2\)"),
        (lambda: composition.beta(torch.tensor(1.0), torch.tensor(0.0), torch.full((2,), 0.5)), "must be positive"),
    ],
)
def test_what_is_out_of_range_is_named(draw, says):
    with pytest.raises(ValueError, match=says):
        draw()
