"""Annealed importance sampling of log p(x): forwards from the prior, and backwards from a known draw of p(z|x).

Forward weights average to p(x), so that the log of their mean is in expectation below log p(x); backward ones average
to 1 / p(x), and minus the log of their mean is above it. Where both meet, the truth is between them, in as many latent
dimensions as you like.

Sources: Neal 2001, "Annealed importance sampling"; Grosse, Ghahramani & Adams 2015, "Sandwiching the marginal
likelihood using bidirectional Monte Carlo".
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import fields

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import betaincinv, gammaincinv
from torch import Tensor

from aevb import checks, construction, hmc
from aevb.errors import ArgumentError
from aevb.estimators import standard_normal
from aevb.eval_mode import demand_eval_mode
from aevb.fast.posterior import posterior
from aevb.marginal.annealing import Annealing, OnMove, Run, anneal, tune_step_sizes
from aevb.marginal.estimate import MarginalEstimate, log_mean
from aevb.model import GenerativeModel

MIN_ACCEPTANCE, MIN_ESS_SHARE, MAX_STANDARD_ERROR = 0.2, 0.1, 0.7
LOST = 8.0  # nats below the mean weight, from where on a weight counts no more
CONFIDENCE = 0.95  # that the variance of the log weights is below what it is taken for


def ais_log_likelihood(
    model: GenerativeModel,
    x: Float[Tensor, "batch pixel"],
    generator: torch.Generator,
    annealing: Annealing | None = None,
    *,
    step_sizes: Float[Tensor, "temperature batch"] | None = None,
    on_progress: Callable[[float], object] | None = None,
) -> MarginalEstimate:
    """Log of the mean forward weight: in expectation a lower bound of log p(x).

    The step size of each datapoint and temperature is found by a preliminary run (`tune_step_sizes`) and then frozen:
    tuned on the fly, it would make the transitions depend on the past and the weights biased.

    Args:
        model: p(z) p(x|z); its parameters are not touched.
        x: datapoints.
        generator: source of all randomness.
        annealing: schedule and chains.
        step_sizes: from `tune_step_sizes`, to spare the preliminary run.
        on_progress: called after each temperature with the share of the moves that is done, up to 1.

    Returns:
        The estimates. Their standard error is that of the mean weight, or that of log-normal weights with the same
        variance of their logs (`spread_of_logs`) if it is larger: a few chains rarely see the large weights that carry
        the mean. Chains that end in a wrong mode weigh nothing and count as lost. Trusted are those whose log-normal
        error is below 0.7 nats, whose weights are worth a tenth of the chains, and at least two of them, and whose
        moves were accepted at a rate of 0.2 at every temperature, over all chains. They are low by about half the
        square of their error.

    Raises:
        ArgumentError: x is not what the model takes, or not finite, or a number is out of range.

    Warns:
        UntrustedEstimateWarning: once, if any estimate is not to be trusted.
        TrainModeWarning: the model has dropout or batch norm in its train mode: call ``.eval()`` first.
    """
    annealing = Annealing() if annealing is None else annealing
    _check(model, x, annealing, step_sizes)
    demand_eval_mode(model)
    if on_progress is not None:
        construction.function("take one of a share", on_progress=on_progress)
    on_move = None if on_progress is None else _counted(len(x), annealing, step_sizes is None, on_progress)
    runs = []
    for rows in _chunks(len(x), annealing):
        steps = (
            tune_step_sizes(model, x[rows], generator, annealing, on_move)
            if step_sizes is None
            else step_sizes[:, rows]
        )
        z = standard_normal((annealing.n_chains, len(x[rows]), model.n_latent), x, generator)
        run = anneal(model, x[rows], z, generator, annealing, steps.to(x), upwards=True, on_move=on_move)
        runs.append(run)
    estimate = _estimate("AIS, lower bound", runs, sign=1)
    estimate.warn("take more temperatures or more chains")
    return estimate


def reverse_ais_log_likelihood(
    model: GenerativeModel,
    x: Float[Tensor, "batch pixel"],
    z: Float[Tensor, "batch latent"],
    generator: torch.Generator,
    annealing: Annealing | None = None,
    *,
    step_sizes: Float[Tensor, "temperature batch"] | None = None,
    n_refresh: int = 20,
) -> MarginalEstimate:
    """Minus the log of the mean backward weight: in expectation an upper bound of log p(x).

    Args:
        model: p(z) p(x|z); its parameters are not touched.
        x: datapoints drawn from the model itself, see `simulate`.
        z: the latents that made them, each an exact draw of p(z|x).
        generator: source of all randomness.
        annealing: schedule and chains, those of the lower bound.
        step_sizes: from `tune_step_sizes`, to spare the preliminary run.
        n_refresh: moves at β = 1 before the descent. All chains of a datapoint start at its one z; that leaves the
            bound a bound, but the standard error takes the chains for independent, and the moves make them so.

    Returns:
        The estimates, trusted under the same conditions as those of `ais_log_likelihood`. Where `n_refresh` moves do
        not make the chains independent, errors are too small (docs/estimators.md has how often).

    Raises:
        ArgumentError: x is not what the model takes, or not finite, or a number is out of range.

    Warns:
        UntrustedEstimateWarning: once, if any estimate is not to be trusted.
        TrainModeWarning: the model has dropout or batch norm in its train mode: call ``.eval()`` first.
    """
    annealing = Annealing() if annealing is None else annealing
    _check(model, x, annealing, step_sizes)
    demand_eval_mode(model)
    checks.kind(Tensor, "give the latent of each datapoint", z=z)
    if z.shape != (len(x), model.n_latent):
        expected, got = (len(x), model.n_latent), tuple(z.shape)
        raise ArgumentError(f"`z` must have shape {expected}, got {got}: give the latent of each datapoint")
    checks.same("z", z, x)
    checks.whole(0, n_refresh=n_refresh)
    runs = []
    for rows in _chunks(len(x), annealing):
        steps = tune_step_sizes(model, x[rows], generator, annealing) if step_sizes is None else step_sizes[:, rows]
        steps = steps.to(x)
        start = z[rows].repeat(annealing.n_chains, 1, 1)
        log_joint, at_one = posterior(model, x[rows]), steps[-1].expand(start.shape[:2])
        state = hmc.evaluate(log_joint, start)
        for _ in range(n_refresh):
            state = hmc.move(log_joint, state, at_one, annealing.n_leapfrog, generator, jitter=annealing.jitter).state
        run = anneal(model, x[rows], state.z, generator, annealing, steps, upwards=False)
        runs.append(run)
    estimate = _estimate("AIS, upper bound", runs, sign=-1)
    estimate.warn("take more temperatures or more chains")
    return estimate


def simulate(
    model: GenerativeModel, n: int, generator: torch.Generator
) -> tuple[Float[Tensor, "n pixel"], Float[Tensor, "n latent"]]:
    """Datapoints from the model, and the latents behind them, which are exact draws from their posteriors.

    Raises:
        ArgumentError: the model is none, or one that cannot draw pixels, `n` is not positive, or `generator` is none.
    """
    checks.kind(GenerativeModel, "make a BernoulliModel, say", model=model)
    checks.whole(1, n=n)
    like = checks.weights(model)
    with torch.no_grad():
        z = standard_normal((n, model.n_latent), like, generator)
        return model.sample_pixels(z, generator), z


def _check(model: GenerativeModel, x: Tensor, annealing: Annealing, step_sizes: Tensor | None) -> None:
    checks.pixels(model, x)
    checks.kind(Annealing, "make one with Annealing()", annealing=annealing)
    if step_sizes is None:
        return
    remedy = "take those of `tune_step_sizes`"
    checks.kind(Tensor, remedy, step_sizes=step_sizes)
    expected, got = (len(annealing.betas) - 1, len(x)), tuple(step_sizes.shape)
    if got != expected:
        raise ArgumentError(f"`step_sizes` must have shape {expected}, got {got}: {remedy}")
    if not bool((step_sizes >= 0).all()):
        raise ArgumentError(f"`step_sizes` must not be negative or NaN, got some that are: {remedy}")


def _estimate(method: str, runs: list[Run], *, sign: int) -> MarginalEstimate:
    run = Run(*(torch.cat([getattr(part, field.name) for part in runs], -1) for field in fields(Run)))
    log_likelihood, standard_error, ess = log_mean(run.log_weights)
    n = len(run.log_weights)
    spread, share = spread_of_logs(run.log_weights)
    log_normal = torch.expm1(spread - share.log()).sqrt() / math.sqrt(n)
    lowest = run.acceptance.double().min(0).values
    return MarginalEstimate(
        method=method,
        log_likelihood=sign * log_likelihood,
        standard_error=torch.maximum(standard_error, log_normal),
        ess=ess,
        acceptance=run.acceptance.double().mean(0),
        n_non_finite=run.n_non_finite + (~run.log_weights.isfinite()).sum(0),
        trusted=log_likelihood.isfinite()
        & (ess >= max(2.0, MIN_ESS_SHARE * n))
        & (log_normal < MAX_STANDARD_ERROR)
        & ~(lowest < MIN_ACCEPTANCE),
    )


def spread_of_logs(
    log_weights: Float[Tensor, "chain batch"],
) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
    """Variance of the log weights that count, for each datapoint, and their share p of all weights.

    A weight that is 8 nats below the mean weight is as good as 0: its chain has ended in a mode that hardly matters.
    How far below says nothing about the mean, while the variance of the logs would see little else. With variance s
    of the others' logs, the mean weight has the relative variance (e^s / p − 1) / n.

    The variance is that of all datapoints if it is larger. Sixteen chains cannot tell a small variance from luck, and
    it is the lucky ones that miss the large weights. Datapoints that one schedule serves are much alike: none is given
    less than a 95 % limit for the variance that they would share. That is the median of limits, one of each datapoint.
    A datapoint's own is below the shared variance with probability q, whatever the number of its chains, and the m-th
    of N limits with the probability that at least m of N are, which is I_q(m, N − m + 1): q makes it 5 %. A few
    datapoints with far larger variances do not move it. Of a single datapoint it is the limit for its own.

    Returns:
        Two tensors of shape (batch,). The variance is ∞ where fewer than two weights count.
    """
    n = len(log_weights)
    counts = log_weights > log_weights.logsumexp(0) - math.log(n) - LOST
    n_counts = counts.sum(0)
    mean = torch.where(counts, log_weights, 0).sum(0) / n_counts
    squares = torch.where(counts, log_weights - mean, 0).square().sum(0)
    variance = torch.where(n_counts > 1, squares / (n_counts - 1), torch.nan)
    shared = _shared_limit(variance, n_counts - 1)
    spread = torch.where(variance > shared, variance, shared)
    return torch.where(n_counts > 1, spread, torch.inf), n_counts / n


def _shared_limit(variance: Float[Tensor, " batch"], degrees: Int[Tensor, " batch"]) -> float:
    """What the variance that all datapoints share is below with probability `CONFIDENCE`; NaN if none has any."""
    known = degrees > 0
    half = degrees[known].double().cpu().numpy() / 2
    if not len(half):
        return math.nan
    middle = (len(half) + 1) // 2
    q = betaincinv(middle, len(half) - middle + 1, 1 - CONFIDENCE)
    # Half of the quantile of χ²; SciPy's `stats` has it by name, and takes half a second.
    limits = variance[known].double().cpu().numpy() * half / gammaincinv(half, q)
    return float(np.partition(limits, middle - 1)[middle - 1])


def _counted(n: int, annealing: Annealing, tunes: bool, on_progress: Callable[[float], object]) -> OnMove:
    """What counts the moves of all chains of n datapoints, and tells their share."""
    changes = len(annealing.betas) - 1  # of temperature; a run moves inside the path alone
    total = n * (annealing.n_chains * (changes - 1) + annealing.n_tuning_chains * changes * tunes)
    done = 0

    def on_move(n_moved: int) -> None:
        nonlocal done
        done += n_moved
        on_progress(done / total)

    return on_move


def _chunks(n: int, annealing: Annealing) -> Iterator[slice]:
    rows = max(1, annealing.chunk // annealing.n_chains)
    return (slice(start, start + rows) for start in range(0, n, rows))
