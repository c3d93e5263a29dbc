"""The linear-Gaussian model's closed forms agree with SciPy's dense ones and with numerical optimisation."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from aevb.linear_gaussian import exact_log_marginal, exact_posterior, probabilistic_pca
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
