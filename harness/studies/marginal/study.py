"""How good is each estimator of log p(x)? Against exact values, on linear-Gaussian models, for rising N_z and effort.

The paper recommends its own estimator (appendix D) below five latent dimensions; this study puts numbers to that.
"""

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from aevb.data import load_dataset
from aevb.linear_gaussian import exact_log_marginal, probabilistic_pca
from aevb.marginal.ais import simulate
from aevb.marginal.estimate import UntrustedEstimateWarning
from harness.figures.request import Request
from harness.runs.streams import stream
from harness.store.files import write_text
from harness.studies.marginal.measure import MarginalStudy, counting, errors, estimators
from harness.studies.marginal.plot import plot_marginal
from harness.studies.marginal.table import EACH_HALF, PAPER_SAMPLES, PAPERS_OWN, format_study
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
STUDIES: Mapping[str, MarginalStudy] = {
    "smoke": MarginalStudy((2, 10), 16, 1000, (20, PAPER_SAMPLES, EACH_HALF), (50, 500), (30,), 4, 3),
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
    with counting(model) as count, warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrustedEstimateWarning)  # the column `trusted` says it
        for seed in range(part.study.seeds):
            first = n * seed % (len(mnist.test) - n + 1)
            test = mnist.test[first : first + n].double()
            x, z = (test, None) if part.data == "mnist" else simulate(model, n, generator)
            exact = exact_log_marginal(model, x).detach()
            for estimator, effort, estimate in estimators(part.study, model, x, z, generator):
                if seed and not (estimator == PAPERS_OWN and effort in (PAPER_SAMPLES, EACH_HALF)):
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
                        **errors(values, exact),
                        "seconds": seconds,
                    }
                )
    write_part(*part.files, rows)
