"""What can be reproduced, what is done, and what the rest would cost."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from harness.config import Config
from harness.curve import grid
from harness.experiments import EXPERIMENTS, FIGURE2, PICTURES
from harness.find import find_run
from harness.plan import Request
from harness.store import RunFolder
from harness.study_marginal import DATA, STUDIES, Part

PUBLISHED_RUNS = Path(__file__).resolve().parent.parent / "results" / "reference"


def show_catalogue(request: Request) -> None:
    """Print the catalogue."""
    table = catalogue(request)
    hours = table["core_hours"].map(lambda value: "not measured" if pd.isna(value) else f"{value:.2g}")
    print(table.assign(core_hours=hours).to_string(index=False))


def catalogue(request: Request) -> pd.DataFrame:
    """What can be reproduced at each scale, what of it is done, and what the rest would cost.

    Columns: what (a figure or study), scale, samples (for each curve), dataset, runs, done, and core_hours for what is
    not done, from the speed of like runs in the store or in the project's published results; NaN where none was
    measured.
    """
    rows = []
    figures = (*EXPERIMENTS.values(), *PICTURES.values())
    scales = [(experiment, scale) for experiment in figures for scale in experiment.scales.values()]
    for experiment, scale in scales:
        at_scale = replace(request, experiment=experiment, scale=scale)
        methods = [method for method in request.methods or experiment.methods if method in experiment.methods]
        for dataset in experiment.panels if methods else ():
            configs = experiment.configs(scale, request.protocol, [dataset], request.seeds, methods=methods)
            left = [config for config in configs if not _is_done(config, at_scale)]
            rows.append(
                {
                    "what": f"figure {experiment.figure}",
                    "scale": scale.name,
                    "samples": f"{scale.samples:,}",
                    "dataset": dataset,
                    "runs": len(configs),
                    "done": len(configs) - len(left),
                    "core_hours": _core_hours(left, at_scale),
                }
            )
    for name, study in STUDIES.items():
        folder = request.results / name / "marginal"
        done = [Part(study, data, size, folder).file.exists() for data in DATA for size in study.n_latent]
        measured = _read(request, f"{name}/marginal/marginal.csv")
        hours = measured[0]["seconds"].sum() / 3600 if measured else float("nan")
        rows.append(
            {
                "what": "study marginal",
                "scale": name,
                "samples": "–",
                "dataset": "mnist, simulated",
                "runs": len(done),
                "done": sum(done),
                "core_hours": hours * (1 - sum(done) / len(done)),
            }
        )
    return pd.DataFrame(rows)


def _is_done(config: Config, request: Request) -> bool:
    """The run is in the store; figures 4 and 5 take figure 2's too."""
    if request.experiment in PICTURES.values():
        return find_run(request.results, request.scale.name, config) is not None
    return RunFolder(request.runs, config).is_done()


def _core_hours(configs: Sequence[Config], request: Request) -> float:
    """Training and evaluation of these runs, from the speed of finished ones; NaN where one has no like."""
    # Figures 4 and 5 have runs like figure 2's.
    figure = f"figure{FIGURE2.figure if request.experiment in PICTURES.values() else request.experiment.figure}"
    tables = [table for scale in ("paper", "quick") for table in _read(request, f"{scale}/{figure}/runs.csv")]
    seconds = 0.0
    for config in configs:
        like = [run for run in (_like(table, config, request.experiment.key) for table in tables) if run is not None]
        if not like:
            return float("nan")
        run = like[0]
        points = len(grid(config.samples, config.points_per_decade, config.first_point))
        measured = len(grid(int(run["samples"]), config.points_per_decade, config.first_point))
        seconds += config.samples / run["samples_per_second"] + run["evaluation_seconds"] * points / measured
    return seconds / 3600


def _like(runs: pd.DataFrame, config: Config, key: Sequence[str]) -> pd.Series | None:
    """A finished run of the same dataset, size and method."""
    runs = runs[runs["status"] == "finished"]
    for column in key:
        runs = runs[runs[column] == getattr(config, column)]
    return runs.iloc[0] if len(runs) else None


def _read(request: Request, file: str) -> list[pd.DataFrame]:
    """That table of the user's store, then that of the project's published results, where there are any."""
    return [pd.read_csv(root / file) for root in (request.results, PUBLISHED_RUNS) if (root / file).exists()]
