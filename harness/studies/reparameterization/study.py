"""Why does the reparameterization trick matter? The noise of the bound's gradient with respect to φ, and what it costs.

The paper's statements: the naive score-function gradient has very high variance (section 2.2), estimator B typically
has less than A, and L = 1 suffices where M is large enough (section 2.3).
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from harness.figures.request import Request
from harness.store.files import write_text
from harness.studies.reparameterization.curve import Curve
from harness.studies.reparameterization.plot import plot_reparameterization
from harness.studies.reparameterization.stage import Stage
from harness.studies.reparameterization.table import ESTIMATORS, B, format_study
from harness.studies.reparameterization.training import BATCH, STEP_SIZE, Study, Training
from harness.studies.show import show
from harness.workers.parts import begin_study, compute_parts, gather, study_folder
from harness.workers.schedule import Place

NAME = "reparameterization"
PAIR = tuple((B, BATCH, n_samples, STEP_SIZE) for n_samples in (1, 10))  # whose difference is small

STUDIES: Mapping[str, Study] = {
    "smoke": Study((0, 100_000), 50, 16, 20, 12_000, (0,), (0,), 2, (20,), step_sizes=(0.02,), test_points=200),
    "quick": Study(),
    "paper": Study((0, 100_000, 10_000_000), 5000, 64, 500, 2_000_000, test_points=10_000),
}


def show_study(request: Request) -> None:
    """Run the study at the request's scale, print its tables and verdicts and draw its figure."""
    study, folder = STUDIES[request.scale], study_folder(request.results, NAME)

    def run() -> tuple[pd.DataFrame, pd.DataFrame]:
        return run_study(study, folder, request.place, force=request.force)

    show(request, NAME, ["variance", "curves"], run, format_study, plot_reparameterization)


def parts_of(study: Study, folder: Path) -> list[Training | Curve | Stage]:
    """Everything to compute: the training run, the learning curves, the longest first, and then the run's stages."""
    every = [
        *((B, m, n, STEP_SIZE) for m, n in study.long_curves),
        *((name, BATCH, 1, step_size) for name in ESTIMATORS for step_size in study.step_sizes),
    ]
    curves = [
        Curve(study, folder, *which, seed)
        for which in every
        for seed in (study.pair_seeds if which in PAIR else study.seeds)
    ]
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
    parts = parts_of(study, folder)
    begin_study(study, folder, parts, force=force)
    compute_parts(parts, place, force=force)
    variance, curves = (gather(part for part in parts if isinstance(part, kind)) for kind in (Stage, Curve))
    write_text(folder / "variance.csv", variance.to_csv(index=False))
    write_text(folder / "curves.csv", curves.to_csv(index=False))
    return variance, curves
