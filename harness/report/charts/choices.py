"""The study of choices as a chart: a line for each alternative, what it shifts and whether the paper's curve tells."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.figures.compare import label, scientific
from harness.report.charts import marks
from harness.report.charts.axis import MINUS, Axis
from harness.report.charts.marks import Mark
from harness.studies.choices.plot import LINEAR, MOST
from harness.studies.choices.table import decided
from harness.studies.verdict import ERRORS, widened

WIDTH, HEIGHT, MARGIN = 200.0, 20.0, 8.0
APART = 7.0  # pixels from dot to dot
MEASURES = ("shift", "farther")
SIZES = {2: 0, 3: 0, 5: 1, 10: 2, 20: 3}  # looks of effort, the darker the more latent variables
SHAPES = {"aevb": "circle", "wake_sleep": "diamond"}


@dataclass(frozen=True)
class Dot:
    """One curve's value: how it looks, and what is told who points at it."""

    mark: Mark
    told: str


@dataclass(frozen=True)
class Cell:
    """An alternative on one data set's curves: its whiskers and dots."""

    whiskers: list[Mark]
    dots: list[Dot]
    height: float


@dataclass(frozen=True)
class Forest:
    """The chart.

    Attributes:
        columns: of each its data set, its measure and its axis.
        lines: of each its choice, its value and its cells.
        told: on the whole: at how many `samples`, and of so many comparisons how many speak for and against the
            protocol.
    """

    columns: list[tuple[str, str, Axis]]
    lines: list[tuple[str, str, list[Cell]]]
    told: dict[str, object]
    width: float = WIDTH


def forest(table: pd.DataFrame) -> Forest | None:
    """From the study's table, nats; bars are two standard errors; hollow where they reach 0. None without rows."""
    datasets = [name for name in LINEAR if (table["dataset"] == name).any()]
    columns = [(label(name), measure, _axis(name)) for name in datasets for measure in MEASURES]
    if not columns:
        return None
    lines = []
    for (choice, value), rows in table.groupby(["choice", "value"], sort=False):
        parts = [(rows[rows["dataset"] == name], measure) for name in datasets for measure in MEASURES]
        cells = [_cell(part, measure, axis) for (part, measure), (_, _, axis) in zip(parts, columns, strict=True)]
        lines.append((str(choice), str(value), cells))
    return Forest(columns, lines, _whole(table))


def _whole(table: pd.DataFrame) -> dict[str, object]:
    rows = table[np.isfinite(table["farther"].astype(float)) & np.isfinite(table["farther_error"].astype(float))]
    sides = [decided(*row) for row in rows[["farther", "farther_error", "seeds"]].itertuples(index=False)]
    samples = scientific(table["samples"].max())
    return {"samples": samples, "of": len(sides), "speaks_for": sides.count(1), "against": sides.count(-1)}


def _axis(dataset: str) -> Axis:
    most, linear = MOST[dataset], LINEAR[dataset]
    return Axis(-most, most, MARGIN, WIDTH - MARGIN, linear=linear, named=(-most, -linear, 0, linear, most))


def _cell(part: pd.DataFrame, measure: str, axis: Axis) -> Cell:
    there = part[np.isfinite(part[measure].astype(float))].to_dict("records")
    whiskers, dots, height = [], [], max(HEIGHT, APART * len(there))
    for k, row in enumerate(there):
        value, error, seeds = float(row[measure]), float(row[f"{measure}_error"]), int(row["seeds"])
        look = f"effort-{SIZES.get(int(row['n_latent']), 0)}"
        py = height * (k + 0.5) / len(there)
        x = float(axis.place(np.clip(value, axis.low, axis.high)))
        reach = ERRORS * widened(error, seeds - 1)
        if np.isfinite(reach):
            ends = axis.place(np.clip([value - reach, value + reach], axis.low, axis.high))
            whiskers.append(Mark(f"stroke {look}", f"M{ends[0]:.1f} {py:.1f}H{ends[1]:.1f}"))
        sure = "" if decided(value, error, seeds) else " hollow"
        shape = SHAPES.get(str(row["method"]), "square")
        mark = marks.dot(f"{look}{sure}", x, py, 2.6, shape)
        dots.append(Dot(mark, f"{label(str(row['method']))}, N_z = {row['n_latent']}: {_told(value, error)}"))
    return Cell(whiskers, dots, height)


def _told(value: float, error: float) -> str:
    spread = "" if np.isnan(error) else f" ± {error:.2g}"
    return f"{value:+.3g}{spread}".replace("-", MINUS)


def legend(table: pd.DataFrame) -> Sequence[tuple[str, str]]:
    """Look and name of each curve that the table has."""
    curves = sorted({(str(row["method"]), int(row["n_latent"])) for row in table.to_dict("records")})
    return [
        (f"{SHAPES.get(method, 'square')} effort-{SIZES.get(size, 0)}", f"{label(method)}, N_z = {size}")
        for method, size in curves
    ]
