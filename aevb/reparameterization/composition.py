"""Third family: transformations of variables that are reparameterized themselves.

Source: Kingma & Welling 2013, section 2.4, third approach.

Note:
    A Gamma variable as a sum of exponentials needs a whole shape, with respect to which there is no gradient. Where
    the shape is what is learnt (Dirichlet, Beta, chi-squared, F) the Gamma variables come from the inverse CDF,
    `aevb.reparameterization.inverse_cdf.erlang`, and shapes are any positive numbers.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from aevb.reparameterization.inverse_cdf import erlang, exponential
from aevb.reparameterization.location_scale import location_scale


def log_normal(mean: Tensor, std: Tensor, eps: Tensor) -> Tensor:
    """exp(μ + σ·ε) for standard normal noise.

    Raises:
        ValueError: `std` is not positive and finite.
    """
    return torch.exp(location_scale(mean, std, eps))


def gamma(rate: Float[Tensor, "*#batch"], eps: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch"]:
    """Sum of k exponentials, for uniform noise whose last axis has the size of the whole shape k.

    Raises:
        ValueError: `rate` is not positive and finite, or noise is outside (0, 1).
    """
    return exponential(rate[..., None], eps).sum(-1)


def dirichlet(concentration: Float[Tensor, "*#batch n"], eps: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    """g / Σ g with gᵢ ~ Gamma(αᵢ), for uniform noise.

    Raises:
        ValueError: `concentration` is not positive and finite, or noise is outside (0, 1).
    """
    variates = _gamma(concentration, eps)
    return variates / variates.sum(-1, keepdim=True)


def beta(a: Tensor, b: Tensor, eps: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch"]:
    """First coordinate of a Dirichlet(a, b), for uniform noise.

    Raises:
        ValueError: `a` or `b` is not positive and finite, or noise is outside (0, 1).
    """
    return dirichlet(torch.stack(torch.broadcast_tensors(a, b), -1), eps)[..., 0]


def chi_squared(degrees: Tensor, eps: Tensor) -> Tensor:
    """2·Gamma(ν/2), for uniform noise.

    Raises:
        ValueError: `degrees` is not positive and finite, or noise is outside (0, 1).
    """
    return 2 * _gamma(degrees / 2, eps)


def f(degrees: Tensor, other_degrees: Tensor, eps: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch"]:
    """(χ²(ν₁)/ν₁) / (χ²(ν₂)/ν₂), for uniform noise.

    Raises:
        ValueError: degrees are not positive and finite, or noise is outside (0, 1).
    """
    above, below = chi_squared(degrees, eps[..., 0]), chi_squared(other_degrees, eps[..., 1])
    return (above / degrees) / (below / other_degrees)


def _gamma(shape: Tensor, eps: Tensor) -> Tensor:
    return erlang(shape, torch.ones_like(shape), eps)
