"""The linear-Gaussian model's closed forms agree with SciPy's dense ones and with numerical optimisation."""

import mpmath as mp
import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from aevb.errors import ArgumentError
from aevb.linear_gaussian import exact_encoder, exact_log_marginal, exact_posterior, probabilistic_pca
from aevb.model import GaussianModel
from tests.oracles import linear_gaussian


def test_log_marginal_is_scipys_multivariate_normal() -> None:
    oracle = linear_gaussian(n_latent=3, n_pixels=8, diagonal_posterior=False)
    x = oracle.simulate(50)
    torch.testing.assert_close(exact_log_marginal(oracle.model, x).detach(), oracle.log_marginal(x))


def test_posterior_is_the_oracles_and_bayes_rule_holds() -> None:
    oracle = linear_gaussian(n_latent=3, n_pixels=8, diagonal_posterior=False)
    x = oracle.simulate(20)
    posterior = exact_posterior(oracle.model, x)
    mean, covariance = oracle.posterior(x)
    torch.testing.assert_close(posterior.mean.detach(), mean)
    torch.testing.assert_close((posterior.cholesky @ posterior.cholesky.T).detach(), covariance)
    # log p(x) = log p(x, z) − log p(z|x), whatever z is.
    z = torch.randn(7, 20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    difference = oracle.model.log_joint(x, z) - posterior.log_density(z)
    torch.testing.assert_close(difference.detach(), oracle.log_marginal(x).expand(7, 20))
    np.testing.assert_allclose(
        posterior.log_density(z)[0, 0].item(), multivariate_normal(mean[0], covariance).logpdf(z[0, 0].numpy())
    )


def test_posterior_draws_have_its_moments() -> None:
    oracle = linear_gaussian(diagonal_posterior=False)
    posterior = exact_posterior(oracle.model, oracle.simulate(1))
    n = 20_000
    z = posterior.at(torch.randn(n, 1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))[:, 0]
    mean, covariance = oracle.posterior(oracle.simulate(1))
    assert ((z.mean(0) - mean[0]).abs() < 4 * (covariance.diagonal() / n).sqrt()).all()
    variance = covariance.diagonal()
    error = (4 * (variance[:, None] * variance + covariance.square()) / n).sqrt()
    assert ((z.T.cov() - covariance).abs() < 2 * error).all()


def test_probabilistic_pca_is_a_maximum_of_the_exact_likelihood() -> None:
    oracle = linear_gaussian(n_latent=2, n_pixels=6, diagonal_posterior=False)
    x = oracle.simulate(300)
    model = probabilistic_pca(x, 2)
    best = exact_log_marginal(model, x).sum()
    weight, bias, log_var = torch.autograd.grad(best, [model.output.weight, model.output.bias, model.log_var.bias])
    scale = len(x)
    assert weight.abs().max() < 1e-9 * scale
    assert bias.abs().max() < 1e-9 * scale
    assert log_var.sum().abs() < 1e-9 * scale  # σ² is shared, so that only the sum must vanish
    with torch.no_grad():
        for seed in range(20):
            other = probabilistic_pca(x, 2)
            noise = torch.Generator().manual_seed(seed)
            other.output.weight.add_(0.05 * torch.randn(6, 2, dtype=torch.float64, generator=noise))
            other.output.bias.add_(0.05 * torch.randn(6, dtype=torch.float64, generator=noise))
            assert exact_log_marginal(other, x).sum() < best


def test_probabilistic_pca_finds_the_model_that_made_the_data() -> None:
    oracle = linear_gaussian(n_latent=3, n_pixels=8)  # one σ² for all pixels
    n = 100_000
    model = probabilistic_pca(oracle.simulate(n), 3)
    covariance = (model.output.weight @ model.output.weight.T + model.log_var.bias.exp().diag()).detach().numpy()
    truth = oracle.weight @ oracle.weight.T + np.diag(oracle.noise_var)
    error = np.sqrt((np.outer(truth.diagonal(), truth.diagonal()) + truth**2) / n)
    assert (np.abs(covariance - truth) < 5 * error).all()


def test_probabilistic_pca_works_with_fewer_points_than_pixels() -> None:
    x = torch.randn(10, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    model = probabilistic_pca(x, 3)
    dense = (model.output.weight @ model.output.weight.T + model.log_var.bias.exp().diag()).detach().numpy()
    expected = multivariate_normal(x.mean(0).numpy(), dense).logpdf(x.numpy())
    np.testing.assert_allclose(exact_log_marginal(model, x).detach(), expected)


def test_a_model_with_a_hidden_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="must be linear-Gaussian"):
        exact_log_marginal(GaussianModel(2, 4, (5,), log_var="constant", squash_mean=False), torch.zeros(1, 4))


def test_data_without_noise_is_refused() -> None:
    generator = torch.Generator().manual_seed(0)
    z, weight = (torch.randn(*s, dtype=torch.float64, generator=generator) for s in ((50, 2), (2, 6)))
    x = z @ weight
    with pytest.raises(ValueError, match="vary in more than"):
        probabilistic_pca(x, 2)


def sharp(log_var, spread, dtype):
    """A model whose noise is far below what its latents explain, and points that it has made."""
    noise = torch.Generator().manual_seed(0)
    model = GaussianModel(3, 6, (), log_var="constant", squash_mean=False, generator=noise).to(dtype)
    with torch.no_grad():
        model.output.weight.normal_(generator=noise).mul_(spread)
        model.output.bias.normal_(generator=noise)
        model.log_var.bias.fill_(log_var)
        z, eps = (torch.randn(2, n, dtype=dtype, generator=noise) for n in (3, 6))
        return model.requires_grad_(False), model.output(z) + eps * np.exp(log_var / 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("log_var", [-2, -8, -14, -20, -30])
@pytest.mark.parametrize("spread", [1.0, 30.0, 1000.0])
def test_sharp_models_have_the_log_marginal_and_the_posterior_of_mpmath(spread, log_var, dtype):
    model, x = sharp(log_var, spread, dtype)
    with mp.workdps(80):
        weight, bias = (mp.matrix(part.double().tolist()) for part in (model.output.weight, model.output.bias))
        variance = mp.exp(mp.mpf(log_var))
        covariance = weight * weight.T + variance * mp.eye(6)
        inverse, constant = covariance**-1, mp.log(mp.det(covariance)) + 6 * mp.log(2 * mp.pi)
        rows = [mp.matrix(row.double().tolist()) - bias for row in x]
        logs = [float(-((row.T * inverse * row)[0] + constant) / 2) for row in rows]
        of_z = (mp.eye(3) + weight.T * weight / variance) ** -1
        means = [[float(value) for value in of_z * weight.T * row / variance] for row in rows]
        deviations = [float(mp.sqrt(of_z[k, k])) for k in range(3)]
    rounding = torch.finfo(dtype).eps
    found, expected = exact_log_marginal(model, x).double(), torch.tensor(logs, dtype=torch.float64)
    # How far rounding moves the residual of x, which is computed in float64, in standard deviations of the noise.
    moved = torch.finfo(torch.float64).eps * float(x.abs().max()) / float(mp.sqrt(variance))
    torch.testing.assert_close(found, expected, rtol=rounding, atol=8 * moved)
    posterior = exact_posterior(model, x)
    std = torch.tensor(deviations, dtype=torch.float64)
    off = (posterior.mean.double() - torch.tensor(means, dtype=torch.float64)).abs()
    assert (off <= 1e-6 * std + 4 * rounding * posterior.mean.abs().max()).all()
    torch.testing.assert_close(posterior.cholesky.double().square().sum(-1).sqrt(), std, rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_exact_encoder_is_the_posterior_in_the_models_own_type(dtype):
    oracle = linear_gaussian(n_latent=3, n_pixels=8)
    model, x = oracle.model.to(dtype), oracle.simulate(5).to(dtype)
    q, posterior = exact_encoder(model)(x), exact_posterior(model, x)
    assert q.mean.dtype == dtype
    torch.testing.assert_close(q.mean, posterior.mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close((0.5 * q.log_var).exp()[0].diag(), posterior.cholesky, rtol=1e-4, atol=1e-6)


def test_closed_forms_do_not_draw_from_torchs_own_generator():
    before = torch.get_rng_state()
    oracle = linear_gaussian(n_latent=3, n_pixels=8)
    exact_encoder(oracle.model)
    probabilistic_pca(oracle.simulate(20), 2)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_encoder_of_latents_that_depend_on_each_other_is_refused():
    with pytest.raises(ArgumentError, match="independent latents"):
        exact_encoder(linear_gaussian(n_latent=3, n_pixels=8, diagonal_posterior=False).model)
