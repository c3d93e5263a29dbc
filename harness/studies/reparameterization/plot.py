"""The figure of the reparameterization study: how noisy each gradient is, and what that does to learning."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from harness.figures.panel import DARK, GREY, STYLE, save
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

LOOK: Mapping[str, Mapping[str, Any]] = {
    NAIVE: {"color": "#1f4fa0", "linewidth": 2.2, "marker": "s"},
    BASELINE: {"color": "#6fb1e0", "linewidth": 2.2, "marker": "D"},
    A: {"color": "#f0a13c", "linewidth": 5.0, "marker": ""},
    B: {"color": "#a50f22", "linewidth": 1.6, "marker": "o"},
}
LABELS = {
    NAIVE: "score function (naive)",
    BASELINE: "score function with baseline",
    A: "reparameterization, estimator A",
    B: "reparameterization, estimator B",
}
SIGNAL: Mapping[str, Any] = {"color": DARK, "linestyle": (0, (4, 2)), "linewidth": 1.2}
SIZES = {(100, 1): "#a50f22", (100, 10): "#e59aa3", (10, 1): "#4c7a34", (10, 10): "#a9cf92"}
CAPTION = (
    "Left: variance of the estimated gradient with respect to φ, mean over coordinates, ± 2 standard errors; below the "
    "dashed line the noise is smaller than the gradient itself.\n"
    "The baseline is a constant where $L$ = 1, else the mean of the datapoint's other draws. "
    "Right: lower bound on MNIST test images while θ and φ are learnt; bands from the lowest to the highest seed."
)


def plot_reparameterization(variance: pd.DataFrame, curves: pd.DataFrame, stem: Path) -> list[Path]:
    """Write the figure to `stem`.png and `stem`.svg: variance against L and against M at each stage, then learning."""
    stages = sorted(variance["stage"].unique())
    with matplotlib.rc_context(STYLE):
        engine = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
        figure = Figure(figsize=(3.5 * len(stages) + 4.9, 8.2), layout=engine)
        grid = figure.add_gridspec(2, len(stages) + 1, width_ratios=[*[3.5] * len(stages), 4.6])
        for column, stage in enumerate(stages):
            part = variance[variance["stage"] == stage]
            upper = figure.add_subplot(grid[0, column])
            lower = figure.add_subplot(grid[1, column], sharey=upper)
            _noise(upper, part[part["batch_size"] == PAPER_BATCH], "n_samples")
            _noise(lower, part[part["n_samples"] == PAPER_SAMPLES], "batch_size")
            _compare(upper, part)
            upper.set_title(f"after {stage:,} training samples" if stage else "before training")
            upper.set_xlabel(f"noise samples $L$ for each datapoint ($M$ = {PAPER_BATCH})")
            lower.set_xlabel(f"datapoints $M$ in a minibatch ($L$ = {PAPER_SAMPLES})")
            if column == 0:
                for axes in (upper, lower):
                    axes.set_ylabel("noise: variance of the gradient")
        _learning(figure.add_subplot(grid[0, -1]), curves)
        _sizes(figure.add_subplot(grid[1, -1]), curves)
        handles = [Line2D([], [], label=LABELS[name], **LOOK[name]) for name in ESTIMATORS]
        handles.append(Line2D([], [], label="the gradient itself, squared", **SIGNAL))
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False, fontsize=10.5)
        figure.supxlabel(CAPTION, fontsize=9.5, color=DARK)
        return save(figure, stem)


def _noise(axes: Axes, rows: pd.DataFrame, x: str) -> None:
    for name in ESTIMATORS:
        part = rows[rows["estimator"] == name].sort_values(x)
        axes.errorbar(part[x], part["variance"], 2 * part["standard_error"], markersize=4.5, **LOOK[name])
    if (signal := value(rows, B, "signal")) > 0:  # estimated without bias, so that it can come out below
        axes.axhline(signal, **SIGNAL)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(ticks := sorted(rows[x].unique())[:: 1 if x == "batch_size" else 3], [f"{n:,}" for n in ticks])
    axes.minorticks_off()


def _compare(axes: Axes, part: pd.DataFrame) -> None:
    """An arrow from B up to the naive estimator, with the factor between them."""
    rows = part[(part["batch_size"] == PAPER_BATCH) & (part["n_samples"] == PAPER_SAMPLES)]
    low, high, factor = value(rows, B, "variance"), value(rows, NAIVE, "variance"), value(rows, NAIVE, "ratio_to_b")
    left = 0.6
    axes.set_xlim(left=0.42)
    arrow = {"arrowstyle": "<->", "color": GREY, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (left, high), (left, low), arrowprops=arrow)
    power = int(np.log10(factor))
    text = f"×{factor:,.0f}" if power < 5 else rf"×{factor / 10**power:.1f}·10$^{{{power}}}$"
    axes.text(left * 1.12, np.sqrt(low * high), text, rotation=90, va="center", fontsize=10, color=DARK)


def _learning(axes: Axes, curves: pd.DataFrame) -> None:
    """Equal compute: one noise sample for each datapoint."""
    best = best_curves(curves)
    for name in ESTIMATORS:
        look = {key: value for key, value in LOOK[name].items() if key != "marker"}
        _band(axes, best[best["estimator"] == name], look)
    _zoom(axes, best)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_title("learning at equal compute")
    axes.set_xlabel(f"decoder evaluations ($M$ = {PAPER_BATCH}, $L$ = {PAPER_SAMPLES})")
    axes.set_ylabel("lower bound, test, nats")


def _sizes(axes: Axes, curves: pd.DataFrame) -> None:
    """Estimator B with more noise samples, more datapoints, both or neither."""
    rows = shared_step_size(equally_many(curves))
    for (m, n), colour in SIZES.items():
        part = rows[(rows["batch_size"] == m) & (rows["n_samples"] == n)]
        _band(axes, part, {"color": colour, "linewidth": 2.0, "label": f"$M$ = {m}, $L$ = {n}"})
    axes.set_xscale("log")
    _zoom(axes, rows)
    axes.set_title("estimator B: is $L$ = 1 enough?")
    axes.set_xlabel("decoder evaluations")
    axes.set_ylabel("lower bound, test, nats")
    axes.legend(frameon=False, loc="upper left", fontsize=9)


def _zoom(axes: Axes, rows: pd.DataFrame) -> None:
    """Leave out the first tenth of each curve, where the bound jumps up from its start."""
    shown = rows.loc[rows["samples"] > 0.1 * rows["samples"].max(), "test"]
    margin = max(0.05 * (shown.max() - shown.min()), 0.5)
    axes.set_ylim(shown.min() - margin, shown.max() + margin)


def _band(axes: Axes, rows: pd.DataFrame, look: Mapping[str, Any]) -> None:
    """Mean over seeds, and from the lowest to the highest."""
    if rows.empty:
        return
    by = rows.groupby("evaluations")["test"]
    mean = by.mean()
    axes.plot(mean.index, mean, **look)
    axes.fill_between(mean.index, by.min(), by.max(), color=look["color"], alpha=0.18, linewidth=0)
