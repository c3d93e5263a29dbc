"""Kernel density estimates for many datapoints at once."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from aevb.densities import LOG_2PI
from aevb.errors import ArgumentError
from aevb.marginal.gaussian import FullGaussian

PLAIN_BANDWIDTHS = [10 ** (-1 + 0.15 * i) for i in range(9)]
SCOTT_FACTORS = [math.exp((i - 5) / 2) for i in range(10)]
SHRUNK_BANDWIDTHS = [0.1 * i for i in range(2, 11)]


@dataclass(frozen=True)
class KernelDensity:
    """q(z) = (1/m) Σ N(z; c_i, h² S), one for each datapoint, with S the covariance of the samples z_i.

    Plain, c_i = z_i, and q is wider than the samples by 1 + h². Shrunk to their mean, c_i = μ + √(1 − h²) (z_i − μ)
    and q has the mean of the samples and, but for a factor near 1, their covariance: h = 1 is the
    Gaussian, a small h a plain kernel density.

    Attributes:
        frame: the samples' mean and Cholesky factor of S, in which kernels are round.
        centres: c_i in that frame, shape (batch, m, n).
        bandwidth: h, shape (batch,).

    Source: shrinkage, West 1993, "Approximating posterior distributions by mixtures", section 2.
    """

    frame: FullGaussian
    centres: Float[Tensor, "batch m n"]
    bandwidth: Float[Tensor, " batch"]

    def log_density(self, value: Float[Tensor, "sample batch n"]) -> Float[Tensor, "sample batch"]:
        """Normalised log-density in nats."""
        squared = _squared_distance(_white(self.frame, value), self.centres)
        kernels = torch.logsumexp(-0.5 * squared / self.bandwidth[:, None, None].square(), -1).T
        m, n = self.centres.shape[1:]
        log_det = self.frame.cholesky.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return kernels - math.log(m) - n * (0.5 * LOG_2PI + self.bandwidth.log()) - log_det

    @staticmethod
    def fit(z: Float[Tensor, "m batch n"], *, shrink: bool = False) -> "KernelDensity":
        """Kernels for all samples; h is the one for which each half of them makes the other most likely.

        The halves are consecutive, not interleaved: draws of a Markov chain have their like beside them, and a
        neighbour in the other half would ask for too small an h.

        Returns:
            The density; NaN everywhere for a datapoint whose samples do not span all dimensions.

        Raises:
            ArgumentError: fewer than four samples.
        """
        m = len(z)
        if m < 4:
            raise ArgumentError(f"a kernel density needs at least 4 samples, got {m}: draw more")
        frame = FullGaussian.fit(z)
        white = _white(frame, z)
        first, second = white[:, : m // 2], white[:, m // 2 :]
        bandwidths = SHRUNK_BANDWIDTHS if shrink else PLAIN_BANDWIDTHS
        factors = [math.sqrt(max(0.0, 1 - h * h)) if shrink else 1.0 for h in bandwidths]
        held_out = torch.stack(
            [
                _held_out(first, second * factor, h) + _held_out(second, first * factor, h)
                for h, factor in zip(bandwidths, factors, strict=True)
            ]
        )
        best = held_out.argmax(0)
        return KernelDensity(frame, white * z.new_tensor(factors)[best, None, None], z.new_tensor(bandwidths)[best])

    @staticmethod
    def fit_scott(z: Float[Tensor, "m batch n"]) -> "KernelDensity":
        """Kernels for all samples; h is Scott's m^(−1/(n + 4)) times e^((i − 5)/2), i = 0 … 9.

        i is the one for which the second half of the samples, with its own covariance, makes the first most likely.

        Returns:
            The density; NaN everywhere for a datapoint whose samples, or second half, do not span all dimensions.

        Raises:
            ArgumentError: fewer than four samples.

        Source: its paper's first author's library.
        """
        m, n = len(z), z.shape[-1]
        if m < 4:
            raise ArgumentError(f"a kernel density needs at least 4 samples, got {m}: draw more")
        bandwidths = [m ** (-1 / (n + 4)) * factor for factor in SCOTT_FACTORS]
        half = FullGaussian.fit(z[m // 2 :])
        first, second = _white(half, z[: m // 2]), _white(half, z[m // 2 :])
        best = torch.stack([_held_out(first, second, h) for h in bandwidths]).argmax(0)
        frame = FullGaussian.fit(z)
        return KernelDensity(frame, _white(frame, z), z.new_tensor(bandwidths)[best])


def _held_out(value: Float[Tensor, "batch k n"], centres: Float[Tensor, "batch m n"], h: float) -> Tensor:
    """Sum of log-densities of the values, up to what does not depend on h."""
    squared = _squared_distance(value, centres)
    k, n = value.shape[1:]
    return torch.logsumexp(squared.mul_(-0.5 / h**2), -1).sum(-1) - k * n * math.log(h)


def _squared_distance(a: Float[Tensor, "batch k n"], b: Float[Tensor, "batch m n"]) -> Float[Tensor, "batch k m"]:
    """|a_i − b_j|² by one product; a difference of large numbers, but in the samples' frame they are small."""
    norms = a.square().sum(-1)[..., None] + b.square().sum(-1)[..., None, :]
    return torch.baddbmm(norms, a, b.mT, alpha=-2)


def _white(frame: FullGaussian, z: Float[Tensor, "sample batch n"]) -> Float[Tensor, "batch sample n"]:
    centred = (z - frame.mean).movedim(0, -1)
    return torch.linalg.solve_triangular(frame.cholesky, centred, upper=False).mT
