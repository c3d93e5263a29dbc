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

    W and b are the output layer's weight and bias, D = diag(σ²). It is a least-squares problem in z: the square in the
    exponent is the smallest |D^−½ (x − b − W z)|² + |z|², and the determinant is |D| |R|² with R of `_whitened`. Formed
    in float64 and rounded once; the difference of large squares that Woodbury's identity makes of it, sharp models
    would lose.

    Raises:
        ArgumentError: the model is not linear-Gaussian.
    """
    basis, triangle, target = _whitened(model, x)
    rest = target - (target @ basis) @ basis.mT
    rest = rest - (rest @ basis) @ basis.mT  # what is left of the first projection, by rounding
    log_det = model.log_var.bias.double().sum() + 2 * triangle.diagonal().abs().log().sum()
    return (-0.5 * (rest.square().sum(-1) + log_det + model.n_pixels * LOG_2PI)).to(x.dtype)


def exact_posterior(model: GaussianModel, x: Float[Tensor, "batch pixel"]) -> FullGaussian:
    """p(z|x) = N(S Wᵀ D⁻¹ (x − b), S) with S = (I + Wᵀ D⁻¹ W)⁻¹, as a density to draw from.

    Raises:
        ArgumentError: the model is not linear-Gaussian.
    """
    mean, cholesky = _posterior(model, x)
    return FullGaussian(mean.to(x.dtype), cholesky.to(x.dtype))


def exact_encoder(model: GaussianModel) -> GaussianEncoder:
    """The posterior as an encoder without hidden layers, of the model's type.

    Its covariance must be diagonal. So it is for orthogonal columns of W and one σ² for all pixels, as
    `probabilistic_pca` has them.

    Raises:
        ArgumentError: the model is not linear-Gaussian, or its posterior's covariance is not diagonal.
    """
    _check(model)
    weight = model.output.weight
    with torch.no_grad():
        origin = torch.zeros(1, model.n_pixels, dtype=weight.dtype, device=weight.device)
        mean, cholesky = _posterior(model, torch.cat([origin, torch.eye(model.n_pixels).to(origin)]))
        std = cholesky.diagonal()
        between = (cholesky / cholesky.square().sum(-1, keepdim=True).sqrt()).tril(-1).abs().max().item()
        if between > 1e-3:
            raise ArgumentError(
                f"`model` must have a posterior of independent latents, got correlations up to {between:.2g}: make the "
                "columns of its weight orthogonal with one variance for all pixels, or take exact_posterior"
            )
        encoder = GaussianEncoder(model.n_pixels, model.n_latent, (), init_std=0.0).to(weight)
        encoder.mean.bias.copy_(mean[0])
        encoder.mean.weight.copy_((mean[1:] - mean[0]).T)
        encoder.log_var.bias.copy_(2 * std.log())
    return encoder


def probabilistic_pca(x: Float[Tensor, "n pixel"], n_latent: int) -> GaussianModel:
    """The linear-Gaussian model with one σ² for all pixels that makes x most likely, in closed form and in float64.

    With the eigenvalues λ₁ ≥ λ₂ ≥ … and eigenvectors U of the covariance of x:
    σ² = mean of λ_i for i > n_latent, W = U (Λ − σ² I)^½, b = mean of x.

    Raises:
        ArgumentError: `n_latent` is not above 0 and below the number of pixels, or x varies in no more than n_latent
            directions, so that σ² would be 0 and the likelihood infinite.

    Source: Tipping & Bishop 1999, "Probabilistic principal component analysis", section 3.2.
    """
    checks.kind(Tensor, "use torch.as_tensor", x=x)
    if x.ndim != 2 or min(x.shape) < 2 or x.is_complex() or not bool(x.isfinite().all()):
        raise ArgumentError(
            f"`x` must be two or more finite rows of two or more pixels, got shape {tuple(x.shape)}: choose others"
        )
    n, n_pixels = x.shape
    checks.whole(1, n_latent=n_latent)
    if not n_latent < n_pixels:
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
    model = GaussianModel(n_latent, n_pixels, (), log_var="constant", squash_mean=False, init_std=0.0).double()
    model.to(x.device)
    with torch.no_grad():
        model.output.weight.copy_(directions[:n_latent].T * (eigenvalues[:n_latent] - noise_var).clamp(min=0).sqrt())
        model.output.bias.copy_(mean)
        model.log_var.bias.fill_(math.log(noise_var))
    return model


def _check(model: GaussianModel) -> None:
    checks.kind(GaussianModel, "make one", model=model)
    if len(model.hidden) or model.squash_mean or model.log_var_input != "constant":
        raise ArgumentError(
            "`model` must be linear-Gaussian, got hidden layers, a squashed mean or a variance that depends on z: "
            'build it with hidden=(), log_var="constant", squash_mean=False'
        )


def _whitened(model: GaussianModel, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """In float64: Q and R of D^−½ W above I, and D^−½ (x − b) beside zeros, shape (batch, pixel + latent)."""
    _check(model)
    checks.pixels(model, x)
    scale = torch.exp(-0.5 * model.log_var.bias.double())
    identity = torch.eye(model.n_latent, dtype=torch.float64, device=x.device)
    basis, triangle = torch.linalg.qr(torch.cat([model.output.weight.double() * scale[:, None], identity]))
    target = (x.double() - model.output.bias.double()) * scale
    return basis, triangle, torch.cat([target, target.new_zeros(len(x), model.n_latent)], 1)


def _posterior(model: GaussianModel, x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean, and lower triangular factor of the covariance R⁻¹ R⁻ᵀ, in float64."""
    basis, triangle, target = _whitened(model, x)
    identity = torch.eye(model.n_latent, dtype=torch.float64, device=x.device)
    inverse = torch.linalg.solve_triangular(triangle, identity, upper=True)
    mean = torch.linalg.solve_triangular(triangle, (target @ basis).mT, upper=True).mT
    factor = torch.linalg.qr(inverse.mT).R.mT
    return mean, factor * factor.diagonal().sign()
