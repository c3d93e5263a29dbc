"""Second family: location + scale · ε, with ε from the standard member of the family.

Source: Kingma & Welling 2013, section 2.4, second approach. One formula serves the Laplace, Student's t, logistic,
uniform, triangular and Gaussian families; they differ in the noise alone (see `aevb.reparameterization.table`).
"""

from jaxtyping import Float
from torch import Tensor

from aevb.errors import ArgumentError
from aevb.reparameterization.checks import positive


def location_scale(location: Tensor, scale: Tensor, eps: Tensor) -> Tensor:
    """Location + scale·ε.

    Args:
        location: where the standard member's 0 goes.
        scale: how far its 1 is from there, above 0; both broadcast against eps.
        eps: noise from the member with location 0 and scale 1.

    Raises:
        ArgumentError: `scale` is not positive and finite.
    """
    positive(scale=scale)
    return location + scale * eps


def elliptical(
    location: Float[Tensor, "*#batch n"], factor: Float[Tensor, "*#batch n n"], eps: Float[Tensor, "*batch n"]
) -> Float[Tensor, "*batch n"]:
    """μ + A·ε with scale matrix A·Aᵀ, for noise of a spherical distribution, such as N(0, I) or a multivariate t.

    Raises:
        ArgumentError: the sizes of `factor` and `eps` do not fit.
    """
    n = eps.shape[-1]
    if factor.shape[-2:] != (n, n):
        raise ArgumentError(f"`factor` must have shape (..., {n}, {n}) for this `eps`, got {tuple(factor.shape)}")
    return location + (factor @ eps[..., None])[..., 0]
