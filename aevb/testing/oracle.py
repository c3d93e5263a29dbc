"""A model whose answers are known exactly: the linear-Gaussian model x = W z + b + σ·noise, in float64."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import multivariate_normal
from torch import Tensor, nn

from aevb import checks
from aevb.densities import DiagonalGaussian
from aevb.errors import ArgumentError
from aevb.model import GaussianModel


class FixedEncoder(nn.Module):
    """q(z|x) = N(A (x − b), diag(exp(log_var))): no network, so that it can be the exact posterior."""

    def __init__(self, gain: Tensor, offset: Tensor, log_var: Tensor) -> None:
        super().__init__()
        self.gain, self.offset = nn.Parameter(gain), nn.Parameter(offset)
        self.log_var = nn.Parameter(log_var)

    def forward(self, x: Tensor) -> DiagonalGaussian:
        """q(z|x) for each row of x."""
        mean = (x - self.offset) @ self.gain.T
        return DiagonalGaussian(mean, self.log_var.expand_as(mean))


@dataclass(frozen=True)
class LinearGaussian:
    """A linear-Gaussian model and what is known about it, by NumPy and SciPy alone.

    Attributes:
        model: p(z) p(x|z) = N(z; 0, I) N(x; W z + b, D), D diagonal.
        weight: W, shape (pixel, latent).
        offset: b, shape (pixel,).
        noise_var: the diagonal of D.
    """

    model: GaussianModel
    weight: np.ndarray
    offset: np.ndarray
    noise_var: np.ndarray

    def log_marginal(self, x: Tensor) -> Tensor:
        """Exact log p(x), nats."""
        covariance = self.weight @ self.weight.T + np.diag(self.noise_var)
        return torch.as_tensor(np.atleast_1d(multivariate_normal(self.offset, covariance).logpdf(_array(x))))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Exact mean, shape (n, latent), and covariance, shape (latent, latent), of p(z|x)."""
        scaled = self.weight.T / self.noise_var
        covariance = np.linalg.inv(np.eye(self.weight.shape[1]) + scaled @ self.weight)
        mean = (_array(x) - self.offset) @ (covariance @ scaled).T
        return torch.as_tensor(mean), torch.as_tensor(covariance)

    def exact_encoder(self) -> FixedEncoder:
        """The exact posterior as an encoder; exact only where the posterior covariance is diagonal."""
        scaled = self.weight.T / self.noise_var
        _, covariance = self.posterior(torch.zeros(1, len(self.offset), dtype=torch.float64))
        gain = covariance @ torch.as_tensor(scaled)
        return FixedEncoder(gain, torch.tensor(self.offset), covariance.diagonal().log())

    def simulate(self, n: int, seed: int = 0) -> Tensor:
        """Datapoints from the model, shape (n, pixel)."""
        rng = np.random.default_rng(seed)
        z = rng.standard_normal((n, self.weight.shape[1]))
        noise = rng.standard_normal((n, len(self.offset))) * np.sqrt(self.noise_var)
        return torch.as_tensor(z @ self.weight.T + self.offset + noise)


def linear_gaussian(
    n_latent: int = 3, n_pixels: int = 8, *, diagonal_posterior: bool = True, seed: int = 0
) -> LinearGaussian:
    """A random linear-Gaussian model.

    Args:
        n_latent: size of z.
        n_pixels: size of x.
        diagonal_posterior: the posterior covariance is diagonal, so that a diagonal Gaussian can be the posterior.
        seed: of W, b and D.

    Raises:
        ArgumentError: a size is not positive, or there are more latents than pixels and so no diagonal covariance.
    """
    checks.whole(1, n_latent=n_latent, n_pixels=n_pixels)
    if diagonal_posterior and n_latent > n_pixels:
        raise ArgumentError(
            f"`n_latent` must be at most {n_pixels}, the number of pixels, got {n_latent}: the columns of W are "
            "orthogonal unless diagonal_posterior=False"
        )
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((n_pixels, n_latent))
    noise_var = np.exp(rng.uniform(-1.5, 0.0, n_pixels))
    if diagonal_posterior:
        orthogonal, _ = np.linalg.qr(weight)
        noise_var = np.full(n_pixels, 0.3)
        weight = orthogonal * rng.uniform(0.5, 1.5, n_latent)
    offset = rng.standard_normal(n_pixels)
    model = GaussianModel(n_latent, n_pixels, (), log_var="constant", squash_mean=False, init_std=0.0).double()
    with torch.no_grad():
        model.output.weight.copy_(torch.as_tensor(weight))
        model.output.bias.copy_(torch.as_tensor(offset))
        model.log_var.bias.copy_(torch.as_tensor(np.log(noise_var)))
    return LinearGaussian(model, weight, offset, noise_var)


def _array(x: Tensor) -> np.ndarray:
    return x.detach().cpu().numpy()
