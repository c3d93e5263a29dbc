"""Third family: transformations of variables that are reparameterized themselves.

Source: Kingma & Welling 2013, section 2.4, third approach.

Note:
    A Gamma variable as a sum of exponentials needs a whole shape, with respect to which there is no gradient. Where
    the shape is what is learnt (Dirichlet, Beta, chi-squared, F) the Gamma variables come from the inverse CDF,
    `aevb.reparameterization.inverse_cdf.erlang`, and shapes are any positive numbers. They are kept as logarithms: of
    small shapes most draws are too small for any number, and their ratios are what a Dirichlet is.

    Errors are those of `aevb.reparameterization.inverse_cdf`; `log_normal`'s is 1e-15 times |μ| + |σ·ε| + 1.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from aevb.errors import ArgumentError
from aevb.reparameterization.checks import finite, last_axis, positive, together, uniform
from aevb.reparameterization.gamma_quantile import log_quantile, log_slopes
from aevb.reparameterization.nearest import draw, nearest, product, shifted, summed


def log_normal(mean: Tensor, std: Tensor, eps: Tensor) -> Tensor:
    """exp(μ + σ·ε) for standard normal noise.

    Raises:
        ValueError: `mean` or `eps` is not finite, or `std` not positive and finite.
    """
    finite(mean=mean, eps=eps)
    positive(std=std)

    def slopes(mean: Tensor, std: Tensor, eps: Tensor) -> tuple[Tensor, ...]:
        exponent = shifted(mean, std, eps)
        return tuple(product(factor, exponent=exponent) for factor in (torch.ones_like(mean), eps, std))

    return draw(lambda mean, std, eps: product(exponent=shifted(mean, std, eps)), slopes, mean, std, eps)


def gamma(rate: Float[Tensor, "*#batch"], eps: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch"]:
    """Sum of k exponentials, for uniform noise whose last axis has the size of the whole shape k.

    Raises:
        ValueError: `rate` is not positive and finite, or noise is outside (0, 1).
    """
    uniform(eps)
    positive(rate=rate)
    if not eps.ndim or not eps.shape[-1]:
        raise ArgumentError(f"`eps` must have a last axis of size k, got {tuple(eps.shape)}: one for each exponential")
    together(rate, eps[..., 0])
    return _SumOfExponentials.apply(rate, eps)


def dirichlet(concentration: Float[Tensor, "*#batch n"], eps: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    """g / Σ g with gᵢ ~ Gamma(αᵢ), for uniform noise: the softmax of log gᵢ, which lies on the simplex for any α.

    Raises:
        ValueError: `concentration` is not positive and finite, or noise is outside (0, 1).
    """
    uniform(eps)
    positive(concentration=concentration)
    if not concentration.ndim:
        raise ArgumentError("`concentration` must have a last axis of coordinates, got shape (): give one for each")
    last_axis(eps, concentration.shape[-1])
    together(concentration, eps)
    return _Dirichlet.apply(concentration, eps)


def beta(a: Tensor, b: Tensor, eps: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch"]:
    """First coordinate of a Dirichlet(a, b), for uniform noise.

    Raises:
        ValueError: `a` or `b` is not positive and finite, or noise is outside (0, 1).
    """
    positive(a=a, b=b)
    last_axis(eps, 2)
    together(a, b, eps[..., 0])
    return dirichlet(torch.stack(torch.broadcast_tensors(a, b), -1), eps)[..., 0]


def chi_squared(degrees: Tensor, eps: Tensor) -> Tensor:
    """2·Gamma(ν/2), for uniform noise.

    Raises:
        ValueError: `degrees` is not positive and finite, or noise is outside (0, 1).
    """
    uniform(eps)
    positive(degrees=degrees)

    def slopes(degrees: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        log_z, by_shape, by_noise = log_slopes(degrees / 2, eps)
        return product(exponent=log_z + by_shape), product(exponent=log_z + by_noise + math.log(2))

    return draw(
        lambda degrees, eps: product(exponent=log_quantile(degrees / 2, eps) + math.log(2)), slopes, degrees, eps
    )


def f(degrees: Tensor, other_degrees: Tensor, eps: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch"]:
    """(χ²(ν₁)/ν₁) / (χ²(ν₂)/ν₂), for uniform noise.

    Raises:
        ValueError: degrees are not positive and finite, or noise is outside (0, 1).
    """
    uniform(eps)
    positive(degrees=degrees, other_degrees=other_degrees)
    last_axis(eps, 2)

    def formula(above: Tensor, below: Tensor, eps: Tensor, other: Tensor) -> Tensor:
        exponent = log_quantile(above / 2, eps) - log_quantile(below / 2, other)
        return product(below, over=(above,), exponent=exponent)

    def slopes(above: Tensor, below: Tensor, eps: Tensor, other: Tensor) -> tuple[Tensor, ...]:
        log_above, above_by_shape, above_by_noise = log_slopes(above / 2, eps)
        log_below, below_by_shape, below_by_noise = log_slopes(below / 2, other)
        # ∂ log z/∂ν is ½·∂ log g/∂k − 1/ν, and as a product of it with z.
        one, two = (torch.log(degrees) for degrees in (above, below))
        exponent = log_above - log_below

        def by(log_slope: Tensor, log_degrees: Tensor) -> Tensor:
            both = log_slope - math.log(2) + log_degrees
            large = both > 40  # less 1 is then the same
            factor = torch.where(large, 1.0, torch.expm1(both.clamp(max=40)))
            return product(
                below, factor, over=(above,), exponent=exponent - log_degrees + torch.where(large, both, 0.0)
            )

        return (
            by(above_by_shape, one),
            -by(below_by_shape, two),
            product(below, over=(above,), exponent=exponent + above_by_noise),
            -product(below, over=(above,), exponent=exponent + below_by_noise),
        )

    return draw(formula, slopes, degrees, other_degrees, eps[..., 0], eps[..., 1])


class _SumOfExponentials(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rate: Tensor, eps: Tensor) -> Tensor:
        ctx.save_for_backward(rate, eps)
        total = -torch.log1p(-eps.double()).sum(-1)
        return nearest(total / rate.double(), torch.result_type(rate, eps))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        rate, eps = ctx.saved_tensors
        wide, noise, gradient = rate.double(), eps.double(), gradient.double()
        total = -torch.log1p(-noise).sum(-1)
        to_rate = nearest(-total / wide / wide, torch.float64)
        to_noise = nearest(product(over=(wide[..., None], 1 - noise)), torch.float64)
        return summed(gradient * to_rate, rate), summed(gradient[..., None] * to_noise, eps)


class _Dirichlet(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, concentration: Tensor, eps: Tensor) -> Tensor:
        ctx.save_for_backward(concentration, eps)
        return nearest(
            product(exponent=_log_softmax(log_quantile(concentration, eps))), torch.result_type(concentration, eps)
        )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """∂zᵢ/∂ log gⱼ = zᵢ·(δᵢⱼ − zⱼ), summed against the gradient.

        With dᵢ the gradient less that of the largest coordinate, Σ dᵢ·zᵢ has no term of the largest: its 1 − z,
        which may be far below rounding, is the sum of the others.
        """
        concentration, eps = ctx.saved_tensors
        log_g, by_shape, by_noise = log_slopes(concentration, eps)
        log_z = _log_softmax(log_g)
        wide = gradient.double()
        off = wide - wide.gather(-1, log_z.argmax(-1, keepdim=True))
        off = off - (off * log_z.exp()).sum(-1, keepdim=True)
        to_shape, to_noise = (product(off, exponent=log_z + log_slope) for log_slope in (by_shape, by_noise))
        return summed(to_shape, concentration), summed(to_noise, eps)


def _log_softmax(log_g: Tensor) -> Tensor:
    return torch.log_softmax(log_g, -1)
