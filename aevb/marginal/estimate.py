"""What every estimator of log p(x) returns, and the arithmetic of weights that they share."""

import math
import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class UntrustedEstimateWarning(UserWarning):
    """Some of the estimates of log p(x) should not be believed; their `trusted` is false."""


@dataclass(frozen=True)
class MarginalEstimate:
    """Log p(x) of each datapoint, nats, and how far to believe it.

    Attributes:
        method: which estimator, in words.
        log_likelihood: the estimate; NaN where there is none (a chain that is stuck, a density that is not finite).
        standard_error: how far the log of the mean moves if the mean is one standard error smaller, nats. For small
            errors that is the delta method's; it grows beyond all bounds as the weights come down to one that counts.
            NaN or ∞ where it is not known.
        ess: effective number of samples behind the estimate.
        acceptance: mean accept probability of the HMC moves; NaN where no chain was run.
        n_non_finite: densities and proposals that were not finite. A proposal is merely rejected; a weight that is
            NaN or +∞ makes the estimate NaN.
        trusted: no known reason to doubt the estimate and its error. A chain in a wrong mode gives one where other
            draws visit the right one, see `aevb.marginal.contradiction`. How often trusted estimates are wrong, and
            errors too small, is measured: docs/estimators.md.
    """

    method: str
    log_likelihood: Float[Tensor, " batch"]
    standard_error: Float[Tensor, " batch"]
    ess: Float[Tensor, " batch"]
    acceptance: Float[Tensor, " batch"]
    n_non_finite: Int[Tensor, " batch"]
    trusted: Bool[Tensor, " batch"]

    def warn(self, remedy: str) -> None:
        """One warning for all the estimates that are not trusted.

        Warns:
            UntrustedEstimateWarning: there are any.
        """
        n_untrusted = int((~self.trusted).sum())
        if n_untrusted:
            warnings.warn(
                f"{self.method}: {n_untrusted} of {len(self.trusted)} estimates are not to be trusted "
                f"({int(self.log_likelihood.isnan().sum())} are NaN): {remedy}",
                UntrustedEstimateWarning,
                stacklevel=3,
            )


def concatenate(parts: list[MarginalEstimate]) -> MarginalEstimate:
    """Join estimates of consecutive datapoints."""
    fields = ("log_likelihood", "standard_error", "ess", "acceptance", "n_non_finite", "trusted")
    return MarginalEstimate(parts[0].method, *(torch.cat([getattr(part, field) for part in parts]) for field in fields))


def log_mean(log_weights: Float[Tensor, "sample batch"]) -> tuple[Tensor, Tensor, Tensor]:
    """Log of the mean weight, its standard error if the samples are independent, and the weights' ESS.

    log w̄ = logsumexp − log K; ESS = (Σw)² / Σw²; the mean's relative error is r² = (K / ESS − 1) / (K − 1), that of
    its log −log(1 − r), all in double.

    Returns:
        Three tensors of shape (batch,). The first is NaN if a weight is NaN or +∞; a weight of 0 is allowed.
    """
    log_weights = log_weights.double()
    mean, relative, ess = summary(log_weights.logsumexp(0), (2 * log_weights).logsumexp(0), len(log_weights))
    return mean, error_of_log(relative), ess


def error_of_log(relative: Tensor) -> Tensor:
    """−log(1 − r), the error of a log for the relative error r of its argument; ∞ from 1 on, where nothing is known."""
    return -torch.log1p(-relative.clamp(max=1))


def summary(total: Tensor, squares: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """`log_mean` from log Σw and log Σw² of n weights, for those who do not keep them all; the error is relative."""
    total = torch.where(total == torch.inf, torch.nan, total)
    ess = torch.exp(2 * total - squares).clamp(max=n)
    relative = ((n / ess - 1) / (n - 1)).sqrt() if n > 1 else torch.full_like(total, torch.inf)
    return total - math.log(n), relative, ess


def independent_draws(series: Float[Tensor, "draw batch"]) -> Float[Tensor, " batch"]:
    """Number of independent draws whose mean would vary as much as that of each column, a stationary Markov chain.

    n / τ with τ = 1 + 2 Σ ρ_t, cut off by Geyer's initial monotone sequence and at least 1, so that an antithetic
    chain earns no credit. A constant column counts as one draw. `aevb.diagnostics` asks ArviZ; this one is for
    thousands of chains at once, on their device.

    Source: Geyer 1992, "Practical Markov chain Monte Carlo", section 3.3.
    """
    n = len(series)
    centred = series - series.mean(0)
    spectrum = torch.fft.rfft(centred, 2 * n, dim=0)
    covariance = torch.fft.irfft(spectrum.abs().square(), 2 * n, dim=0)[:n]
    correlation = covariance / covariance[0]
    pairs = correlation[: n // 2 * 2].reshape(n // 2, 2, -1).sum(1)
    pairs = (pairs * (pairs > 0).cumprod(0)).cummin(0).values
    tau = (2 * pairs.sum(0) - 1).clamp(min=1)
    return torch.where((series == series[0]).all(0), 1.0, n / tau)
