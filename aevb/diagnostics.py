"""How far the draws of Markov chains can be trusted: effective sample size and split R-hat, both by ArviZ.

Draws have shape ``(draw, chain, *quantity)`` in float or double. Chains of different targets (one chain for each
datapoint, say) are different quantities: ``draws[:, None]`` makes each a single chain.
"""

from dataclasses import dataclass

import numpy as np
from arviz_stats.base import array_stats
from jaxtyping import Float
from torch import Tensor

from aevb.errors import ArgumentError
from aevb.hmc import Samples


@dataclass(frozen=True)
class ChainReport:
    """Convergence of chains that share a target.

    Attributes:
        acceptance: mean accept probability of each chain.
        n_stuck: chains that never moved.
        n_non_finite: proposals, over all chains, whose energy was not finite.
        ess: effective number of draws for each coordinate, all chains together.
        r_hat: split R-hat of each coordinate; above 1.01 the chains disagree.
    """

    acceptance: Float[np.ndarray, " chain"]
    n_stuck: int
    n_non_finite: int
    ess: Float[np.ndarray, " latent"]
    r_hat: Float[np.ndarray, " latent"]


def report(samples: Samples) -> ChainReport:
    """Acceptance, ESS and split R-hat of chains, shape (chain,), that share a target."""
    return ChainReport(
        acceptance=samples.acceptance.cpu().numpy(),
        n_stuck=int((samples.n_accepted == 0).sum()),
        n_non_finite=int(samples.n_non_finite.sum()),
        ess=effective_sample_size(samples.z),
        r_hat=split_r_hat(samples.z),
    )


def effective_sample_size(draws: Float[Tensor, "draw chain *quantity"]) -> Float[np.ndarray, "*quantity"]:
    """Bulk effective sample size (Vehtari et al. 2021), in draws over all chains.

    NaN where a chain is constant or not finite: ArviZ calls a constant one perfect, but it has not sampled anything.

    Raises:
        ArgumentError: fewer than four draws, or no chain axis.
    """
    values, moving = _values(draws)
    ess = np.asarray(array_stats.ess(values, chain_axis=1, draw_axis=0, method="bulk"))
    return np.where(moving, ess, np.nan)


def split_r_hat(draws: Float[Tensor, "draw chain *quantity"]) -> Float[np.ndarray, "*quantity"]:
    """Rank-normalised split R-hat (Vehtari et al. 2021): 1 if all half-chains agree.

    NaN where a chain is constant or not finite. Same errors as `effective_sample_size`.
    """
    values, moving = _values(draws)
    r_hat = np.asarray(array_stats.rhat(values, chain_axis=1, draw_axis=0, method="rank"))
    return np.where(moving, r_hat, np.nan)


def _values(draws: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Draws as an array, and which quantities move in every chain; noise stands in for the others."""
    if draws.ndim < 2 or len(draws) < 4:
        raise ArgumentError(
            f"`draws` must have shape (draw, chain, ...) with at least 4 draws, got {tuple(draws.shape)}: "
            "run longer chains, or add a chain axis"
        )
    values = draws.detach().double().cpu().numpy()
    moving = (np.isfinite(values).all(0) & (np.ptp(np.nan_to_num(values), axis=0) > 0)).all(0)
    noise = np.random.default_rng(0).standard_normal(values.shape[:2] + (1,) * (values.ndim - 2))
    return np.where(moving, values, noise), moving
