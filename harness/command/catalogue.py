"""What can be reproduced, what is done, and what the rest would cost."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from aevb import shipped
from harness.experiments.config import Config
from harness.experiments.paper import EXPERIMENTS, FIGURE2, PICTURES
from harness.figures.plan import Request
from harness.runs.curve import grid
from harness.store.find import find_run
from harness.store.run_folder import RunFolder
from harness.store.tables import read_table
from harness.studies.marginal import study as study_marginal
from harness.studies.reparameterization import study as study_reparameterization
from harness.studies.reparameterization.table import CURVE
from harness.workers.parts import Part, is_done


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
    rows: list[dict[str, object]] = []
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
    for name, marginal in study_marginal.STUDIES.items():
        folder = request.results / name / "marginal"
        parts: list[Part] = [
            study_marginal.Part(marginal, data, size, folder)
            for data in study_marginal.DATA
            for size in marginal.n_latent
        ]
        measured = _read(request, f"{name}/marginal/marginal.csv", "seconds")
        seconds = measured[0]["seconds"].sum() if measured else float("nan")
        rows.append(_study_row("marginal", name, "mnist, simulated", parts, seconds))
    for name, study in study_reparameterization.STUDIES.items():
        folder = request.results / name / "reparameterization"
        parts = [*study_reparameterization.parts_of(study, folder)]
        # Rows tell when their part was done with them, counted from its start.
        keys = [["stage"], [*CURVE]]
        tables = [
            _read(request, f"{name}/reparameterization/{table}.csv", "seconds", *key)
            for table, key in zip(("variance", "curves"), keys, strict=True)
        ]
        spent = [table[0].groupby(key)["seconds"].max().sum() for table, key in zip(tables, keys, strict=True) if table]
        rows.append(_study_row("reparameterization", name, "mnist", parts, sum(spent) if all(tables) else float("nan")))
    return pd.DataFrame(rows)


def _is_done(config: Config, request: Request) -> bool:
    """The run is in the store; figures 4 and 5 take figure 2's too."""
    if request.experiment in PICTURES.values():
        return find_run(request.results, request.scale.name, config) is not None
    return RunFolder(request.runs, config).is_done()


def _study_row(study: str, scale: str, dataset: str, parts: Sequence[Part], seconds: float) -> dict[str, object]:
    """A study's parts, and the share of its time that is left for those that are not done."""
    done = sum(is_done(part) for part in parts)
    return {
        "what": f"study {study}",
        "scale": scale,
        "samples": "–",
        "dataset": dataset,
        "runs": len(parts),
        "done": done,
        "core_hours": seconds / 3600 * (1 - done / len(parts)),
    }


def _core_hours(configs: Sequence[Config], request: Request) -> float:
    """Training and evaluation of these runs, from the speed of finished ones; NaN where one has no like."""
    # Figures 4 and 5 have runs like figure 2's.
    figure = f"figure{FIGURE2.figure if request.experiment in PICTURES.values() else request.experiment.figure}"
    needed = ("status", "samples", "samples_per_second", "evaluation_seconds", *request.experiment.key)
    tables = [table for scale in ("paper", "quick") for table in _read(request, f"{scale}/{figure}/runs.csv", *needed)]
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


def _read(request: Request, file: str, *columns: str) -> list[pd.DataFrame]:
    """That table of the user's store, then that of the project's published results, where there are any."""
    return [read_table(root / file, *columns) for root in (request.results, shipped.RESULTS) if (root / file).exists()]
