"""The linear-Gaussian model, for which log p(x), the posterior and the best parameters have closed forms."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from aevb import checks
from aevb.densities import LOG_2PI
from aevb.encoder import GaussianEncoder
from aevb.errors import ArgumentError
from aevb.marginal.gaussian import FullGaussian
from aevb.model import GaussianModel


def exact_log_marginal(model: GaussianModel, x: Float[Tensor, "batch pixel"]) -> Float[Tensor, " batch"]:
    """Log p(x) = log N(x; b, W Wᵀ + D) in nats, shape (batch,); differentiable in x and in the parameters.

    W and b are the output layer's weight and bias, D = diag(σ²). Only latent × latent matrices are factorised
    (Woodbury's identity), so that images are no larger a problem than a few pixels.

    Raises:
        ArgumentError: the model is not linear-Gaussian.
    """
    scaled, precision, residual = _parts(model, x)
    log_var = model.log_var.bias
    cholesky = torch.linalg.cholesky(precision)
    white = torch.linalg.solve_triangular(cholesky, (residual @ scaled).T, upper=False)
    squared = (residual.square() * torch.exp(-log_var)).sum(-1) - white.square().sum(0)
    log_det = log_var.sum() + 2 * cholesky.diagonal().log().sum()
    return -0.5 * (squared + log_det + model.n_pixels * LOG_2PI)


def exact_posterior(model: GaussianModel, x: Float[Tensor, "batch pixel"]) -> FullGaussian:
    """p(z|x) = N(S Wᵀ D⁻¹ (x − b), S) with S = (I + Wᵀ D⁻¹ W)⁻¹, as a density to draw from.

    Raises:
        ArgumentError: the model is not linear-Gaussian.
    """
    scaled, precision, residual = _parts(model, x)
    covariance = torch.linalg.inv(precision)
    return FullGaussian(residual @ scaled @ covariance, torch.linalg.cholesky(covariance))


def exact_encoder(model: GaussianModel) -> GaussianEncoder:
    """The posterior as an encoder without hidden layers, where its covariance is diagonal.

    So it is for orthogonal columns of W and one σ² for all pixels, as `probabilistic_pca` has them.
    """
    origin = torch.zeros(1, model.n_pixels, dtype=torch.float64, device=model.output.bias.device)
    with torch.no_grad():
        posterior = exact_posterior(model, torch.cat([origin, torch.eye(model.n_pixels).to(origin)]))
        encoder = GaussianEncoder(model.n_pixels, model.n_latent, ()).to(origin)
        encoder.mean.bias.copy_(posterior.mean[0])
        encoder.mean.weight.copy_((posterior.mean[1:] - posterior.mean[0]).T)
        encoder.log_var.weight.zero_()
        encoder.log_var.bias.copy_(2 * posterior.cholesky.diagonal().log())
    return encoder


def probabilistic_pca(x: Float[Tensor, "n pixel"], n_latent: int) -> GaussianModel:
    """The linear-Gaussian model with one σ² for all pixels that makes x most likely, in closed form and in float64.

    With the eigenvalues λ₁ ≥ λ₂ ≥ … and eigenvectors U of the covariance of x:
    σ² = mean of λ_i for i > n_latent, W = U (Λ − σ² I)^½, b = mean of x.

    Raises:
        ArgumentError: `n_latent` is not between 0 and the number of pixels, or x varies in no more than n_latent
            directions, so that σ² would be 0 and the likelihood infinite.

    Source: Tipping & Bishop 1999, "Probabilistic principal component analysis", section 3.2.
    """
    if x.ndim != 2 or len(x) < 2 or not bool(x.isfinite().all()):
        raise ArgumentError(f"`x` must be two or more finite rows of pixels, got shape {tuple(x.shape)}: choose others")
    n, n_pixels = x.shape
    if not 0 < n_latent < n_pixels:
        raise ArgumentError(
            f"`n_latent` must be between 1 and {n_pixels - 1}, got {n_latent}: it must leave room for noise"
        )
    x = x.detach().double()
    mean = x.mean(0)
    _, singular, directions = torch.linalg.svd(x - mean, full_matrices=False)
    eigenvalues = singular.square() / n
    noise_var = eigenvalues[n_latent:].sum().item() / (n_pixels - n_latent)
    if noise_var <= 1e-12 * eigenvalues[0].item():
        raise ArgumentError(
            f"x must vary in more than `n_latent` directions, got {n_latent} that explain it all: "
            "use fewer latents or more datapoints"
        )
    model = GaussianModel(n_latent, n_pixels, (), log_var="constant", squash_mean=False).double()
    model.to(x.device)
    with torch.no_grad():
        model.output.weight.copy_(directions[:n_latent].T * (eigenvalues[:n_latent] - noise_var).clamp(min=0).sqrt())
        model.output.bias.copy_(mean)
        model.log_var.bias.fill_(math.log(noise_var))
    return model


def _parts(model: GaussianModel, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """D⁻¹ W, the posterior precision I + Wᵀ D⁻¹ W, and x − b."""
    if len(model.hidden) or model.squash_mean or model.log_var_input != "constant":
        raise ArgumentError(
            "`model` must be linear-Gaussian, got hidden layers, a squashed mean or a variance that depends on z: "
            'build it with hidden=(), log_var="constant", squash_mean=False'
        )
    checks.pixels(model, x)
    weight = model.output.weight
    scaled = weight * torch.exp(-model.log_var.bias)[:, None]
    identity = torch.eye(model.n_latent, dtype=weight.dtype, device=weight.device)
    return scaled, identity + scaled.T @ weight, x - model.output.bias
