"""The estimators of log p(x) at all efforts, how far they are from exact values, and what they cost the decoder."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from unittest.mock import patch

import torch
from torch import Tensor

from aevb.fast.decoder import FastGaussian
from aevb.marginal.ais import ais_log_likelihood, reverse_ais_log_likelihood
from aevb.marginal.annealing import Annealing, sigmoidal_schedule
from aevb.marginal.appendix_d import PosteriorFit, appendix_d_log_likelihood
from aevb.marginal.chains import posterior_gaussian, start_chains
from aevb.marginal.estimate import MarginalEstimate
from aevb.marginal.importance import importance_log_likelihood
from aevb.model import GaussianModel
from harness.studies.marginal.table import EACH_HALF, PAPER_SAMPLES, PAPERS_OWN

# Name, density, jitter: the paper's with step sizes fixed after burn-in, then with moves that mix, then Gaussians.
APPENDIX_D: tuple[tuple[str, PosteriorFit, float], ...] = (
    (PAPERS_OWN, "kde", 0.0),
    ("appendix D, shrunk KDE", "shrunk_kde", 0.5),
    ("appendix D, Gaussian", "full", 0.5),
    ("appendix D, diagonal Gaussian", "diagonal", 0.5),
)


@dataclass(frozen=True)
class MarginalStudy:
    """Size of the study.

    Attributes:
        n_latent: sizes of z.
        datapoints: for each size and kind of data.
        training_points: MNIST images that the models are fitted to.
        posterior_samples: of appendix D, both halves together.
        importance_samples: K.
        temperatures: of AIS.
        chains: AIS runs for each datapoint.
        seeds: of the paper's own estimator with its own number of samples, in either reading, on other datapoints with
            other chains: what the verdict is about, and it costs little.
    """

    n_latent: tuple[int, ...] = (2, 3, 5, 10, 20)
    datapoints: int = 100
    training_points: int = 10_000
    posterior_samples: tuple[int, ...] = (20, PAPER_SAMPLES, EACH_HALF, 200, 1000)
    importance_samples: tuple[int, ...] = (50, 500, 5000)
    temperatures: tuple[int, ...] = (30, 100, 300)
    chains: int = 8
    seeds: int = 10


def estimators(
    study: MarginalStudy, model: GaussianModel, x: Tensor, z: Tensor | None, generator: torch.Generator
) -> Iterator[tuple[str, int, Callable[[], MarginalEstimate]]]:
    """Name, effort and what estimates log p(x), nats; bounds from above too where z is known."""
    # All chains start where they have settled: what is studied is the estimator, not the search for the posterior.
    # These have one mode, and no draws from the prior are to count as an estimator's work.
    proposal, chains = posterior_gaussian(model, x, start_chains(model, x, generator), generator)

    def appendix_d(n_samples: int, fit: PosteriorFit, jitter: float) -> MarginalEstimate:
        return appendix_d_log_likelihood(
            model, x, chains, generator, n_samples=n_samples, fit=fit, jitter=jitter, n_prior=0
        )[0]

    for name, fit, jitter in APPENDIX_D:
        for n_samples in study.posterior_samples:
            yield name, n_samples, partial(appendix_d, n_samples, fit, jitter)
    for n_samples in study.importance_samples:
        yield (
            "importance sampling",
            n_samples,
            partial(importance_log_likelihood, model, x, proposal, generator, n_samples=n_samples, n_prior=0),
        )
    for n in study.temperatures:
        annealing = Annealing(betas=sigmoidal_schedule(n), n_chains=study.chains, n_tuning_chains=2)
        yield "AIS, lower bound", n, partial(ais_log_likelihood, model, x, generator, annealing)
        if z is not None:
            yield "AIS, upper bound", n, partial(reverse_ais_log_likelihood, model, x, z, generator, annealing)


def errors(estimate: MarginalEstimate, exact: Tensor) -> dict[str, float]:
    """Columns of the study's table, nats and shares: see `harness.studies.marginal.study.run_study`."""
    found = estimate.log_likelihood.isfinite()
    error = (estimate.log_likelihood - exact)[found]
    return {
        "bias": float(error.mean()) if len(error) else math.nan,
        "standard_error": float(error.std()) / math.sqrt(len(error)) if len(error) > 1 else math.nan,
        "spread": float(error.std()) if len(error) > 1 else math.nan,
        "spread_error": _spread_error(error),
        "within_3_errors": float((error.abs() <= 3 * estimate.standard_error[found]).double().mean()),
        "trusted": float(estimate.trusted.double().mean()),
        "without_estimate": int((~found).sum()),
    }


def _spread_error(error: Tensor) -> float:
    """Standard error of the standard deviation, by the delta method from the fourth moment: √((m₄ − s⁴)/n) / 2s."""
    if len(error) < 2 or not error.std() > 0:
        return math.nan
    centred = (error - error.mean()) / error.std()
    return float(error.std() * ((centred**4).mean() - 1).clamp(min=0).sqrt() / (2 * math.sqrt(len(error))))


@contextmanager
def counting(model: GaussianModel) -> Iterator[list[int]]:
    """Datapoint-latent pairs that the decoder evaluates while the block runs, for each call."""
    calls: list[int] = []
    evaluate, forward = model.log_likelihood, FastGaussian.forward

    def counted(x: Tensor, z: Tensor) -> Tensor:
        calls.append(math.prod(z.shape[:-1]))
        return evaluate(x, z)

    def counted_by_hand(self: FastGaussian, z: Tensor) -> None:
        calls.append(math.prod(z.shape[:-1]))
        forward(self, z)

    with patch.object(model, "log_likelihood", counted), patch.object(FastGaussian, "forward", counted_by_hand):
        yield calls
