"""The paper's own estimator of log p(x), from samples of the posterior (Kingma & Welling 2013, appendix D)."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from aevb import checks, hmc, tuning
from aevb.densities import standard_normal_log_density
from aevb.errors import ArgumentError
from aevb.eval_mode import demand_eval_mode
from aevb.fast.posterior import posterior
from aevb.marginal.contradiction import N_PRIOR, distrust, prior_limit
from aevb.marginal.estimate import MarginalEstimate, concatenate, error_of_log, independent_draws, summary
from aevb.marginal.gaussian import FullGaussian
from aevb.marginal.kde import KernelDensity
from aevb.model import GenerativeModel

PosteriorFit = Literal["shrunk_kde", "kde", "scott_kde", "full", "diagonal"]
Adaptation = Literal["burn_in", "every_move"]
MAX_LATENT, MIN_ESS, MAX_STANDARD_ERROR = 4, 4.0, 1.0
NOISE = 10.0  # nats; where z is not used, estimates by "scott_kde" are up to 4 nats too high by their noise alone

_FITS: dict[PosteriorFit, Callable[[Tensor], FullGaussian | KernelDensity]] = {
    "shrunk_kde": partial(KernelDensity.fit, shrink=True),
    "kde": KernelDensity.fit,
    "scott_kde": KernelDensity.fit_scott,
    "full": FullGaussian.fit,
    "diagonal": partial(FullGaussian.fit, diagonal=True),
}


def appendix_d_log_likelihood(
    model: GenerativeModel,
    x: Float[Tensor, "batch pixel"],
    chains: tuning.Chains,
    generator: torch.Generator,
    *,
    n_samples: int = 50,
    n_burn_in: int = 5,
    n_leapfrog: int = 4,
    fit: PosteriorFit = "shrunk_kde",
    jitter: float = 0.5,
    adapt: Adaptation = "burn_in",
    chunk: int = 2000,
    n_prior: int = N_PRIOR,
) -> tuple[MarginalEstimate, tuning.Chains]:
    """Log p(x) ≈ −log (1/L) Σ q(z_l) / (p(z_l) p(x|z_l)), z_l ~ p(z|x) by HMC and q fitted to other samples.

    Burn-in moves tune each chain's step size to acceptance 0.9; it is then frozen, unless `adapt` says otherwise. The
    first half of the samples fits q, the second half is plugged in. The standard error allows for the autocorrelation
    of the plugged-in terms, and q is given: whatever q is, the inverse mean is unbiased for 1/p(x) if the chain samples
    the posterior.

    Args:
        model: p(z) p(x|z); its parameters are not touched.
        x: datapoints.
        chains: one for each datapoint, from `aevb.marginal.chains.start_chains` or from the last call.
        generator: source of all randomness.
        n_samples: draws of each chain, one for each move; both halves together.
        n_burn_in: moves that tune the step size, before any draw.
        n_leapfrog: leapfrog steps of a move.
        fit: q is a kernel density (see `aevb.marginal.kde`), a Gaussian or a Gaussian without correlations.
        jitter: of the step size, see `aevb.hmc.move`.
        adapt: "burn_in" moves alone tune the step size, or "every_move" (`aevb.tuning.tune_by_test`), with jitter=0.
        chunk: datapoints at a time.
        n_prior: draws from the prior that may contradict an estimate, see `aevb.marginal.contradiction`; 0 for none.

    Returns:
        The estimates, and the chains to pass to the next call. A chain that accepts nothing in either half has
        no estimate (NaN), nor has one whose estimate is 10 nats above the highest log p(x|z) that it met, which
        log p(x) cannot be: q has nothing where the second half went. Trusted are estimates in at most 4 latent
        dimensions, the range for which the paper recommends it, whose terms are worth at least 4 independent
        ones, whose standard error is below 1 nat and which draws from the prior do not contradict: a chain may
        sit in a wrong mode, and its estimate is then too low. With 50 samples four of five trusted estimates
        are within twice their standard error of the truth; with "kde" and "scott_kde" two of three. Off by more
        than 1 nat is one in sixty or fewer with "kde", one in twenty or more with "scott_kde": see
        docs/estimators.md.

    Note:
        `fit="scott_kde", jitter=0, adapt="every_move", n_leapfrog=5` is what the author's library does where the paper
        says 4 leapfrog steps. It serves no better than `fit="kde", jitter=0`: in few dimensions four steps at
        acceptance 0.9 are about one period of the posterior, so that chains without jitter hardly mix; and a plain
        kernel density has wider tails than the posterior, so that few rare draws carry the mean and its standard
        error, taken without them, is too small. On a linear-Gaussian model with 3 latents and 50 samples that
        estimate is within 3 standard errors of the truth for 3 datapoints of 4, and the default for 19 of 20.

    Raises:
        ArgumentError: fewer than 8 samples, another number of chains than of datapoints, or x is not what the model
            takes, or not finite.

    Warns:
        UntrustedEstimateWarning: once, if any estimate is not to be trusted.
        TrainModeWarning: the model has dropout or batch norm in its train mode: call ``.eval()`` first.
    """
    checks.pixels(model, x)
    demand_eval_mode(model)
    checks.whole(8, n_samples=n_samples)  # both halves need some
    checks.whole(1, n_leapfrog=n_leapfrog, chunk=chunk)
    checks.whole(0, n_burn_in=n_burn_in, n_prior=n_prior)
    checks.positions(model, x, chains)
    checks.choice(_FITS, fit=fit)
    checks.choice(get_args(Adaptation), adapt=adapt)
    checks.number(0, 1, jitter=jitter)
    if adapt == "every_move" and jitter:
        raise ArgumentError(f"`jitter` must be 0 where every move tunes the step size, got {jitter!r}: give jitter=0")
    estimates, moved = [], []
    step_sizes = chains.step_size.expand(len(x))
    for start in range(0, len(x), chunk):
        rows = slice(start, start + chunk)
        log_joint = posterior(model, x[rows])
        part = tuning.Chains(chains.z[rows], step_sizes[rows], chains.n_tuned)
        halves = n_samples // 2, n_samples - n_samples // 2
        if adapt == "every_move":
            state, step_size = hmc.evaluate(log_joint, part.z), part.step_size
            if n_burn_in:
                burnt, step_size = tuning.sample_and_tune(log_joint, state, step_size, n_burn_in, n_leapfrog, generator)
                state = burnt.state
            first, step_size = tuning.sample_and_tune(log_joint, state, step_size, halves[0], n_leapfrog, generator)
            second, step_size = tuning.sample_and_tune(
                log_joint, first.state, step_size, halves[1], n_leapfrog, generator
            )
            part = part._replace(step_size=step_size)
        else:
            part, state = tuning.tune(log_joint, part, n_burn_in, n_leapfrog, generator, jitter=jitter)
            how: dict[str, Any] = {"n_steps": n_leapfrog, "generator": generator, "jitter": jitter}
            first = hmc.sample(log_joint, state, part.step_size, halves[0], **how)
            second = hmc.sample(log_joint, first.state, part.step_size, halves[1], **how)
        estimates.append(_plug_in(fit, first, second))
        moved.append(part._replace(z=second.state.z))
    estimate = distrust(concatenate(estimates), prior_limit(model, x, n_prior))
    estimate.warn("draw more samples, or start the chains better; above 4 latent dimensions use AIS")
    last = tuning.Chains(
        torch.cat([part.z for part in moved]), torch.cat([part.step_size for part in moved]), moved[-1].n_tuned
    )
    return estimate, last


def _plug_in(fit: PosteriorFit, first: hmc.Samples, second: hmc.Samples) -> MarginalEstimate:
    """Fit q to the first half and average q / p over the second."""
    log_ratio = (_FITS[fit](first.z).log_density(second.z) - second.log_density).double()
    n = len(log_ratio)
    log_total, log_squares = log_ratio.logsumexp(0), (2 * log_ratio).logsumexp(0)
    log_mean, relative, weight_ess = summary(log_total, log_squares, n)
    share = independent_draws((log_ratio - log_ratio.max(0).values).exp()) / n
    standard_error, ess = error_of_log(relative / share.sqrt()), weight_ess * share
    # The posterior's mean of log p(x|z) is log p(x) + KL(p(z|x) || p(z)), so that log p(x) is never above it. A second
    # half that went where q has nothing would say so.
    seen = torch.stack([(half.log_density - standard_normal_log_density(half.z)).amax(0) for half in (first, second)])
    impossible = -log_mean >= seen.amax(0) + NOISE
    # Terms that are all alike vary by 0, but a second half that did not move is one draw, not many.
    failed = (first.n_accepted == 0) | (second.n_accepted == 0) | ~log_mean.isfinite() | impossible
    log_likelihood = torch.where(failed, torch.nan, -log_mean)
    trusted = (
        log_likelihood.isfinite()
        & (ess >= MIN_ESS)
        & (standard_error < MAX_STANDARD_ERROR)
        & (second.z.shape[-1] <= MAX_LATENT)
    )
    return MarginalEstimate(
        method=f"appendix D ({fit})",
        log_likelihood=log_likelihood,
        standard_error=torch.where(failed, torch.inf, standard_error),
        ess=torch.where(failed, 0, ess),
        acceptance=0.5 * (first.acceptance + second.acceptance).double(),
        n_non_finite=first.n_non_finite + second.n_non_finite + (~log_ratio.isfinite()).sum(0),
        trusted=trusted,
    )
