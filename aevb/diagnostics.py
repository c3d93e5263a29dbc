"""How far the draws of Markov chains can be trusted: effective sample size and split R-hat, the first by ArviZ.

Draws have shape ``(draw, chain, *quantity)`` in float or double. Chains of different targets (one chain for each
datapoint, say) are different quantities: ``draws[:, None]`` makes each a single chain, whose halves R-hat compares.

All of it is read off the draws: chains that sit in one mode agree, with an R-hat of 1 and a large ESS, whatever the
other modes hold.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri
from torch import Tensor

from aevb import checks
from aevb.errors import ArgumentError
from aevb.hmc import Samples


@dataclass(frozen=True)
class ChainReport:
    """Convergence of chains that share a target.

    Attributes:
        acceptance: mean accept probability of each chain.
        n_stuck: chains that never moved.
        n_non_finite: proposals, over all chains, whose energy was not finite.
        bulk_ess: effective number of draws for the middle of each coordinate, all chains together. Of chains that swing
            from side to side it exceeds the number of draws, while how far out they are hardly changes.
        tail_ess: for the 5 % and 95 % quantiles of each coordinate.
        log_density_ess: for the log-density, the smaller of bulk and tail: what changes slowly often shows here alone.
        r_hat: split R-hat of each coordinate; above 1.01 the chains disagree.
    """

    acceptance: Float[np.ndarray, " chain"]
    n_stuck: int
    n_non_finite: int
    bulk_ess: Float[np.ndarray, " latent"]
    tail_ess: Float[np.ndarray, " latent"]
    log_density_ess: float
    r_hat: Float[np.ndarray, " latent"]

    @property
    def ess(self) -> Float[np.ndarray, " latent"]:
        """The smallest of bulk, tail and log-density for each coordinate: how many draws the chains are worth."""
        return np.minimum(np.minimum(self.bulk_ess, self.tail_ess), self.log_density_ess)


Kind = Literal["bulk", "tail"]


def report(samples: Samples) -> ChainReport:
    """Acceptance, ESS and split R-hat of chains, shape (chain,), that share a target.

    Raises:
        ArgumentError: these are no samples of shape (move, chain, latent), or fewer than four moves.
    """
    checks.kind(Samples, "give what aevb.hmc.sample returns", samples=samples)
    if samples.z.ndim != 3:
        got = tuple(samples.z.shape)
        raise ArgumentError(f"`samples` must have z of shape (move, chain, latent), got {got}: give one axis of chains")
    return ChainReport(
        acceptance=samples.acceptance.cpu().numpy(),
        n_stuck=int((samples.n_accepted == 0).sum()),
        n_non_finite=int(samples.n_non_finite.sum()),
        bulk_ess=effective_sample_size(samples.z),
        tail_ess=effective_sample_size(samples.z, "tail"),
        log_density_ess=min(float(effective_sample_size(samples.log_density, kind)) for kind in get_args(Kind)),
        r_hat=split_r_hat(samples.z),
    )


def effective_sample_size(
    draws: Float[Tensor, "draw chain *quantity"], kind: Kind = "bulk"
) -> Float[np.ndarray, "*quantity"]:
    """Effective sample size (Vehtari et al. 2021), in draws over all chains: of the bulk, or of the 5 and 95 % tails.

    NaN where a chain is constant or not finite: ArviZ calls a constant one perfect, but it has not sampled anything.

    Raises:
        ArgumentError: fewer than four draws, no chain axis, or another kind.
    """
    if kind not in get_args(Kind):
        raise ArgumentError(f"`kind` must be one of {', '.join(get_args(Kind))}, got {kind!r}: choose one")
    from arviz_stats.base import array_stats  # with all of SciPy: seconds that who computes no diagnostics does without

    values, moving = _values(draws)
    quantiles = {"prob": (0.05, 0.95)} if kind == "tail" else {}
    ess = np.asarray(array_stats.ess(values, chain_axis=1, draw_axis=0, method=kind, **quantiles))
    return np.where(moving, ess, np.nan)


def split_r_hat(draws: Float[Tensor, "draw chain *quantity"]) -> Float[np.ndarray, "*quantity"]:
    """Rank-normalised split R-hat (Vehtari et al. 2021, section 4): 1 if all half-chains agree, those of one chain too.

    The larger of that of the draws and that of their distances from the median, which tells spreads that differ.
    NaN where a chain is constant or not finite. Same errors as `effective_sample_size`.

    Note:
        ArviZ has it for two chains or more, and gives the same there.
    """
    values, moving = _values(draws)
    n = len(values) // 2
    halves = np.concatenate([values[:n], values[-n:]], axis=1)
    folded = np.abs(halves - np.median(halves, axis=(0, 1)))
    return np.where(moving, np.fmax(_r_hat(_normal_scores(halves)), _r_hat(_normal_scores(folded))), np.nan)


def _normal_scores(values: Float[np.ndarray, "draw chain *quantity"]) -> Float[np.ndarray, "draw chain *quantity"]:
    """What a normal variable has at the rank of each draw among all chains' (Vehtari et al. 2021, eq. 14)."""
    from scipy.stats import rankdata

    together = values.reshape(-1, *values.shape[2:])
    return ndtri((rankdata(together, axis=0) - 3 / 8) / (len(together) + 1 / 4)).reshape(values.shape)


def _r_hat(values: Float[np.ndarray, "draw chain *quantity"]) -> Float[np.ndarray, "*quantity"]:
    """√((W·(n − 1)/n + B/n) / W), W within and B/n between chains; NaN where nothing differs."""
    n = len(values)
    between, within = values.mean(0).var(0, ddof=1), values.var(0, ddof=1).mean(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt((n - 1) / n + between / within)


def _values(draws: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Draws as an array, and which quantities move in every chain; noise stands in for the others."""
    if not isinstance(draws, Tensor) or draws.is_complex():
        raise ArgumentError(f"`draws` must be a tensor of real numbers, got {checks.shown(draws)}: use torch.as_tensor")
    if draws.ndim < 2 or len(draws) < 4 or not draws.shape[1]:
        raise ArgumentError(
            f"`draws` must have shape (draw, chain, ...) with at least 4 draws, got {tuple(draws.shape)}: "
            "run longer chains, or add a chain axis"
        )
    values = draws.detach().double().cpu().numpy()
    moving = (np.isfinite(values).all(0) & (np.ptp(np.nan_to_num(values), axis=0) > 0)).all(0)
    noise = np.random.default_rng(0).standard_normal(values.shape[:2] + (1,) * (values.ndim - 2))
    return np.where(moving, values, noise), moving
