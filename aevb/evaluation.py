"""Log p(x) of any model by every estimator that it allows, side by side: is a likelihood right?"""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from aevb import checks, construction
from aevb.estimators import standard_normal
from aevb.eval_mode import TrainModeWarning, demand_eval_mode
from aevb.marginal.ais import ais_log_likelihood
from aevb.marginal.annealing import Annealing
from aevb.marginal.appendix_d import appendix_d_log_likelihood
from aevb.marginal.chains import posterior_gaussian, start_chains
from aevb.marginal.contradiction import distrust, limit_of
from aevb.marginal.estimate import MarginalEstimate, UntrustedEstimateWarning
from aevb.marginal.gaussian import Density
from aevb.marginal.importance import importance_log_likelihood
from aevb.marginal.parts import log_joint
from aevb.marginal.proposal import as_density, draw
from aevb.model import GenerativeModel

Q = Callable[[Tensor], Any]
"""q(z|x): from x, shape (batch, pixel), to a Gaussian; see `aevb.marginal.proposal.as_density`."""

ROUNDING = 1e-6  # relative, of log p(x, z) summed in float32
DRAWS = 5000  # at a time, for all datapoints together


@dataclass(frozen=True)
class Evaluation:
    """Estimates of log p(x) of the same datapoints.

    Attributes:
        estimates: by name of the estimator.
        bound: the lower bound by q of each datapoint, nats, shape (batch,); None without q.
        bound_error: its standard error over draws, likewise.
    """

    estimates: Mapping[str, MarginalEstimate]
    bound: Float[Tensor, " batch"] | None
    bound_error: Float[Tensor, " batch"] | None

    def apart(self) -> list[tuple[str, str, float, float]]:
        """For each two estimators how far their means are apart, and the error of that, nats.

        Over the datapoints that both trust; NaN where there is none. The error has rounding in it: of what is exact,
        as by a q that is the posterior, it is all there is.
        """
        rows = []
        for (one, mine), (other, theirs) in combinations(self.estimates.items(), 2):
            both = mine.trusted & theirs.trusted
            off = (mine.log_likelihood - theirs.log_likelihood)[both]
            variances = (mine.standard_error.square() + theirs.standard_error.square())[both]
            size = mine.log_likelihood[both].abs().double()
            variances = variances.double() + (ROUNDING * (1 + size)).square()
            error = math.sqrt(float(variances.sum())) / len(off) if len(off) else math.nan
            rows.append((one, other, float(off.mean()) if len(off) else math.nan, error))
        return rows


def evaluate(
    model: GenerativeModel,
    x: Float[Tensor, "batch pixel"],
    generator: torch.Generator,
    *,
    q: Q | None = None,
    n_samples: int = 1000,
    n_moves: int | None = None,
    annealing: Annealing | None = None,
    on_progress: Callable[[str, float], object] | None = None,
) -> Evaluation:
    """Importance sampling from q and from a Gaussian fitted to chains, annealed importance sampling, and appendix D.

    An estimate that another one shows to be too low is not trusted: see `aevb.marginal.contradiction`.

    Args:
        model: p(z) p(x|z), or `aevb.joint.Joint` where log p(x, z) alone is known; its parameters are not touched.
            A module with dropout or batch norm must be in its eval mode: call ``.eval()`` first, of q's module too.
        x: datapoints.
        generator: source of all randomness.
        q: q(z|x), where there is one.
        n_samples: importance samples, and draws of the bound, for each datapoint.
        n_moves: moves of each chain after its burn-in; None for 200, or five for each latent variable where that is
            more: a Gaussian of n dimensions takes as many different draws to fit.
        annealing: of annealed importance sampling; None for `Annealing()`, whose 300 temperatures are enough for a few
            latent variables.
        on_progress: called with the name of an estimator as it begins, and 0; of AIS, which takes the longest where
            there are many temperatures, again after each temperature, with the share that is done.

    Raises:
        ArgumentError: x is not what the model takes, or not finite, or q is no Gaussian of the right shape.

    Warns:
        TrainModeWarning: the model or q has dropout or batch norm in its train mode.
    """
    checks.pixels(model, x)
    demand_eval_mode(model, q)
    n_moves = max(200, 5 * model.n_latent) if n_moves is None else n_moves
    checks.whole(25, n_samples=n_samples, n_moves=n_moves)
    checks.source(generator)
    if q is not None:
        construction.function("make a GaussianEncoder, say", q=q)
    if on_progress is not None:
        construction.function("take one of a name and a share", on_progress=on_progress)
    tell = on_progress or (lambda name, share: None)
    estimates: dict[str, MarginalEstimate] = {}
    bound = bound_error = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrustedEstimateWarning)  # `trusted` says it
        warnings.simplefilter("ignore", TrainModeWarning)  # it was said above
        if q is not None:
            with torch.no_grad():
                density = as_density(q(x), (len(x), model.n_latent), x)
            tell("importance sampling, q", 0.0)
            bound, bound_error = lower_bound(model, x, density, generator, n_samples)
            estimates["importance sampling, q"] = importance_log_likelihood(
                model, x, density, generator, n_samples=n_samples
            )
        tell("importance sampling, chains", 0.0)
        proposal, chains = posterior_gaussian(model, x, start_chains(model, x, generator), generator, n_samples=n_moves)
        estimates["importance sampling, chains"] = importance_log_likelihood(
            model, x, proposal, generator, n_samples=n_samples
        )
        tell("AIS", 0.0)
        estimates["AIS"] = ais_log_likelihood(model, x, generator, annealing, on_progress=partial(tell, "AIS"))
        tell("appendix D", 0.0)
        limit = limit_of(list(estimates.values()))  # the mean weight of each of these is in expectation p(x)
        estimates["appendix D"] = appendix_d_log_likelihood(model, x, chains, generator, n_samples=n_moves)[0]
    estimates = {name: distrust(estimate, limit) for name, estimate in estimates.items()}
    return Evaluation(estimates, bound, bound_error)


@torch.no_grad()
def lower_bound(
    model: GenerativeModel,
    x: Float[Tensor, "batch pixel"],
    q: Density,
    generator: torch.Generator,
    n_samples: int,
) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
    """E_q[log p(x, z) − log q(z)] of each datapoint, and its standard error over the draws, nats.

    Raises:
        ArgumentError: x is not what the model takes, or not finite, q is no Gaussian of the right shape, or there are
            fewer than two draws.
    """
    checks.pixels(model, x)
    checks.whole(2, n_samples=n_samples)  # one has no standard error
    q = as_density(q, (len(x), model.n_latent), x)
    total = squares = x.new_zeros(len(x), dtype=torch.float64)
    per_part = max(1, DRAWS // len(x))
    for start in range(0, n_samples, per_part):
        z, log_q = draw(q, standard_normal((min(per_part, n_samples - start), len(x), model.n_latent), x, generator))
        terms = (log_joint(model, x, z) - log_q).double()
        total, squares = total + terms.sum(0), squares + terms.square().sum(0)
    mean = total / n_samples
    return mean, ((squares / n_samples - mean.square()).clamp(min=0) / (n_samples - 1)).sqrt()
