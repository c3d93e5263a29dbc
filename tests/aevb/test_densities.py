import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from aevb.densities import DiagonalGaussian, bernoulli_log_density, standard_normal_log_density


def random_gaussian(generator: torch.Generator, *shape: int) -> DiagonalGaussian:
    mean, log_var = torch.randn(2, *shape, dtype=torch.float64, generator=generator)
    return DiagonalGaussian(mean, log_var)


def test_gaussian_log_density_agrees_with_scipy(generator):
    q = random_gaussian(generator, 4, 3)
    value = torch.randn(5, 4, 3, dtype=torch.float64, generator=generator)
    expected = norm(q.mean.numpy(), np.exp(0.5 * q.log_var.numpy())).logpdf(value.numpy()).sum(-1)
    np.testing.assert_allclose(q.log_density(value), expected, rtol=1e-12)


def test_standard_normal_log_density_agrees_with_scipy(generator):
    z = torch.randn(5, 4, 3, dtype=torch.float64, generator=generator)
    np.testing.assert_allclose(standard_normal_log_density(z), norm.logpdf(z.numpy()).sum(-1), rtol=1e-12)


@pytest.mark.parametrize(("mean", "log_var"), [(0.0, 0.0), (1.3, -2.0), (-0.4, 1.1)])
def test_kl_agrees_with_quadrature(mean, log_var):
    q = norm(mean, np.exp(0.5 * log_var))
    expected, _ = quad(lambda z: q.pdf(z) * (q.logpdf(z) - norm.logpdf(z)), -15, 15, epsabs=1e-12)
    kl = DiagonalGaussian(*torch.tensor([[mean], [log_var]], dtype=torch.float64)).kl_to_standard_normal()
    assert float(kl) == pytest.approx(expected, abs=1e-9)


def test_reparameterized_draws_have_the_stated_moments(generator):
    q = random_gaussian(generator, 3)
    n = 200_000
    z = q.at(torch.randn(n, 3, dtype=torch.float64, generator=generator))
    std = torch.exp(0.5 * q.log_var)
    assert torch.all((z.mean(0) - q.mean).abs() < 5 * std / n**0.5)
    assert torch.all((z.var(0) / std**2 - 1).abs() < 5 * (2 / n) ** 0.5)


def test_grey_pixels_are_used_as_they_are(generator):
    x = torch.rand(6, 10, dtype=torch.float64, generator=generator)
    logits = 3 * torch.randn(2, 6, 10, dtype=torch.float64, generator=generator)
    y = 1 / (1 + np.exp(-logits.numpy()))
    expected = (x.numpy() * np.log(y) + (1 - x.numpy()) * np.log(1 - y)).sum(-1)
    np.testing.assert_allclose(bernoulli_log_density(x, logits), expected, rtol=1e-12)


def test_certain_pixels_have_finite_log_density():
    logits = torch.tensor([[200.0, -200.0]])
    assert bernoulli_log_density(torch.tensor([[1.0, 0.0]]), logits) == 0
    assert bernoulli_log_density(torch.tensor([[0.0, 1.0]]), logits) == -400
