"""One model: log p(x), the bound with each datapoint's own best Gaussian, the bound with the encoder's, and each KL."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from aevb.best_gaussian import best_gaussian
from aevb.densities import DiagonalGaussian
from aevb.encoder import GaussianEncoder
from aevb.estimators import lower_bound_b, standard_normal
from aevb.marginal.ais import ais_log_likelihood
from aevb.marginal.annealing import Annealing, sigmoidal_schedule
from aevb.marginal.chains import posterior_gaussian
from aevb.marginal.estimate import UntrustedEstimateWarning
from aevb.marginal.importance import importance_log_likelihood
from aevb.model import GenerativeModel
from aevb.tuning import Chains

DRAWS_AT_ONCE = 10


@dataclass(frozen=True)
class GapsStudy:
    """Size of the study.

    Attributes:
        points: the first so many test and training points.
        ais_points: of them, for which log p(x) is estimated by AIS too.
        draws: L, of each bound; a multiple of `DRAWS_AT_ONCE`.
        steps: of the search for the best Gaussian.
        chain_moves: of the chain that the proposal is fitted to.
        importance_samples: K.
        temperatures: of AIS.
        chains: AIS runs for each datapoint.
    """

    points: int = 100
    ais_points: int = 20
    draws: int = 200
    steps: int = 400
    chain_moves: int = 1000
    importance_samples: int = 2000
    temperatures: int = 300
    chains: int = 8


@dataclass(frozen=True)
class Nats:
    """Of each datapoint, nats; shape (batch,) but for `kl`.

    Attributes:
        log_p: log p(x) by importance sampling.
        log_p_error: its standard error.
        trusted: it is to be trusted.
        ais: log p(x) by AIS of the first points, NaN of the others.
        ais_error: its standard error.
        bound: with q(z|x).
        best: the bound with the best diagonal Gaussian, by the same noise.
        kl: KL of q(z|x) from the prior for each latent, shape (batch, latent).
        mean: of q(z|x), shape (batch, latent).
    """

    log_p: Float[Tensor, " batch"]
    log_p_error: Float[Tensor, " batch"]
    trusted: Float[Tensor, " batch"]
    ais: Float[Tensor, " batch"]
    ais_error: Float[Tensor, " batch"]
    bound: Float[Tensor, " batch"]
    best: Float[Tensor, " batch"]
    kl: Float[Tensor, "batch latent"]
    mean: Float[Tensor, "batch latent"]


def measure(
    study: GapsStudy,
    model: GenerativeModel,
    encoder: GaussianEncoder,
    x: Float[Tensor, "batch pixel"],
    generator: torch.Generator,
) -> Nats:
    """All of it for each datapoint.

    The proposal for log p(x) is a Gaussian fitted to a chain on p(z|x), which starts at the best Gaussian's mean.
    """
    with torch.no_grad():
        q = encoder(x).detach()
    best = best_gaussian(model, x, q, generator, n_steps=study.steps)
    bound, at_best = _bounds(study, model, (q, best), x, generator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrustedEstimateWarning)  # counted
        starts = Chains(best.mean, 0.3 * (0.5 * best.log_var).exp().mean(-1), torch.tensor(0, device=x.device))
        proposal, _ = posterior_gaussian(
            model, x, starts, generator, n_samples=study.chain_moves, n_burn_in=200, n_leapfrog=10
        )
        importance = importance_log_likelihood(model, x, proposal, generator, n_samples=study.importance_samples)
        few = x[: study.ais_points]
        annealing = Annealing(sigmoidal_schedule(study.temperatures), n_chains=study.chains)
        ais = ais_log_likelihood(model, few, generator, annealing)
    nothing = importance.log_likelihood.new_full((len(x),), torch.nan)
    by_ais, ais_error = nothing.clone(), nothing.clone()
    by_ais[: len(few)], ais_error[: len(few)] = ais.log_likelihood, ais.standard_error
    return Nats(
        log_p=importance.log_likelihood,
        log_p_error=importance.standard_error,
        trusted=importance.trusted,
        ais=by_ais,
        ais_error=ais_error,
        bound=bound,
        best=at_best,
        kl=-0.5 * (1 + q.log_var - q.mean.square() - q.log_var.exp()),
        mean=q.mean,
    )


@torch.no_grad()
def _bounds(
    study: GapsStudy, model: GenerativeModel, both: Sequence[DiagonalGaussian], x: Tensor, generator: torch.Generator
) -> list[Tensor]:
    """Estimator B for each q, mean over the same draws."""
    totals = [x.new_zeros(len(x), dtype=torch.float64) for _ in both]
    for _ in range(study.draws // DRAWS_AT_ONCE):
        eps = standard_normal((DRAWS_AT_ONCE, len(x), model.n_latent), x, generator)
        for q, total in zip(both, totals, strict=True):
            total += lower_bound_b(model, partial(_always, q), x, eps)
    return [total / (study.draws // DRAWS_AT_ONCE) for total in totals]


def _always(q: DiagonalGaussian, _: Tensor) -> DiagonalGaussian:
    return q
