"""What chains say about hidden and noisy pixels, against exact conditionals and quadrature."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from aevb import restore
from aevb.diagnostics import effective_sample_size
from aevb.errors import ArgumentError
from aevb.model import BernoulliModel
from tests.oracles import linear_gaussian

ORACLE = linear_gaussian(n_latent=3, n_pixels=8, diagonal_posterior=False)
COVARIANCE = ORACLE.weight @ ORACLE.weight.T + np.diag(ORACLE.noise_var)
VISIBLE = torch.arange(8) < 5
X = ORACLE.simulate(6)


def draws(log_likelihood, generator, n_images=6, n_latent=3, n_samples=400):
    shape = (n_images, n_latent)
    return restore.sample_posterior(log_likelihood, shape, generator, n_samples=n_samples, dtype=torch.float64).z


def standard_error(values):
    """Of the mean over draws and chains, values of shape (move, chain, *quantity)."""
    return values.flatten(0, 1).std(0) / torch.as_tensor(effective_sample_size(values)).sqrt()


def conditional():
    """Exact mean, shape (image, hidden), and covariance of the hidden pixels given the visible ones."""
    visible, hidden = VISIBLE.numpy(), ~VISIBLE.numpy()
    gain = COVARIANCE[np.ix_(hidden, visible)] @ np.linalg.inv(COVARIANCE[np.ix_(visible, visible)])
    mean = ORACLE.offset[hidden] + (X.numpy()[:, visible] - ORACLE.offset[visible]) @ gain.T
    return torch.as_tensor(mean), COVARIANCE[np.ix_(hidden, hidden)] - gain @ COVARIANCE[np.ix_(visible, hidden)]


def test_hidden_pixels_have_the_exact_conditional_mean(generator):
    z = draws(partial(restore.pixel_log_likelihood, ORACLE.model, X, VISIBLE), generator)
    with torch.no_grad():
        pixels = ORACLE.model.pixel_mean(z)[..., ~VISIBLE]
    estimate = restore.posterior_mean(ORACLE.model.pixel_mean, z)[:, ~VISIBLE]
    assert ((estimate - conditional()[0]).abs() < 4.5 * standard_error(pixels)).all()


def test_predictive_log_likelihood_is_the_exact_log_density_of_the_hidden_pixels(generator):
    z = draws(partial(restore.pixel_log_likelihood, ORACLE.model, X, VISIBLE), generator)
    of_hidden = partial(restore.pixel_log_likelihood, ORACLE.model, X, ~VISIBLE)
    mean, covariance = conditional()
    exact = [multivariate_normal(m, covariance).logpdf(x) for m, x in zip(mean, X[:, ~VISIBLE], strict=True)]
    with torch.no_grad():
        density = of_hidden(z).exp()
    error = standard_error(density) / density.mean((0, 1))
    assert ((restore.predictive_log_likelihood(of_hidden, z) - torch.tensor(exact)).abs() < 4.5 * error).all()


@pytest.mark.parametrize("noise_std", [0.2, 2.0])
def test_a_denoised_image_is_the_exact_conditional_mean(noise_std, generator):
    y = X + noise_std * torch.randn(X.shape, generator=generator, dtype=torch.float64)
    z = draws(partial(restore.noisy_log_likelihood, ORACLE.model, y, noise_std), generator)
    estimate = partial(restore.denoise, ORACLE.model, y, noise_std)
    gain = COVARIANCE @ np.linalg.inv(COVARIANCE + noise_std**2 * np.eye(8))
    exact = torch.as_tensor(ORACLE.offset + (y.numpy() - ORACLE.offset) @ gain.T)
    with torch.no_grad():
        error = standard_error(estimate(z))
    assert ((restore.posterior_mean(estimate, z) - exact).abs() < 4.5 * error).all()


def bernoulli_model(n_latent=1):
    noise = torch.Generator().manual_seed(1)
    return BernoulliModel(n_latent, 6, (5,), init_std=1.5, generator=noise).double().requires_grad_(False)


def test_hidden_binary_pixels_have_the_mean_that_quadrature_gives(generator):
    model, visible = bernoulli_model(), torch.arange(6) < 3
    x = torch.tensor([[1, 0, 1, 1, 0, 0], [0, 1, 0, 0, 1, 1.0]], dtype=torch.float64)
    seen = partial(restore.pixel_log_likelihood, model, x, visible)
    grid = torch.linspace(-8, 8, 4001, dtype=torch.float64)[:, None, None].expand(-1, 2, 1)
    weight = (seen(grid) - 0.5 * grid[..., 0].square()).softmax(0)
    exact = (weight[..., None] * model.pixel_mean(grid)).sum(0)
    z = draws(seen, generator, 2, 1)
    assert (
        (restore.posterior_mean(model.pixel_mean, z) - exact).abs() < 4.5 * standard_error(model.pixel_mean(z))
    ).all()


def test_all_pixels_together_have_the_models_own_log_likelihood(generator):
    model = bernoulli_model()
    x, z = torch.rand(4, 6, dtype=torch.float64, generator=generator), torch.randn(3, 4, 1, dtype=torch.float64)
    parts = [
        restore.pixel_log_likelihood(model, x, pixels, z) for pixels in (torch.arange(6) < 2, torch.arange(6) >= 2)
    ]
    torch.testing.assert_close(sum(parts), model.log_likelihood(x, z))


def test_a_denoised_binary_pixel_has_an_error_that_the_noisy_one_does_not_foretell(generator):
    """The best linear estimate: its error has mean zero and no correlation with what was seen."""
    model, n, noise_std = bernoulli_model(2), 40_000, 0.5
    z = torch.randn(1, 2, dtype=torch.float64, generator=generator).expand(n, 2)
    x = model.sample_pixels(z, generator)
    y = x + noise_std * torch.randn(x.shape, dtype=torch.float64, generator=generator)
    error = x - restore.denoise(model, y, noise_std, z)
    for moment in (error, error * (y - model.pixel_mean(z))):
        assert (moment.mean(0).abs() < 4 * moment.std(0) / n**0.5).all()


def test_chains_find_both_of_two_equal_modes(generator):
    n, chains = 200, 4

    def two_modes(z):
        return torch.logaddexp(-8 * (z[..., 0] - 1.5).square(), -8 * (z[..., 0] + 1.5).square())

    z = draws(two_modes, generator, n, 1, n_samples=20)
    right = (z[..., 0] > 0).double().mean(0)
    assert right.shape == (chains, n)
    assert abs(right.mean() - 0.5) < 4 * right.std() / (n * chains) ** 0.5


def test_another_kind_of_model_is_refused():
    with pytest.raises(ValueError, match="must be a BernoulliModel or a GaussianModel, got Identity"):
        restore.denoise(torch.nn.Identity(), torch.zeros(1, 2), 1.0, torch.zeros(1, 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("noise_std", [0.0, 1e-30, 1e-8, 0.1, 1e30])
def test_pixels_of_which_the_decoder_is_sure_stay_numbers(noise_std, dtype):
    """The variance m(1 − m) of a sure pixel is 0 in float32, and so is the square of a small noise."""
    model = BernoulliModel(1, 4, ()).to(dtype)
    with torch.no_grad():
        model.output.weight.copy_(torch.tensor([[1.0], [20.0], [200.0], [2000.0]]))
        model.output.bias.zero_()
    y = torch.tensor([[0.7, 1.0, 1.0, 1.0], [0.7, 0.9, 0.0, 0.4]], dtype=dtype)
    z = torch.ones(2, 1, dtype=dtype, requires_grad=True)
    nats = restore.noisy_log_likelihood(model, y, noise_std, z)
    (gradient,) = torch.autograd.grad(nats[0], z)
    assert not nats.isnan().any()
    assert nats[0].isfinite()
    assert gradient.isfinite().all()
    restored = restore.denoise(model, y, noise_std, z.detach())
    assert ((restored >= -1e-6) & (restored <= 1 + 1e-6)).all()
    mean, logits = torch.sigmoid(torch.tensor(1.0)).double(), torch.tensor(1.0).double()
    variance = torch.sigmoid(logits) * torch.sigmoid(-logits)
    expected = mean + variance / (variance + noise_std**2) * (y[0, 0].double() - mean)
    assert restored[0, 0].item() == pytest.approx(expected.item(), rel=1e-6)


def test_what_is_seen_must_be_numbers(generator):
    x = X.clone()
    x[2, 1] = torch.nan
    for seen in (
        partial(restore.pixel_log_likelihood, ORACLE.model, x, VISIBLE),
        partial(restore.noisy_log_likelihood, ORACLE.model, x, 0.1),
    ):
        with pytest.raises(ArgumentError, match="got NaN for image 2"):
            draws(seen, generator)
    hidden = x.clone()
    hidden[2, 1], hidden[2, 6] = 0.0, torch.nan  # what is not seen may be anything
    seen = partial(restore.pixel_log_likelihood, ORACLE.model, hidden, VISIBLE)
    assert draws(seen, generator, n_samples=2).isfinite().all()


def test_a_start_that_is_no_number_is_passed_over():
    def draws(of_second_candidate):
        calls = 0

        def log_likelihood(z):
            nonlocal calls
            calls += 1
            value = -50 * (z - 1).square().sum(-1)
            return torch.full_like(value, of_second_candidate) if calls == 2 else value

        generator = torch.Generator().manual_seed(3)
        return restore.sample_posterior(log_likelihood, (1, 2), generator, n_burn_in=0, n_samples=2).z

    assert torch.equal(draws(torch.nan), draws(-torch.inf))
