"""What may stand for q(z|x), as the estimators take it."""

from typing import Any

from torch import Tensor
from torch.distributions import Distribution, Independent, MultivariateNormal, Normal

from aevb import checks
from aevb.densities import DiagonalGaussian
from aevb.errors import ArgumentError
from aevb.marginal.gaussian import Density, FullGaussian

PARTS = ("mean", "log_var", "cholesky")


def as_density(
    q: Any, shape: tuple[int, int], like: Tensor | None = None, *, finite: bool = True, name: str = "q"
) -> Density:
    """A Gaussian as the estimators take it.

    Args:
        q: one of this project's, (mean, log_var), or a Normal, Independent Normal or MultivariateNormal of
            `torch.distributions`. Another class with the methods of `aevb.marginal.gaussian.Density` is taken as it is.
        shape: (batch, latent).
        like: a tensor whose type and device it must have.
        finite: its numbers must be; what is NaN for one datapoint, as by a chain that is stuck, is NaN for that one.
        name: what an error calls it.

    Raises:
        ArgumentError: it is none of these, or of another shape or type, or not finite.
    """
    if isinstance(q, MultivariateNormal):
        q = FullGaussian(q.mean, q.scale_tril)
    elif isinstance(q, Distribution) and isinstance(_innermost(q), Normal):
        q = DiagonalGaussian(q.mean, 2 * q.stddev.log())
    elif isinstance(q, tuple) and len(q) == 2:
        q = DiagonalGaussian(*q)
    if not (callable(getattr(q, "at", None)) and callable(getattr(q, "log_density", None))):
        raise ArgumentError(
            f"`{name}` must give a Gaussian over z, got {checks.shown(q)}: return (mean, log_var), or a Normal or "
            "MultivariateNormal of torch.distributions"
        )
    if hasattr(q, "mean"):
        checks.moments(name, q, shape)
    for part in PARTS:
        if hasattr(q, part):
            _check_numbers(f"{name}'s {part}", getattr(q, part), like, finite=finite)
    density: Density = q
    return density


def draw(q: Density, eps: Tensor) -> tuple[Tensor, Tensor]:
    """z = q.at(ε) and log q(z), nats, of shapes (*sample, latent) and (*sample).

    Raises:
        ArgumentError: q gives other shapes; what broadcasts would be one datapoint's density for another.
    """
    z = q.at(eps)
    log_density = q.log_density(z)
    for name, value, expected in (("at", z, eps.shape), ("log_density", log_density, eps.shape[:-1])):
        if not isinstance(value, Tensor) or value.shape != expected:
            got = tuple(value.shape) if isinstance(value, Tensor) else checks.shown(value)
            raise ArgumentError(
                f"`q.{name}` must give shape {tuple(expected)} for noise {tuple(eps.shape)}, got {got}: one for each "
                "draw and datapoint"
            )
    return z, log_density


def _innermost(q: Distribution) -> Distribution:
    """What is made independent; of a log-normal, whose base is a normal too, the distribution itself."""
    while isinstance(q, Independent):
        q = q.base_dist
    return q


def _check_numbers(name: str, value: Tensor, like: Tensor | None, *, finite: bool) -> None:
    if like is not None:
        checks.same(name, value, like)
    if finite and not bool(value.isfinite().all()):
        raise ArgumentError(f"`{name}` must be finite, got NaN or infinity: look at what the network gives")
