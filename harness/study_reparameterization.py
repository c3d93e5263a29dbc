"""Why does the reparameterization trick matter? The noise of the bound's gradient with respect to φ, and what it costs.

The paper's statements: the naive score-function gradient has very high variance (section 2.2), estimator B typically
has less than A, and L = 1 suffices where M is large enough (section 2.3).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import torch

from harness.environment import describe
from harness.files import write_text
from harness.gradient_table import ESTIMATORS, B, format_study
from harness.plan import Request
from harness.plot_reparameterization import plot_reparameterization
from harness.progress import countdown
from harness.reparameterization_curve import Curve
from harness.reparameterization_stage import Stage
from harness.reparameterization_training import BATCH, STEP_SIZE, Study, Training
from harness.schedule import Place, in_parallel
from harness.stored import read_table

STUDIES: Mapping[str, Study] = {
    "smoke": Study((0, 11_000, 12_000), 50, 16, 20, 12_000, (0,), 2, (20,), step_sizes=(0.02,), test_points=200),
    "quick": Study(),
    "paper": Study((0, 50_000, 10_000_000), 5000, 64, 500, 2_000_000, (0, 1, 2), test_points=10_000),
}


def show_study(request: Request) -> None:
    """Run the study at the request's scale, print its tables and verdicts and draw its figure."""
    study, folder = STUDIES[request.scale.name], request.results / request.scale.name / "reparameterization"
    variance, curves = run_study(study, folder, request.place, force=request.force)
    print(format_study(variance, curves))
    for path in plot_reparameterization(variance, curves, folder / "reparameterization"):
        print(f"wrote {path}")


def parts_of(study: Study, folder: Path) -> list[Training | Curve | Stage]:
    """Everything to compute: the training run, the learning curves, the longest first, and then the run's stages."""
    every = [
        *((B, m, n, STEP_SIZE) for m, n in study.long_curves),
        *((name, BATCH, 1, step_size) for name in ESTIMATORS for step_size in study.step_sizes),
    ]
    curves = [Curve(study, folder, *which, seed) for which in every for seed in study.seeds]
    return [Training(study, folder), *curves, *(Stage(study, folder, samples) for samples in study.stages)]


def run_study(study: Study, folder: Path, place: Place, *, force: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute the parts that are not in the folder, write variance.csv and curves.csv and return both.

    Columns of variance.csv: stage (training samples before), estimator, n_samples (L), batch_size (M), variance (of the
    gradient of the bound for each datapoint, nats² for a coordinate of φ, mean over coordinates) with its
    standard_error, simulated and simulated_error (the same by direct simulation, where it was done),
    between_datapoints (the part that no L takes away), ratio_to_b (variance over estimator B's, same L and M) and
    ratio_error, signal (squared expected gradient, mean over coordinates) and signal_error, seconds.

    Columns of curves.csv: estimator, batch_size, n_samples, step_size, seed, samples (datapoints visited), evaluations
    (of the decoder), train (running mean of the estimates since the last point) and test (bound), nats, seconds.
    """
    settings = json.dumps(asdict(study), indent=1)
    config = folder / "config.json"
    parts = parts_of(study, folder)
    if force or (config.exists() and config.read_text() != settings):
        for path in (folder / "parts").glob("*"):
            path.unlink()
    left = [part for part in parts if not part.file.exists()]
    if left:
        write_text(config, settings)
        write_text(folder / "environment.json", json.dumps(describe(torch.device("cpu")), indent=1))
    in_parallel(compute_part, left, place, countdown(len(left), "{0.name}".format))
    variance, curves = (
        _gather([part for part in parts if isinstance(part, kind)], folder / name)
        for kind, name in ((Stage, "variance.csv"), (Curve, "curves.csv"))
    )
    return variance, curves


def compute_part(part: Training | Curve | Stage) -> None:
    """In a worker."""
    part.compute()


def _gather(parts: Sequence[Training | Curve | Stage], path: Path) -> pd.DataFrame:
    table = pd.concat([read_table(part.file) for part in parts], ignore_index=True)
    write_text(path, table.to_csv(index=False))
    return table
