"""Figure 3: marginal log-likelihood against the training samples evaluated, our curves over the paper's."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness.figures.captions import caption
from harness.figures.compare import drawable, label
from harness.figures.notes import not_own, out_of_sight, unfinished, wrap, write
from harness.figures.panel import DARK, GREY, OURS, PAPER, STYLE, cross, draw, legends, lowered, save

MEASURE = "marginal_log_likelihood"
METHODS = ("aevb", "wake_sleep", "mcem")
PAPER_SIZES = (1_000, 50_000)
PAPER_SAMPLES = 60e6
# Nats from, to: the paper's curves from their first million samples on.
PAPER_NATS = {("mnist", 1_000): (-160.0, -105.0), ("mnist", 50_000): (-165.0, -125.0)}


def plot_figure3(
    curves: pd.DataFrame, published: pd.DataFrame, runs: pd.DataFrame, missing: Mapping[str, str], stem: Path
) -> list[Path]:
    """Write figure 3 to `stem`.png and `stem`.svg and return the two paths; the same input gives the same bytes.

    Arguments as for `harness.figures.plot2.plot_figure2`. The upper row has the paper's axes, 0 to 60 million samples,
    and goes farther down where a curve of ours lies below; where ours end much earlier, a second row shows what there
    is to compare, enlarged.
    """
    ours, paper = drawable(curves, MEASURE), drawable(published, MEASURE).assign(seed=0)
    panels = [("mnist", size) for size in PAPER_SIZES]
    panels += sorted({(d, n) for d, n in zip(runs["dataset"], runs["n_train"], strict=True)} - {*panels})
    end = float(ours["samples"].max()) if len(ours) else PAPER_SAMPLES
    spans = [max(PAPER_SAMPLES, end), 1.05 * end] if end < PAPER_SAMPLES / 2 else [max(PAPER_SAMPLES, end)]
    with matplotlib.rc_context(STYLE):
        engine = ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.07)
        figure = Figure(figsize=(4.6 * len(panels) + 2.6, 3.7 * len(spans) + 0.3), layout=engine)
        grid = figure.add_gridspec(len(spans), len(panels) + 1, width_ratios=[*[4.6] * len(panels), 2.6])
        for i, span in enumerate(spans):
            for j, (dataset, size) in enumerate(panels):
                axes = figure.add_subplot(grid[i, j])
                theirs, mine, tried = (
                    table[(table["dataset"] == dataset) & (table["n_train"] == size)] for table in (paper, ours, runs)
                )
                seen = [table[table["samples"] <= span] for table in (mine, theirs)]
                _frame(axes, dataset, size, span, _nats(dataset, size, *seen, zoomed=i > 0))
                draw(axes, theirs, PAPER, MEASURE)
                draw(axes, mine, OURS, MEASURE)
                cross(axes, mine, tried, MEASURE)
                if tried.empty:
                    write(axes, wrap(missing.get(dataset, "not run"), 40), GREY)
                else:
                    hidden = out_of_sight(axes, mine, MEASURE)
                    write(axes, [*unfinished(tried), *_doubts(mine), *hidden, *not_own(tried, runs)], DARK)
                if i == len(spans) - 1:
                    axes.set_xlabel("# training samples evaluated (millions)")
                if j == 0:
                    axes.set_ylabel(r"log $p(\mathbf{x})$ (nats)" + (", enlarged" if i else ""))
        legends(figure.add_subplot(grid[0, -1]), METHODS, runs["method"])
        told, protocols = "estimated as in the paper's appendix D", sorted({*runs["protocol"]})
        below = caption(protocols, ours, runs, told, figure.get_figwidth())
        figure.supxlabel(below, fontsize=9.5, color=DARK)
        return save(figure, stem)


def _doubts(curves: pd.DataFrame) -> list[str]:
    """A note on each method whose last logged point leaves evaluated points out, or whose training chains are stuck."""
    notes: list[str] = []
    last = curves.groupby(["method", "split", "seed"]).tail(1)
    for method, ends in last.groupby("method"):
        without = int(ends["without_estimate"].sum()) if "without_estimate" in ends else 0
        stuck = ends["training_stuck"].max() if "training_stuck" in ends else 0
        notes += wrap(f"{label(str(method))}: {without} points have no estimate", 40) if without else []
        plural = "chain" if stuck == 1 else "chains"
        notes += wrap(f"{label(str(method))}: {stuck:,.0f} training {plural} stuck", 40) if stuck > 0 else []
    return notes


def _nats(dataset: str, size: int, ours: pd.DataFrame, paper: pd.DataFrame, *, zoomed: bool) -> tuple[float, float]:
    """The paper's axis, with room for curves of ours that lie below it; or what an enlarged or unknown panel needs: all
    but the first, steep part of the curves."""
    if (dataset, size) in PAPER_NATS and not zoomed:
        bottom, top = PAPER_NATS[dataset, size]
        return lowered(bottom, top, ours.groupby(["method", "split"])[MEASURE].max()), top
    shown = pd.concat([paper, ours])
    if shown.empty:
        return -200.0, -100.0
    low, high = float(shown[MEASURE].quantile(0.03)), float(shown[MEASURE].max())
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _frame(axes: Axes, dataset: str, size: int, samples: float, nats: tuple[float, float]) -> None:
    name = label(dataset, 24).replace("$", r"\$")
    points = f"{size:,}" if size else "all"
    axes.set(xlim=(0, samples), ylim=nats, title=f"{name}, $N_{{train}}$ = {points}")
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1e6:g}"))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.tick_params(length=0, pad=5)
