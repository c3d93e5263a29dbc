"""Importance sampling of log p(x), which is the bound of an importance-weighted autoencoder with many samples."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from aevb import checks
from aevb.estimators import standard_normal
from aevb.eval_mode import demand_eval_mode
from aevb.marginal.contradiction import N_PRIOR, distrust, prior_limit
from aevb.marginal.estimate import MarginalEstimate, error_of_log, summary
from aevb.marginal.gaussian import Density
from aevb.marginal.parts import log_joint
from aevb.marginal.proposal import as_density, draw
from aevb.model import GenerativeModel

MAX_TAIL_SHAPE, MIN_ESS, MAX_STANDARD_ERROR = 0.7, 10.0, 0.3


def importance_log_likelihood(
    model: GenerativeModel,
    x: Float[Tensor, "batch pixel"],
    proposal: Density | Distribution | tuple[Tensor, Tensor],
    generator: torch.Generator,
    *,
    n_samples: int = 1000,
    chunk: int = 5000,
    n_prior: int = N_PRIOR,
) -> MarginalEstimate:
    """Log p(x) ≈ log (1/K) Σ p(x, z_k) / q(z_k), z_k ~ q; in mean a lower bound that tightens with K.

    Memory does not grow with K: of the weights, their sum, the sum of their squares and the largest are kept.

    Args:
        model: p(z) p(x|z).
        x: datapoints.
        proposal: q for each datapoint: an encoder's `encoder(x)`, the `FullGaussian` of a chain or a posterior, or what
            else `aevb.marginal.proposal.as_density` takes. Where it is NaN, there is no estimate.
        generator: source of the draws.
        n_samples: K, draws for each datapoint.
        chunk: draws at a time, for all datapoints together (but one for each at least).
        n_prior: draws from the prior that may contradict an estimate, see `aevb.marginal.contradiction`; 0 for none.

    Returns:
        The estimates. Trusted are those whose weights are worth at least 10 equal ones, whose standard error is below
        0.3 nats and whose largest weights fall off like a generalised Pareto distribution of shape below 0.7: beyond,
        the standard error means nothing (Vehtari et al. 2024, "Pareto smoothed importance sampling"). These look at
        q's draws alone; a mode that q never visits is found by the draws from the prior, which contradict an estimate
        that they show to be too low. Above about four latents those do not come near sharp modes. Compare proposals
        that come from elsewhere: an encoder's, or chains with other starts (`contradiction.limit_of`).

    Raises:
        ArgumentError: fewer than 25 samples, too few to judge their tail, x is not what the model takes, or not finite,
            or the proposal is no density of the right shape, type and device.

    Warns:
        UntrustedEstimateWarning: once, if any estimate is not to be trusted.
        TrainModeWarning: the model has dropout or batch norm in its train mode: call ``.eval()`` first.
    """
    checks.pixels(model, x)
    demand_eval_mode(model)
    checks.whole(25, n_samples=n_samples)  # fewer do not show the weights' tail
    checks.whole(1, chunk=chunk)
    checks.whole(0, n_prior=n_prior)
    q = as_density(proposal, (len(x), model.n_latent), x, finite=False)
    n_tail = math.ceil(min(0.2 * n_samples, 3 * math.sqrt(n_samples)))
    nothing = x.new_full((len(x),), -torch.inf, dtype=torch.float64)
    total, squares, largest = nothing, nothing, x.new_empty((0, len(x)), dtype=torch.float64)
    n_non_finite = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    per_part = max(1, chunk // len(x))
    with torch.no_grad():
        for start in range(0, n_samples, per_part):
            n = min(per_part, n_samples - start)
            z, log_q = draw(q, standard_normal((n, len(x), model.n_latent), x, generator))
            log_weights = (log_joint(model, x, z) - log_q).double()
            total = torch.logaddexp(total, log_weights.logsumexp(0))
            squares = torch.logaddexp(squares, (2 * log_weights).logsumexp(0))
            seen = torch.cat([largest, log_weights])
            largest = seen.topk(min(n_tail + 1, len(seen)), dim=0).values
            n_non_finite += (~log_weights.isfinite()).sum(0)
    log_likelihood, relative, ess = summary(total, squares, n_samples)
    standard_error = error_of_log(relative)
    shape = tail_shape(largest)
    estimate = MarginalEstimate(
        method="importance sampling",
        log_likelihood=log_likelihood,
        standard_error=standard_error,
        ess=ess,
        acceptance=torch.full_like(log_likelihood, torch.nan),
        n_non_finite=n_non_finite,
        trusted=log_likelihood.isfinite()
        & (ess >= MIN_ESS)
        & (standard_error < MAX_STANDARD_ERROR)
        & (shape < MAX_TAIL_SHAPE),
    )
    estimate = distrust(estimate, prior_limit(model, x, n_prior))
    estimate.warn("draw more samples or use a proposal closer to the posterior, in its main mode and no narrower")
    return estimate


def tail_shape(largest: Float[Tensor, "tail_and_one batch"], *, chunk: int = 500) -> Float[Tensor, " batch"]:
    """Shape k of a generalised Pareto distribution fitted to the largest of many log weights, in descending order.

    The last is the threshold. Moments of order 1/k and above do not exist. −∞ if the weights are alike.

    Source: Zhang & Stephens 2009; pulled towards ½ by ten pseudo-observations as in Vehtari et al. 2024.
    """
    return torch.cat([_tail_shape(part) for part in largest.split(chunk, dim=1)])


def _tail_shape(largest: Tensor) -> Tensor:
    weights = (largest - largest[0]).exp()
    excess = (weights[:-1] - weights[-1]).flip(0)  # ascending
    n = len(excess)
    n_grid = 30 + int(math.sqrt(n))
    grid = 1 - (n_grid / (torch.arange(1, n_grid + 1, dtype=excess.dtype, device=excess.device) - 0.5)).sqrt()
    theta = grid[:, None] / (3 * excess[int(n / 4 + 0.5) - 1]) + 1 / excess[-1]
    shapes = torch.stack([torch.log1p(-row * excess).mean(0) for row in theta])
    profile = n * (torch.log(-theta / shapes) - shapes - 1)
    theta_hat = (theta * profile.softmax(0)).sum(0)
    shape = torch.log1p(-theta_hat * excess).mean(0)
    # Weights within 1 % of each other have no tail to speak of, and their differences may be rounding alone.
    return torch.where(excess[-1] > 0.01, (n * shape + 5) / (n + 10), -torch.inf)
