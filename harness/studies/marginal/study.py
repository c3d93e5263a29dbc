"""How good is each estimator of log p(x)? Against exact values, on linear-Gaussian models, for rising N_z and effort.

The paper recommends its own estimator (appendix D) below five latent dimensions; this study puts numbers to that.
"""

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import torch
from torch import Tensor

from aevb.data import load_dataset
from aevb.fast.decoder import FastGaussian
from aevb.linear_gaussian import exact_log_marginal, probabilistic_pca
from aevb.marginal.ais import ais_log_likelihood, reverse_ais_log_likelihood, simulate
from aevb.marginal.annealing import Annealing, sigmoidal_schedule
from aevb.marginal.appendix_d import PosteriorFit, appendix_d_log_likelihood
from aevb.marginal.chains import posterior_gaussian, start_chains
from aevb.marginal.estimate import MarginalEstimate, UntrustedEstimateWarning
from aevb.marginal.importance import importance_log_likelihood
from aevb.model import GaussianModel
from harness.figures.request import Request
from harness.runs.streams import stream
from harness.store.files import write_text
from harness.studies.marginal.plot import plot_marginal
from harness.studies.marginal.table import PAPER_SAMPLES, PAPERS_OWN, format_study
from harness.studies.show import show
from harness.workers.parts import (
    begin_study,
    compute_parts,
    folder_of_parts,
    gather,
    study_folder,
    write_part,
)
from harness.workers.schedule import Place

NAME = "marginal"
DATA = ("mnist", "simulated")
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
        posterior_samples: appendix D's L.
        importance_samples: K.
        temperatures: of AIS.
        chains: AIS runs for each datapoint.
        seeds: of the paper's own estimator with its own number of samples, on other datapoints with other chains: what
            the verdict is about, and it costs little.
    """

    n_latent: tuple[int, ...] = (2, 3, 5, 10, 20)
    datapoints: int = 100
    training_points: int = 10_000
    posterior_samples: tuple[int, ...] = (20, PAPER_SAMPLES, 200, 1000)
    importance_samples: tuple[int, ...] = (50, 500, 5000)
    temperatures: tuple[int, ...] = (30, 100, 300)
    chains: int = 8
    seeds: int = 10


STUDIES: Mapping[str, MarginalStudy] = {
    "smoke": MarginalStudy((2, 10), 16, 1000, (20, PAPER_SAMPLES), (50, 500), (30,), 4, 3),
    "quick": MarginalStudy(),
    "paper": MarginalStudy(datapoints=1000, temperatures=(30, 100, 300, 1000), chains=16),
}


@dataclass(frozen=True)
class Part:
    """One kind of data and one size of z."""

    study: MarginalStudy
    data: str
    n_latent: int
    folder: Path

    @property
    def files(self) -> tuple[Path]:
        """Where its rows are kept."""
        return (folder_of_parts(self.folder, self.study) / f"{self.data}-nz{self.n_latent}.csv",)

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.data}, N_z = {self.n_latent}"

    def compute(self) -> None:
        """All estimators at all efforts."""
        compute_part(self)


def show_study(request: Request) -> None:
    """Run the study at the request's scale, print its table and draw its figure."""
    study, folder = STUDIES[request.scale], study_folder(request.results, NAME)

    def run() -> list[pd.DataFrame]:
        return [run_study(study, folder, request.place, force=request.force)]

    show(request, NAME, [NAME], run, format_study, plot_marginal)


def run_study(study: MarginalStudy, folder: Path, place: Place, *, force: bool = False) -> pd.DataFrame:
    """Compute the parts that are not in the folder, write marginal.csv and return it.

    Columns: data, n_latent, seed (0, but for the paper's own estimator with its samples), estimator, effort (samples L
    or K, or temperatures), evaluations (of the decoder, for each datapoint), bias (mean of estimate − exact, nats),
    standard_error (of the bias), spread (its standard deviation over datapoints), spread_error (its standard error),
    within_3_errors and trusted (shares), without_estimate (datapoints), seconds.
    """
    parts = [Part(study, data, n_latent, folder) for n_latent in reversed(study.n_latent) for data in DATA]
    begin_study(study, folder, parts, force=force)
    compute_parts(parts, place, force=force)
    table = gather(reversed(parts))
    write_text(folder / f"{NAME}.csv", table.to_csv(index=False))
    return table


def compute_part(part: Part) -> None:
    """All estimators at all efforts, for one kind of data and one size of z, and the paper's own with further seeds."""
    generator = stream("marginal study")
    mnist = load_dataset("mnist")
    model = probabilistic_pca(mnist.train[: part.study.training_points], part.n_latent)
    n = part.study.datapoints
    rows = []
    with _counted(model) as count, warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrustedEstimateWarning)  # the column `trusted` says it
        for seed in range(part.study.seeds):
            first = n * seed % (len(mnist.test) - n + 1)
            test = mnist.test[first : first + n].double()
            x, z = (test, None) if part.data == "mnist" else simulate(model, n, generator)
            exact = exact_log_marginal(model, x).detach()
            for estimator, effort, estimate in _estimators(part.study, model, x, z, generator):
                if seed and (estimator, effort) != (PAPERS_OWN, PAPER_SAMPLES):
                    continue
                count.clear()
                began = time.perf_counter()
                values = estimate()
                seconds = time.perf_counter() - began
                rows.append(
                    {
                        "data": part.data,
                        "n_latent": part.n_latent,
                        "seed": seed,
                        "estimator": estimator,
                        "effort": effort,
                        "evaluations": sum(count) / n,
                        **_errors(values, exact),
                        "seconds": seconds,
                    }
                )
    write_part(*part.files, rows)


def _estimators(
    study: MarginalStudy, model: GaussianModel, x: Tensor, z: Tensor | None, generator: torch.Generator
) -> Iterator[tuple[str, int, Callable[[], MarginalEstimate]]]:
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


def _errors(estimate: MarginalEstimate, exact: Tensor) -> dict[str, float]:
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
def _counted(model: GaussianModel) -> Iterator[list[int]]:
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
