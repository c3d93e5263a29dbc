"""First family: the inverse CDF of uniform noise.

Source: Kingma & Welling 2013, section 2.4, first approach. In every function `eps` is uniform on the open interval
(0, 1), parameters broadcast against it, and the draw is differentiable in the parameters and in the noise. Errors are
`ValueError`: noise or a parameter is out of range.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from scipy.special import gammaincinv
from torch import Tensor
from torch.autograd.function import once_differentiable

from aevb.reparameterization.checks import positive, require, uniform

RELATIVE_STEP = 1e-5  # of the difference that stands for the derivative with respect to a shape


def uniform_noise(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """Noise on the open interval (0, 1), with the type and device of `like`: `torch.rand` can give 0."""
    noise = torch.rand(shape, dtype=like.dtype, device=like.device, generator=generator)
    return noise.clamp(min=torch.finfo(like.dtype).eps / 2)


def exponential(rate: Tensor, eps: Tensor) -> Tensor:
    """−log(1 − ε) / λ."""
    uniform(eps)
    positive(rate=rate)
    return -torch.log1p(-eps) / rate


def cauchy(location: Tensor, scale: Tensor, eps: Tensor) -> Tensor:
    """x₀ + γ·tan(π(ε − ½))."""
    uniform(eps)
    positive(scale=scale)
    return location + scale * torch.tan(math.pi * (eps - 0.5))


def logistic(location: Tensor, scale: Tensor, eps: Tensor) -> Tensor:
    """μ + s·log(ε / (1 − ε))."""
    uniform(eps)
    positive(scale=scale)
    return location + scale * torch.logit(eps)


def rayleigh(scale: Tensor, eps: Tensor) -> Tensor:
    """σ·√(−2·log(1 − ε))."""
    uniform(eps)
    positive(scale=scale)
    return scale * torch.sqrt(-2 * torch.log1p(-eps))


def pareto(minimum: Tensor, shape: Tensor, eps: Tensor) -> Tensor:
    """x_min·(1 − ε)^(−1/α)."""
    uniform(eps)
    positive(minimum=minimum, shape=shape)
    return minimum * torch.exp(-torch.log1p(-eps) / shape)


def weibull(scale: Tensor, shape: Tensor, eps: Tensor) -> Tensor:
    """λ·(−log(1 − ε))^(1/k)."""
    uniform(eps)
    positive(scale=scale, shape=shape)
    return scale * (-torch.log1p(-eps)) ** (1 / shape)


def reciprocal(low: Tensor, high: Tensor, eps: Tensor) -> Tensor:
    """a·(b/a)^ε, whose density on (a, b) is proportional to 1/z."""
    uniform(eps)
    positive(low=low)
    require("high", high, high > low, "above `low`")
    return low * (high / low) ** eps


def gompertz(shape: Tensor, rate: Tensor, eps: Tensor) -> Tensor:
    """log(1 − log(1 − ε)/η) / b, from the CDF 1 − exp(−η(e^{bz} − 1))."""
    uniform(eps)
    positive(shape=shape, rate=rate)
    return torch.log1p(-torch.log1p(-eps) / shape) / rate


def gumbel(location: Tensor, scale: Tensor, eps: Tensor) -> Tensor:
    """μ − β·log(−log ε)."""
    uniform(eps)
    positive(scale=scale)
    return location - scale * torch.log(-torch.log(eps))


def erlang(shape: Tensor, rate: Tensor, eps: Tensor) -> Tensor:
    """P⁻¹(k, ε) / λ, P the regularised lower incomplete gamma function.

    Note:
        The Erlang distribution is the Gamma of whole k, but nothing here needs k to be whole: this is the Gamma of
        any shape, differentiable in it. P⁻¹ has no closed form; SciPy finds it by iteration.
    """
    uniform(eps)
    positive(shape=shape, rate=rate)
    return _GammaQuantile.apply(shape, eps) / rate


class _GammaQuantile(torch.autograd.Function):
    """P⁻¹(k, ε), computed in float64 on the CPU."""

    @staticmethod
    def forward(ctx: Any, shape: Tensor, eps: Tensor) -> Float[Tensor, "*batch"]:
        z = _quantile(shape, eps)
        ctx.save_for_backward(shape, eps, z)
        return z

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        shape, eps, z = ctx.saved_tensors
        # ∂P⁻¹/∂k has no closed form either: a central difference, at an error of about 1e-10.
        step = RELATIVE_STEP * shape.double()
        slope = (_quantile(shape.double() + step, eps.double()) - _quantile(shape.double() - step, eps.double())) / step
        log_density = torch.special.xlogy(shape - 1, z) - z - torch.lgamma(shape)
        to_shape, to_eps = gradient * 0.5 * slope.to(gradient.dtype), gradient * torch.exp(-log_density)
        return to_shape.sum_to_size(shape.shape), to_eps.sum_to_size(eps.shape)


def _quantile(shape: Tensor, eps: Tensor) -> Tensor:
    z = gammaincinv(shape.detach().double().cpu().numpy(), eps.detach().double().cpu().numpy())
    return torch.as_tensor(z, dtype=eps.dtype, device=eps.device)
