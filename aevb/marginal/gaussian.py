"""The multivariate Gaussian with a full covariance, as a proposal and as a density fitted to samples."""

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from aevb import checks
from aevb.densities import LOG_2PI
from aevb.errors import ArgumentError


class Density(Protocol):
    """What a proposal must do; `aevb.densities.DiagonalGaussian` is one."""

    def at(self, eps: Float[Tensor, "*sample n"]) -> Float[Tensor, "*sample n"]:
        """Draw for noise ε ~ N(0, I)."""
        ...

    def log_density(self, value: Float[Tensor, "*sample n"]) -> Float[Tensor, "*sample"]:
        """Normalised log-density in nats."""
        ...


@dataclass(frozen=True)
class FullGaussian:
    """N(mean, C Cᵀ) for each datapoint; C is the lower triangle of `cholesky`, shape ``(*#batch, n, n)``."""

    mean: Float[Tensor, "*batch n"]
    cholesky: Float[Tensor, "*#batch n n"]

    def at(self, eps: Float[Tensor, "*sample n"]) -> Float[Tensor, "*sample n"]:
        """Reparameterized draw μ + C ε for noise ε ~ N(0, I)."""
        return self.mean + (self.cholesky.tril() @ eps[..., None])[..., 0]

    def log_density(self, value: Float[Tensor, "*sample n"]) -> Float[Tensor, "*sample"]:
        """Log N(value; μ, C Cᵀ) in nats."""
        centred = (value - self.mean)[..., None]
        white = torch.linalg.solve_triangular(self.cholesky.expand(*centred.shape[:-2], -1, -1), centred, upper=False)
        log_det = self.cholesky.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return -0.5 * (white[..., 0].square().sum(-1) + value.shape[-1] * LOG_2PI) - log_det

    def kl_to_standard_normal(self) -> Float[Tensor, "*batch"]:
        """KL(N(μ, C Cᵀ) ‖ N(0, I)) = ½ (Σ C² + Σ μ² − n) − Σ log C_ii in nats."""
        squares = self.cholesky.tril().square().sum((-2, -1)) + self.mean.square().sum(-1)
        return 0.5 * (squares - self.mean.shape[-1]) - self.cholesky.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def detach(self) -> "FullGaussian":
        """The same density, of whose parameters nothing learns."""
        return FullGaussian(self.mean.detach(), self.cholesky.detach())

    @staticmethod
    def fit(z: Float[Tensor, "sample *batch n"], *, inflate: float = 1.0, diagonal: bool = False) -> "FullGaussian":
        """Mean and (n − 1) covariance of the samples of each datapoint.

        Args:
            z: samples along the first axis.
            inflate: factor of the covariance; above 1 it makes a safer proposal.
            diagonal: leave out the correlations.

        Returns:
            The Gaussian; its Cholesky factor is NaN where the samples do not span all dimensions. A rejected move
            repeats the draw before it, and n dimensions take n + 1 different draws: rounding may hide that the
            covariance is singular, a count does not.

        Raises:
            ArgumentError: fewer than two samples, or an argument is of another kind.
        """
        checks.kind(Tensor, "give samples along the first axis", z=z)
        checks.number(0, inflate=inflate)
        checks.flag(diagonal=diagonal)
        if z.ndim < 2 or len(z) < 2:
            raise ArgumentError(f"`z` must be 2 samples or more along the first axis, got {tuple(z.shape)}: draw more")
        mean = z.mean(0)
        centred = (z - mean).movedim(0, -2)
        covariance = inflate * centred.mT @ centred / (len(z) - 1)
        if diagonal:
            covariance = torch.diag_embed(covariance.diagonal(dim1=-2, dim2=-1))
        cholesky, failed = torch.linalg.cholesky_ex(covariance)
        steps = (z[1:] != z[:-1]).any(-1).sum(0)
        singular = (failed > 0) | (steps < (1 if diagonal else z.shape[-1]))
        return FullGaussian(mean, torch.where(singular[..., None, None], torch.nan, cholesky))
