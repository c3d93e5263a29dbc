"""Draws that are made of Gamma variables, of any shape, against closed forms, the density and laws."""

import mpmath as mp
import numpy as np
import pytest
import torch

from aevb.reparameterization import composition, inverse_cdf
from aevb.reparameterization.gamma_quantile import log_quantile
from aevb.reparameterization.inverse_cdf import uniform_noise
from tests.families import DTYPES


@DTYPES
@pytest.mark.parametrize("n", [2, 3, 10])
def test_dirichlet_draws_lie_on_the_simplex_for_any_shape(n, dtype, generator):
    limits = torch.finfo(dtype)
    exponents = torch.rand(4000, n, dtype=torch.float64, generator=generator)
    low, high = np.log10(limits.smallest_normal), np.log10(limits.max)
    alpha = (10 ** (low + (high - low) * exponents)).to(dtype)
    alpha[::2] = alpha[::2, :1]  # many of one shape, where draws tie or nearly so
    alpha.requires_grad_()
    eps = uniform_noise((4000, n), alpha, generator).requires_grad_()
    z = composition.dirichlet(alpha, eps)
    assert ((z >= 0) & (z <= 1)).all()
    torch.testing.assert_close(z.sum(-1), torch.ones(4000, dtype=dtype), rtol=0, atol=n * limits.eps)
    gradients = torch.autograd.grad(z[:, 0].sum(), [alpha, eps])
    assert all(gradient.isfinite().all() for gradient in gradients)


@DTYPES
@pytest.mark.parametrize("n", [2, 3, 10])
def test_equal_gammas_share_equally_however_small_or_large_their_shape(n, dtype):
    alpha = torch.logspace(-36, 6, 43, dtype=dtype)[:, None].expand(43, n)
    for level in (1e-7, 0.2, 0.5, 1 - 2.0**-24):
        z = composition.dirichlet(alpha, torch.full((43, n), level, dtype=dtype))
        torch.testing.assert_close(z, torch.full_like(z, 1 / n))


def test_a_beta_of_small_shapes_has_the_closed_form(generator):
    # g ~ (Γ(k + 1)·u)^(1/k), so that the ratio of two of one small shape is (u/v)^(1/k).
    shape = torch.tensor(0.01)
    z = composition.beta(shape, shape, torch.tensor([0.3, 0.2]))
    assert z.item() == pytest.approx(1 / (1 + (2 / 3) ** 100), rel=1e-6)
    u, v = uniform_noise((2, 5000), torch.zeros((), dtype=torch.float64), generator)
    for k in (1e-2, 1e-3, 1e-5, 1e-30):
        both = torch.stack([u, v], -1)
        small = (both.log().max(-1).values + 1e-9) / k < -30
        expected = torch.sigmoid((u.log() - v.log()) / k)
        shape = torch.tensor(k, dtype=torch.float64)
        drawn = composition.beta(shape, shape, both)
        torch.testing.assert_close(drawn[small], expected[small], rtol=1e-9, atol=1e-307)


@DTYPES
@pytest.mark.parametrize("exponent", range(-2, 9))
def test_the_erlangs_noise_gradient_is_one_over_the_density(exponent, dtype, generator):
    shape = torch.tensor(10.0**exponent, dtype=dtype)
    eps = uniform_noise((40,), shape, generator)
    eps[:2] = torch.tensor([2.0**-20, 1 - 2.0**-20])
    eps = eps.requires_grad_()
    (found,) = torch.autograd.grad(inverse_cdf.erlang(shape, torch.ones_like(shape), eps).sum(), eps)
    with mp.workdps(40):
        k = mp.mpf(float(shape))
        log_z = log_quantile(shape.double(), eps.detach().double())
        expected = [mp.exp(mp.loggamma(k) - (k - 1) * mp.mpf(float(y)) + mp.exp(mp.mpf(float(y)))) for y in log_z]
    wanted = torch.tensor(
        [float(min(value, mp.mpf(torch.finfo(dtype).max))) for value in expected], dtype=torch.float64
    )
    # In float64 the density itself is known no better than z is: to k·|z − k|/k² roundings.
    tolerance = 2.0**-23 if dtype == torch.float32 else 1e-12 * max(1, 10 ** (exponent / 2 - 2))
    keep = wanted > torch.finfo(dtype).tiny
    torch.testing.assert_close(found.double()[keep], wanted[keep], rtol=tolerance, atol=0)


@pytest.mark.parametrize("exponent", range(5, 16))
def test_large_shapes_are_cornish_and_fishers(exponent):
    # The normal law's quantile x and terms in 1/√k: good to 1e-11 at 10⁵, and to rounding from 10⁶ on.
    rng = np.random.default_rng(exponent)
    shape = torch.as_tensor(10.0 ** (exponent + rng.uniform(size=60)))
    low = torch.as_tensor(2.0 ** -rng.uniform(1, 53, 60))
    for eps, sign in ((low, 1.0), (1 - low, -1.0)):
        x = sign * torch.special.ndtri(torch.where(eps > 0.5, 1 - eps, eps))
        root = shape.sqrt()
        terms = (x * root, (x**2 - 1) / 3, (x**3 - 7 * x) / (36 * root), -(3 * x**4 + 7 * x**2 - 16) / (810 * shape))
        expected = (sum(terms) / shape).log1p() + shape.log()
        torch.testing.assert_close(log_quantile(shape, eps), expected, rtol=0, atol=2e-13 if exponent > 5 else 1e-11)
