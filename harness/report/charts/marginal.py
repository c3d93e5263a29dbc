"""The study of log p(x)'s estimators as charts: how far each is from the truth, against the size of z."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from harness.report.charts import marks
from harness.report.charts.axis import MINUS, Axis, category
from harness.report.charts.chart import SMALL, Chart, Group, Legend, Plot, Row, heights, readout
from harness.report.charts.marks import Mark
from harness.studies.marginal.table import ESTIMATORS, LIMIT, LINEAR, NATS, first_seed, rows_of, with_spread

DATA = ("mnist", "simulated")
LOOKS = 4  # of effort, from the least


def groups(table: pd.DataFrame, source: str) -> list[Group]:
    """A row of panels for each kind of data, a panel for each estimator; nats, mean and spread over datapoints."""
    table = first_seed(table)
    sizes = sorted(table["n_latent"].unique())
    legend: Legend = [(f"effort-{k}", (name,)) for k, name in ((0, "least effort"), (LOOKS - 1, "most effort"))]
    found = []
    for data in DATA:
        charts = []
        for k, estimator in enumerate(ESTIMATORS):
            part = rows_of(table, data, estimator)
            if len(part):
                title: tuple[str, dict[str, object]] = (f"word.{estimator}", {})
                plots = [_plot(part, list(map(int, sizes)), estimator)]
                charts.append(Chart(f"marginal-{data}-{k}", title, SMALL, plots, [source]))
        if charts:
            found.append(Group(f"marginal.{data}", charts, len(ESTIMATORS), legend))
    return found


def _plot(part: pd.DataFrame, sizes: list[int], estimator: str) -> Plot:
    x = category([str(size) for size in sizes], SMALL.left, SMALL.right)
    y = Axis(-LIMIT, LIMIT, SMALL.bottom, SMALL.top, linear=LINEAR, named=(-10, -1, 0, 1, 10))
    drawn = [marks.level("plain", x, y, 0), *(marks.level("limit", x, y, at) for at in (-NATS, NATS))]
    efforts, rows = sorted(part["effort"].unique()), []
    unit = "temperatures" if estimator == "AIS" else "samples"
    for (name, effort), curve in part.groupby(["estimator", "effort"]):
        upper = str(name).endswith("upper bound")
        shape = "down" if upper else "up" if estimator == "AIS" else "circle"
        rank = efforts.index(effort)
        look = f"effort-{round(rank * (LOOKS - 1) / max(len(efforts) - 1, 1))}"
        values = curve.set_index("n_latent").reindex(sizes)
        shift = 0.16 * (rank - (len(efforts) - 1) / 2)
        for px, row in zip(x.place(np.arange(len(sizes)) + shift), values.to_dict("records"), strict=True):
            drawn += _point(look, float(px), y, shape, row)
        cells = [_told(row) for row in values.to_dict("records")]
        words = (str(name).removeprefix("AIS, "),) if estimator == "AIS" else ()
        rows.append(Row((*words, f"{effort:,}", unit), look, [cells], [heights(y, values["bias"])], [look]))
    names = [f"N_z = {size}" for size in sizes]
    return Plot(x, y, drawn, readout(x, range(len(sizes)), names, "", ("bias ± spread",), rows))


def _point(look: str, px: float, y: Axis, shape: str, row: Mapping[Hashable, Any]) -> list[Mark]:
    """Mean and spread; what has no place on the axis is marked at its edge."""
    if pd.isna(row["estimator"]):
        return []
    top = float(y.end) + 5
    if pd.isna(row["bias"]):
        return [marks.dot(look, px, top, 3, "cross")]
    if abs(row["bias"]) >= LIMIT:
        return [marks.dot(f"{look} hollow", px, top if row["bias"] > 0 else float(y.start) - 5, 3, shape)]
    low, high = (float(y.place(np.clip(row["bias"] + s * row["spread"], y.low, y.high))) for s in (-1, 1))
    return [marks.whisker(look, px, low, high), marks.dot(look, px, float(y.place(row["bias"])), 3, shape)]


def _told(row: Mapping[Hashable, Any]) -> str:
    if pd.isna(row["estimator"]):
        return ""
    if pd.isna(row["bias"]):
        return "–"
    return with_spread(row["bias"], row["spread"]).replace("-", MINUS)
