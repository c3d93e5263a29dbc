"""Each datapoint's own best diagonal Gaussian: what an encoder could reach at most."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from aevb import checks
from aevb.densities import DiagonalGaussian
from aevb.errors import ArgumentError
from aevb.estimators import standard_normal
from aevb.model import GenerativeModel

BETAS = (0.9, 0.99)  # of Adam; the bound's noise changes with q, so that old squares must be forgotten soon


@torch.enable_grad()
def best_gaussian(
    model: GenerativeModel,
    x: Float[Tensor, "batch pixel"],
    start: DiagonalGaussian,
    generator: torch.Generator,
    *,
    n_steps: int = 500,
    n_samples: int = 10,
    step_size: float = 0.1,
) -> DiagonalGaussian:
    """The diagonal Gaussian with the highest bound for each datapoint, θ fixed: Adam on estimator B in μ and log σ².

    μ moves in units of the start's σ, and steps shrink to nothing along a half cosine. What it finds is a lower bound
    of the best: a posterior with several modes may hold it in one that is not the best.

    Args:
        model: p(z) p(x|z); its parameters are not touched.
        x: datapoints.
        start: q to begin with, as the encoder's q(z|x).
        generator: source of the noise.
        n_steps: of Adam.
        n_samples: L, noise samples for each datapoint and step.
        step_size: the first one.

    Returns:
        Mean and log-variance for each datapoint, without gradients.

    Raises:
        ArgumentError: x is not what the model takes, `start` is no q(z|x) of these datapoints, one of them is not
            finite, or a number is out of range.

    Source: Cremer, Li & Duvenaud 2018, "Inference suboptimality in variational autoencoders".
    """
    checks.pixels(model, x)
    checks.whole(1, n_steps=n_steps, n_samples=n_samples)
    checks.number(0, step_size=step_size)
    checks.source(generator)
    checks.kind(DiagonalGaussian, "give an encoder's q(z|x), say", start=start)
    checks.moments("start", start, (len(x), model.n_latent))
    checks.same("start", start.mean, x)
    checks.same("start", start.log_var, x)
    if not bool(start.mean.isfinite().all()) or not bool(start.log_var.isfinite().all()):
        raise ArgumentError("`start` must be finite, got NaN or infinity: look at what the encoder gives")
    origin, scale = start.mean.detach(), (0.5 * start.log_var.detach()).exp()
    shift = torch.zeros_like(origin).requires_grad_()
    log_var = start.log_var.detach().expand_as(origin).clone().requires_grad_()
    adam = torch.optim.Adam([shift, log_var], lr=step_size, betas=BETAS, maximize=True)
    for step in range(n_steps):
        adam.param_groups[0]["lr"] = 0.5 * step_size * (1 + math.cos(math.pi * step / n_steps))
        q = DiagonalGaussian(origin + scale * shift, log_var)
        eps = standard_normal((n_samples, *origin.shape), x, generator)
        bound = model.log_likelihood(x, q.at(eps)).mean(0) - q.kl_to_standard_normal()
        shift.grad, log_var.grad = torch.autograd.grad(bound.sum(), [shift, log_var])
        adam.step()
    return DiagonalGaussian(origin + scale * shift, log_var).detach()
