"""The study of the gradient as charts: its noise against L and against M, and what it does to learning."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.report.charts import marks
from harness.report.charts.axis import MINUS, Axis
from harness.report.charts.chart import TALL, WIDE, Chart, Group, Legend, Plot, Row, heights, readout
from harness.studies.reparameterization.table import (
    BASELINE,
    ESTIMATORS,
    NAIVE,
    PAPER_BATCH,
    PAPER_SAMPLES,
    A,
    B,
    best_curves,
    equally_many,
    shared_step_size,
    value,
)

LOOKS = {NAIVE: "naive", BASELINE: "baseline", A: "estimator-a", B: "estimator-b"}
SIZES = {(100, 1): "m100-l1", (100, 10): "m100-l10", (10, 1): "m10-l1", (10, 10): "m10-l10"}
ROOM = 1.6  # the axis goes so many times beyond what it shows
SOURCE = "study-reparameterization"


def groups(variance: pd.DataFrame, curves: pd.DataFrame) -> list[Group]:
    """Variance against L and against M, a panel for each stage of training; and the learning curves."""
    stages = sorted(variance["stage"].unique())
    legend: Legend = [(f"{LOOKS[name]} train", (name,)) for name in ESTIMATORS]
    found = []
    for varied, fixed, at in (("n_samples", "batch_size", PAPER_BATCH), ("batch_size", "n_samples", PAPER_SAMPLES)):
        rows = variance[variance[fixed] == at]
        charts = [
            Chart(
                f"variance-{varied}-{k}",
                ("chart.variance.stage", {"count": f"{stage:,}"}) if stage else ("chart.variance.start", {}),
                TALL,
                [_noise(rows[rows["stage"] == stage], varied, rows)],
                [SOURCE],
            )
            for k, stage in enumerate(stages)
        ]
        signal: Legend = [("signal", ("the gradient itself, squared",))]
        found.append(Group(f"variance.{varied}", charts, len(charts), legend + signal))
    if len(curves):
        best = best_curves(curves)
        by_name = [((name,), LOOKS[name], best[best["estimator"] == name]) for name in ESTIMATORS]
        shared = shared_step_size(equally_many(curves))
        by_size = [
            ((f"M = {m}", f"L = {n}"), look, shared[(shared["batch_size"] == m) & (shared["n_samples"] == n)])
            for (m, n), look in SIZES.items()
        ]
        compute = Chart("learning-compute", ("chart.learning.compute", {}), WIDE, [_learning(by_name)], [SOURCE])
        kinds: Legend = [(f"{look} train", name) for name, look, _ in by_size]
        sizes = Chart("learning-sizes", ("chart.learning.sizes", {}), WIDE, [_learning(by_size, log=True)], [SOURCE])
        found.append(Group("learning.compute", [compute], 2, legend))
        found.append(Group("learning.sizes", [sizes], 2, kinds))
    return found


def _noise(rows: pd.DataFrame, varied: str, all_stages: pd.DataFrame) -> Plot:
    stops = sorted(rows[varied].unique())
    x = Axis(stops[0] / ROOM, stops[-1] * ROOM, TALL.left, TALL.right, log=True,
             named=tuple(float(s) for s in stops if s in (1, 10, 100, 1000)))  # fmt: skip
    known = all_stages["variance"]
    y = Axis(known.min() / ROOM, known.max() * ROOM, TALL.bottom, TALL.top, log=True)
    drawn, told = [], []
    signal = value(rows, B, "signal")
    if signal > 0:  # estimated without bias, so that it can come out below
        drawn.append(marks.level("signal", x, y, signal))
    for name in ESTIMATORS:
        look, part = LOOKS[name], rows[rows["estimator"] == name].set_index(varied)
        drawn.append(marks.stroke(f"{look} train", x, y, part.index, part["variance"]))
        if name != A:  # a wide stroke, over which B's lies
            drawn += [marks.dot(look, float(px), float(py), 2.5) for px, py in
                      zip(x.place(part.index), y.place(part["variance"]), strict=True)]  # fmt: skip
        values = part.reindex(stops)
        cells = [f"{v:.3g} ± {e:.1g}".replace("-", MINUS) if math.isfinite(v) else ""
                 for v, e in values[["variance", "standard_error"]].to_numpy()]  # fmt: skip
        told.append(Row((name,), f"{look} train", [cells], [heights(y, values["variance"])], [look]))
    if signal > 0:
        level = [f"{signal:.3g}".replace("-", MINUS)] * len(stops)
        told.append(Row(("the gradient itself, squared",), "signal", [level]))
    letter = "L" if varied == "n_samples" else "M"
    names = [f"{letter} = {stop:,}" for stop in stops]
    return Plot(x, y, drawn, readout(x, [*map(float, stops)], names, "", ("variance",), told))


def _learning(curves: Sequence[tuple[tuple[str, ...], str, pd.DataFrame]], *, log: bool = False) -> Plot:
    """Mean over seeds, and from the lowest to the highest; without the first tenth, where the bound jumps up."""
    table = pd.concat([rows for _, _, rows in curves])
    late = table.loc[table["samples"] > 0.1 * table["samples"].max(), "test"]
    margin = max(0.05 * (late.max() - late.min()), 0.5)
    y = Axis(late.min() - margin, late.max() + margin, WIDE.bottom, WIDE.top)
    first, last = table["evaluations"].min(), table["evaluations"].max()
    x = Axis(first if log else 0, last, WIDE.left, WIDE.right, log=log)
    stops = sorted(table["evaluations"].unique())
    drawn: list[marks.Mark] = []
    told = []
    for name, look, rows in curves:
        by = rows.groupby("evaluations")["test"]
        mean, low, high = by.mean(), by.min(), by.max()
        drawn.insert(0, marks.band(look, x, y, mean.index, low, high))
        drawn.append(marks.stroke(f"{look} train", x, y, mean.index, mean))
        values = mean.reindex(stops)
        cells = ["" if np.isnan(v) else f"{v:.1f}".replace("-", MINUS) for v in values]
        told.append(Row(name, f"{look} train", [cells], [heights(y, values)], [look]))
    names = [f"{stop:,}" for stop in stops]
    return Plot(x, y, drawn, readout(x, [*map(float, stops)], names, "evaluations", ("test bound",), told))
