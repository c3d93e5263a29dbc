"""Is the bound that figure 2 shows as little noisy as its caption says, and are figure 4's manifolds smooth?

Measured on the models that runs of figures 2, 4 and 5 have kept: the reader's, and those that come with the project.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from aevb.errors import UserError
from harness.experiments.paper import FIGURE2
from harness.figures.request import Request
from harness.pictures.latent_space import SIDES
from harness.pictures.models import load_trained
from harness.runs.build import load, prepare
from harness.runs.streams import stream
from harness.store.files import write_text
from harness.store.shelves import KeptModel
from harness.studies.data import with_data
from harness.studies.models.measure import bound_noise, steps
from harness.studies.models.table import CURVE, format_models
from harness.studies.show import show
from harness.workers.parts import (
    begin_study,
    compute_parts,
    folder_of_parts,
    gather,
    study_folder,
    write_part,
)

NAME = "models"


@dataclass(frozen=True)
class ModelsStudy:
    """Size of the study.

    Attributes:
        draws: of the noise of each test point.
        points: test points; None for all.
    """

    draws: int = 10
    points: int | None = None


STUDIES: Mapping[str, ModelsStudy] = {
    "smoke": ModelsStudy(3, 100),
    "quick": ModelsStudy(),
    "paper": ModelsStudy(50),
}


@dataclass(frozen=True)
class Part:
    """One kept model."""

    study: ModelsStudy
    folder: Path
    kept: KeptModel
    data: Path | None

    @property
    def files(self) -> tuple[Path]:
        """Where its row is kept."""
        name = f"{self.kept.folder.config.id}-{self.kept.samples}{self.kept.mark}.csv"
        return (folder_of_parts(self.folder, self.study) / name,)

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.kept.folder.config.name}, {self.kept.samples:,} samples"

    def compute(self) -> None:
        """The noise of its bound and, of a model with two latents, the steps of its manifold."""
        began, config = time.perf_counter(), self.kept.folder.config
        trained = load_trained(self.kept)
        x = prepare(config, load(config, self.data), torch.device("cpu")).test_points[: self.study.points]
        noise, error = bound_noise(trained.model, trained.encoder, x, self.study.draws, stream("noise of the bound"))
        flat = config.n_latent == 2
        step, largest, apart = steps(trained.model, SIDES[config.dataset]) if flat else (None,) * 3
        row = {
            **{column: getattr(config, column) for column in CURVE},
            "samples": self.kept.samples,
            "points": len(x),
            "draws": self.study.draws,
            "noise": noise,
            "noise_error": error,
            "step": step,
            "largest": largest,
            "apart": apart,
            "seconds": time.perf_counter() - began,
        }
        write_part(*self.files, [row])


def show_study(request: Request) -> None:
    """Run the study at the request's scale and print its table."""
    study, folder = STUDIES[request.scale], study_folder(request.results, NAME)
    show(request, NAME, [NAME], lambda: [run_study(study, folder, request)], format_models)


def parts_of(study: ModelsStudy, folder: Path, request: Request) -> list[Part]:
    """A part for each run of the protocol that has kept a model, of figures 2, 4 and 5: its latest one."""
    shelves = request.shelves
    runs = [*shelves.own_runs(), *shelves.published_runs()]
    configs = dict.fromkeys(run.config for run in runs if run.config.protocol == request.protocol)
    wanted = [
        config
        for config in configs
        if config.dataset in FIGURE2.panels and config.method in FIGURE2.methods and FIGURE2.defines(config)
    ]
    kept = [shelves.model(config, 1) for config in wanted]
    return [Part(study, folder, model, request.data) for model in kept if model is not None]


def run_study(study: ModelsStudy, folder: Path, request: Request) -> pd.DataFrame:
    """Compute the parts that are not in the folder, write models.csv and return it.

    Columns: dataset, n_latent, method and seed, which name a run, samples (of training), points and draws,
    noise (standard deviation of the mean test bound over draws of ε, nats) and noise_error, step and largest (mean and
    largest change to a neighbour on figure 4's grid, RMS over pixels), apart (mean distance of two of its images;
    these three for two latents alone), seconds. Models whose dataset is not to be had are left out, and told.

    Raises:
        UserError: no model is kept.
    """
    parts = with_data(parts_of(study, folder, request), lambda part: part.kept.folder.config.dataset, request.data)
    if not parts:
        raise UserError(
            f"there must be a model to measure; {request.shelves.runs} keeps none, and of those that come with the "
            "project none has its data: compute figure 2, or get its data"
        )
    begin_study(study, folder, parts, force=request.force)
    compute_parts(parts, request.place, force=request.force)
    table = gather(parts).sort_values([*CURVE], ignore_index=True)
    write_text(folder / f"{NAME}.csv", table.to_csv(index=False))
    return table
