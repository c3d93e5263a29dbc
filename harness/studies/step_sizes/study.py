"""Which of the paper's three step sizes has the best training bound after the first iterations, curve by curve."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from harness.experiments.config import Config
from harness.experiments.paper import FIGURE2, FIGURE3
from harness.experiments.values import STEP_SIZE_CANDIDATES
from harness.figures.request import Request
from harness.runs.build import build_learner, load, prepare
from harness.runs.steps import Trainer
from harness.runs.streams import stream
from harness.runs.tape import Tape
from harness.store.files import write_text
from harness.studies.data import with_data
from harness.studies.show import show
from harness.studies.step_sizes.table import CURVE, format_step_sizes
from harness.workers.parts import (
    begin_study,
    compute_parts,
    folder_of_parts,
    gather,
    study_folder,
    write_part,
)

NAME = "step-sizes"


@dataclass(frozen=True)
class StepSizesStudy:
    """Size of the study.

    Attributes:
        iterations: after how many the rule is asked.
        window: of so many iterations before, the training bounds are averaged.
        seeds: of each curve.
    """

    iterations: tuple[int, ...] = (200, 500, 1000, 2000)
    window: int = 100
    seeds: tuple[int, ...] = (0, 1, 2)


STUDIES: Mapping[str, StepSizesStudy] = {
    "smoke": StepSizesStudy((120, 150), 10, (0,)),
    "quick": StepSizesStudy(),
    "paper": StepSizesStudy((200, 500, 1000, 2000, 5000, 10_000), 100, (0, 1, 2, 3, 4)),
}


@dataclass(frozen=True)
class Part:
    """One curve, one of the step sizes and one seed."""

    study: StepSizesStudy
    folder: Path
    config: Config
    data: Path | None

    @property
    def files(self) -> tuple[Path]:
        """Where its rows are kept."""
        return (folder_of_parts(self.folder, self.study) / f"{self.config.id}.csv",)

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.config.name}, η = {self.config.step_size}"

    def compute(self) -> None:
        """Train so far, and average each window's bounds."""
        config = self.config
        assert config.step_size != "auto"
        data = prepare(config, load(config, self.data), torch.device("cpu"))
        learner = build_learner(config, data, config.step_size)
        trainer = Trainer(config, data, [learner], [Tape(config, data, learner)], stream("training", config.seed))
        with np.errstate(invalid="ignore"):
            (bounds,) = trainer.advance(max(self.study.iterations))
            rows = [
                {
                    **{column: getattr(config, column) for column in CURVE},
                    "step_size": config.step_size,
                    "seed": config.seed,
                    "iterations": n,
                    "bound": float(np.mean(bounds[n - self.study.window : n])),
                }
                for n in self.study.iterations
            ]
        write_part(*self.files, rows)


def show_study(request: Request) -> None:
    """Run the study at the request's scale and print its table."""
    study, folder = STUDIES[request.scale], study_folder(request.results, NAME)
    show(request, NAME, [NAME], lambda: [run_study(study, folder, request)], format_step_sizes)


def parts_of(study: StepSizesStudy, folder: Path, data: Path | None) -> list[Part]:
    """A part for each curve of figures 2 and 3 whose learner has bounds, each step size and each seed."""
    configs = [
        config
        for figure in (FIGURE2, FIGURE3)
        for step_size in STEP_SIZE_CANDIDATES
        for config in figure.configs(
            f"author+step_size={step_size}",
            figure.panels,
            study.seeds,
            methods=[method for method in figure.methods if method != "mcem"],
        )
    ]
    return [Part(study, folder, config, data) for config in configs]


def run_study(study: StepSizesStudy, folder: Path, request: Request) -> pd.DataFrame:
    """Compute the parts that are not in the folder, write step-sizes.csv and return it.

    Columns: measure, dataset, n_train, n_latent and method, which name a curve, step_size, seed, iterations, and bound:
    the mean training bound of the window before, nats. Curves whose dataset is not to be had are left out, and told.
    """
    parts = with_data(parts_of(study, folder, request.data), lambda part: part.config.dataset, request.data)
    begin_study(study, folder, parts, force=request.force)
    compute_parts(parts, request.place, force=request.force)
    table = gather(parts)
    write_text(folder / f"{NAME}.csv", table.to_csv(index=False))
    return table
