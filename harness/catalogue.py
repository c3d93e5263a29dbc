"""What can be reproduced, what is done, and what the rest would cost."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from harness.config import Config
from harness.experiments import EXPERIMENTS
from harness.figure import Request
from harness.store import RunFolder

PUBLISHED_RUNS = Path(__file__).resolve().parent.parent / "results" / "reference"


def show_catalogue(request: Request) -> int:
    """Print the catalogue."""
    table = catalogue(request)
    hours = table["core_hours"].map(lambda value: "not measured" if pd.isna(value) else f"{value:.2f}")
    print(table.assign(core_hours=hours).to_string(index=False))
    return 0


def catalogue(request: Request) -> pd.DataFrame:
    """What can be reproduced at each scale, what of it is done, and what the rest would cost.

    Columns: figure, scale, samples, dataset, runs, done, and core_hours for what is not done, from the speed of like
    runs in the store or in the project's published results; NaN where none was measured.
    """
    rows = []
    scales = [(experiment, scale) for experiment in EXPERIMENTS.values() for scale in experiment.scales.values()]
    for experiment, scale in scales:
        at_scale = replace(request, experiment=experiment, scale=scale)
        for dataset in experiment.panels:
            configs = experiment.configs(scale, request.protocol, [dataset], request.seeds, methods=request.methods)
            statuses = [RunFolder(at_scale.runs, config).status() for config in configs]
            left = [c for c, status in zip(configs, statuses, strict=True) if status is None or not status.final]
            seconds = [_seconds_per_sample(config, at_scale) for config in left]
            known = all(value is not None for value in seconds)
            hours = sum(value * c.samples for value, c in zip(seconds, left, strict=True) if value) / 3600
            rows.append(
                {
                    "figure": experiment.figure,
                    "scale": scale.name,
                    "samples": scale.samples,
                    "dataset": dataset,
                    "runs": len(configs),
                    "done": len(configs) - len(left),
                    "core_hours": hours if known else float("nan"),
                }
            )
    return pd.DataFrame(rows)


def _seconds_per_sample(config: Config, request: Request) -> float | None:
    """Training seconds a sample of the same dataset, size and method, as measured; None where nobody did."""
    figure = f"figure{request.experiment.figure}"
    for root in (request.results, PUBLISHED_RUNS):
        for scale in ("paper", "quick"):
            path = root / scale / figure / f"{figure}.csv"
            if not path.exists():
                continue
            table = pd.read_csv(path)
            for column in request.experiment.key:
                table = table[table[column] == getattr(config, column)]
            if len(table):
                last = table.iloc[-1]
                return float(last["seconds"] / last["samples"])
    return None
