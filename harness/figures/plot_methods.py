"""Later methods in figure 2's panels, beside the paper's: at equal samples, and in equal time."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from harness.figures.captions import fill, seeds_shown
from harness.figures.compare import drawable, label, ranked
from harness.figures.panel import DARK, OURS, STYLE, draw, save

COLUMNS = 5
MEASURE = "lower_bound"
AXES = {"samples": "# training samples evaluated", "time": "AEVB's samples in the same time"}
FEW = 0.05  # share of a panel's points that may lie below it
BEGIN = 0.1  # of a curve's length: before it all still climb from the bottom


def plot_methods(
    curves: pd.DataFrame, of_paper: Sequence[str], costs: Mapping[str, float], source: str, stem: Path
) -> list[Path]:
    """Write `stem`.png and `stem`.svg and return the two paths; none where there are the paper's methods alone.

    Args:
        curves: the store's table for one protocol (nats, samples); of it the test curves are drawn.
        of_paper: the paper's methods.
        costs: time of a training sample over that of one of AEVB's, for each method that was timed.
        source: what it was timed on; "" where nothing was.
        stem: where to write.
    """
    test = drawable(curves)
    test = test[test["split"] == "test"]
    others = test[~test["method"].isin(of_paper)]
    if others.empty:
        return []
    test = test.merge(others[["dataset", "n_latent"]].drop_duplicates())
    methods = test["method"].drop_duplicates().sort_values(key=ranked)
    rows = []
    for dataset, found in others.sort_values("dataset", key=ranked).groupby("dataset", sort=False):
        timed = found[found["method"].isin(costs)]
        for measured_in, there in (("samples", found), ("time", timed)):
            sizes = sorted(there["n_latent"].unique())
            rows += [(str(dataset), measured_in, sizes[k : k + COLUMNS]) for k in range(0, len(sizes), COLUMNS)]
    with matplotlib.rc_context(STYLE):
        engine = ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.07)
        columns = max(2, *(len(sizes) for _, _, sizes in rows))
        figure = Figure(figsize=(3 * columns, 3.5 * len(rows) + 1.2), layout=engine)
        grid, seen = figure.add_gridspec(len(rows), columns), []
        for i, (dataset, measured_in, sizes) in enumerate(rows):
            for j, size in enumerate(sizes):
                panel = test[(test["dataset"] == dataset) & (test["n_latent"] == size)]
                axes = figure.add_subplot(grid[i, j])
                seen.append(_panel(axes, panel, set(others["method"]), costs if measured_in == "time" else {}))
                name = label(dataset, 24).replace("$", r"\$")
                axes.set(title=f"{name}, $N_z$ = {size}", xlabel=AXES[measured_in])
                if j == 0:
                    axes.set_ylabel("test bound (nats)")
        lines = [OURS.line(method, "train") for method in methods]
        names = [_named(method, costs) for method in methods]
        more = max(1, columns - 1)  # names beside each other
        figure.legend(lines, names, loc="outside upper left", ncols=more, frameon=False, handlelength=2.8)
        caption = fill([seeds_shown(pd.concat(seen), "method"), _timed_on(source)], figure.get_figwidth())
        figure.supxlabel(caption, fontsize=9.5, color=DARK)
        return save(figure, stem)


def _panel(axes: Axes, test: pd.DataFrame, later: set[str], costs: Mapping[str, float]) -> pd.DataFrame:
    """Each method's test curve as far as the later methods go; in time where there are costs. The points in sight."""
    shown = test.assign(at=test["samples"] * (test["method"].map(costs) if costs else 1.0)).dropna(subset="at")
    ends = shown[shown["method"].isin(later)].groupby(["method", "seed"])["at"].max()
    end = float(ends.max())
    begin = min(BEGIN * float(ends.min()), end / 2)
    draw(axes, shown.assign(samples=shown["at"], split="train"), OURS, MEASURE)  # solid: there are no others
    seen = shown[shown["at"].between(begin, end)]
    low, high = _ends(seen[MEASURE].astype(float)) if len(seen) else (0.0, 1.0)
    margin = 0.05 * (high - low) or 1.0
    axes.set(xscale="log", xlim=(begin, end), ylim=(low - margin, high + margin))
    axes.xaxis.set_major_locator(LogLocator(numticks=8))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.tick_params(length=0, pad=5)
    return seen


def _ends(seen: pd.Series) -> tuple[float, float]:
    """Lowest and highest value, less a few far below all others: what a method does not climb may fall at times."""
    few, high = float(seen.quantile(FEW)), float(seen.max())
    return max(float(seen.min()), few - (high - few) / 4), high


def _named(method: str, costs: Mapping[str, float]) -> str:
    """Its name, and what a sample costs."""
    cost = costs.get(method)
    told = f", {cost:.1f} × AEVB's time" if cost is not None and method != "aevb" else ""
    untold = ", not timed" if costs and cost is None else ""
    return f"{label(method, 24)}{told}{untold}"


def _timed_on(source: str) -> str:
    return f"time of a sample: by autograd, 500 hidden units, $N_z$ = 20, {source}" if source else "not timed"
