"""Second family: location + scale · ε, with ε from the standard member of the family.

Source: Kingma & Welling 2013, section 2.4, second approach. One formula serves the Laplace, Student's t, logistic,
uniform, triangular and Gaussian families; they differ in the noise alone (see `aevb.reparameterization.table`).
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from aevb.errors import ArgumentError
from aevb.reparameterization.checks import finite, last_axis, positive, together
from aevb.reparameterization.nearest import draw, nearest, shifted, summed


def location_scale(location: Tensor, scale: Tensor, eps: Tensor) -> Tensor:
    """Location + scale·ε.

    Args:
        location: where the standard member's 0 goes.
        scale: how far its 1 is from there, above 0; both broadcast against eps.
        eps: noise from the member with location 0 and scale 1.

    Raises:
        ArgumentError: `location` or `eps` is not finite, or `scale` not positive and finite.
    """
    finite(location=location, eps=eps)
    positive(scale=scale)
    return draw(
        shifted,
        lambda location, scale, eps: (torch.ones_like(location), eps, scale),
        location,
        scale,
        eps,
    )


def elliptical(
    location: Float[Tensor, "*#batch n"], factor: Float[Tensor, "*#batch n n"], eps: Float[Tensor, "*batch n"]
) -> Float[Tensor, "*batch n"]:
    """μ + A·ε with scale matrix A·Aᵀ, for noise of a spherical distribution, such as N(0, I) or a multivariate t.

    Raises:
        ArgumentError: the sizes of `factor` and `eps` do not fit, or a number is not finite.
    """
    finite(location=location, factor=factor, eps=eps)
    n = eps.shape[-1] if eps.ndim else 1
    if factor.shape[-2:] != (n, n):
        raise ArgumentError(
            f"`factor` must have shape (..., {n}, {n}) for this `eps`, got {tuple(factor.shape)}: make it so"
        )
    last_axis(eps, n)
    together(location, factor[..., 0], eps)
    return _Elliptical.apply(location, factor, eps)


class _Elliptical(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, location: Tensor, factor: Tensor, eps: Tensor) -> Tensor:
        ctx.save_for_backward(location, factor, eps)
        turned = _times(factor.double(), eps.double())
        one = torch.ones((), dtype=torch.float64, device=eps.device)
        return nearest(shifted(location.double(), one, turned), torch.result_type(location, eps))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        location, factor, eps = ctx.saved_tensors
        wide, matrix, noise = (each.double() for each in (gradient, factor, eps))
        to_factor = wide[..., None] * noise[..., None, :]
        return summed(wide, location), summed(to_factor, factor), summed(_times(matrix.mT, wide), eps)


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    """Their product in float64, where terms that are too large may cancel."""
    direct = (matrix @ vector[..., None])[..., 0]
    if bool(direct.isfinite().all()):
        return direct
    small = 2.0**-510
    scaled = ((matrix * small) @ (vector * small)[..., None])[..., 0] / small / small
    return torch.where(direct.isfinite(), direct, scaled)
