"""Figure 2: the lower bound against the training samples evaluated, our curves over the paper's."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from harness.figures.captions import caption
from harness.figures.compare import drawable, label
from harness.figures.notes import not_own, out_of_sight, unfinished, wrap, write
from harness.figures.panel import DARK, GREY, OURS, PAPER, STYLE, cross, draw, legends, lowered, save

COLUMNS = 5
MEASURE = "lower_bound"


@dataclass(frozen=True)
class Row:
    """A row of panels with common axes: samples and nats from, to; without nats the curves decide."""

    dataset: str
    sizes: tuple[int, ...]
    samples: tuple[float, float] = (1e5, 1e6)
    nats: tuple[float, float] | None = None


# The printed MNIST axis ends at -100 nats, where it cuts the paper's best curves off.
PAPER_ROWS = (
    Row("mnist", (3, 5, 10, 20, 200), (1e5, 2.5e8), (-150, -95)),
    Row("frey_face", (2, 5, 10, 20), (1e5, 1e8), (0, 1600)),
)


def plot_figure2(
    curves: pd.DataFrame, published: pd.DataFrame, runs: pd.DataFrame, missing: Mapping[str, str], stem: Path
) -> list[Path]:
    """Write figure 2 to `stem`.png and `stem`.svg and return the two paths; the same input gives the same bytes.

    `curves` and `runs` are the store's tables for one protocol (nats, samples), `published` is the paper's figure 2,
    `missing` has the remedy for each dataset that could not be read. Raises `ValueError` for several protocols.
    """
    protocols = sorted({*curves["protocol"], *runs["protocol"]})
    if len(protocols) > 1:
        raise ValueError(f"A figure shows one protocol, got {', '.join(protocols)}: select one of them first.")
    ours, paper = drawable(curves), drawable(published).assign(seed=0)
    rows = [*PAPER_ROWS, *_rows_beyond_the_paper(ours, runs)]
    with matplotlib.rc_context(STYLE):
        engine = ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.07)
        figure = Figure(figsize=(15, 3.5 * len(rows) + 0.3), layout=engine)
        grid = figure.add_gridspec(len(rows), COLUMNS)
        lowest: dict[int, Axes] = {}
        for i, row in enumerate(rows):
            of_row = ours[(ours["dataset"] == row.dataset) & ours["n_latent"].isin(row.sizes)]
            limits = _limits(row, of_row)
            remedy = missing.get(row.dataset)
            for j, size in enumerate(row.sizes):
                axes = lowest[j] = figure.add_subplot(grid[i, j])
                _frame(axes, row.dataset, size, *limits, leftmost=j == 0)
                theirs, mine, tried = (
                    table[(table["dataset"] == row.dataset) & (table["n_latent"] == size)]
                    for table in (paper, ours, runs)
                )
                draw(axes, theirs, PAPER, MEASURE)
                draw(axes, mine, OURS, MEASURE)
                cross(axes, mine, tried, MEASURE)
                if mine.empty and remedy is not None:
                    write(axes, [f"{label(row.dataset, 24)} data missing", *wrap(remedy, 33)], DARK)
                    remedy = ""  # said once, in the first panel
                elif mine.empty and tried.empty:
                    write(axes, ["not run"], GREY)
                else:
                    write(axes, [*unfinished(tried), *out_of_sight(axes, mine, MEASURE), *not_own(tried, runs)], DARK)
        for axes in lowest.values():
            axes.set_xlabel("# training samples evaluated")
        legends(figure.add_subplot(grid[1, COLUMNS - 1]), ("aevb", "wake_sleep"), runs["method"])
        below = caption(protocols, ours, runs, "train: running mean of the minibatch bounds", figure.get_figwidth())
        figure.supxlabel(below, fontsize=9.5, color=DARK)
        return save(figure, stem)


def _rows_beyond_the_paper(ours: pd.DataFrame, runs: pd.DataFrame) -> list[Row]:
    """Panels for the datasets and sizes that the paper does not have."""
    known = {(row.dataset, size) for row in PAPER_ROWS for size in row.sizes}
    asked = {(name, size) for t in (ours, runs) for name, size in zip(t["dataset"], t["n_latent"], strict=True)}
    rows = []
    for dataset in sorted({name for name, _ in asked - known}):
        sizes = sorted(size for name, size in asked - known if name == dataset)
        rows += [Row(dataset, tuple(sizes[k : k + COLUMNS])) for k in range(0, len(sizes), COLUMNS)]
    return rows


def _limits(row: Row, ours: pd.DataFrame) -> tuple[tuple[float, float], tuple[float, float]]:
    """The row's axes (samples, nats): the paper's, widened only where curves of ours would be out of sight."""
    left, right = row.samples
    if not ours.empty:
        right = max(right, ours["samples"].max())
        if ours.groupby("n_latent")["samples"].max().min() < 2 * left:
            left = 10.0 ** np.floor(np.log10(ours["samples"].min()))
    seen = ours[ours["samples"].between(left, right)]
    nats = seen["lower_bound"]
    if row.nats is None:
        quarter, middle, three_quarters = np.quantile(nats, (0.25, 0.5, 0.75)) if len(nats) else (0.0, 0.5, 1.0)
        reach = 4 * (three_quarters - quarter) or 1.0  # so that a run that explodes does not flatten the others
        low, high = max([middle - reach, nats.min()]), min([middle + reach, nats.max()])
        margin = 0.06 * (high - low) or 1.0
        return (left, right), (low - margin, high + margin)
    bottom, top = row.nats
    span = top - bottom
    # The first iterations are cut off at the bottom. The top is never cut, unless a run explodes.
    high = max([top, *(nats[nats < top + span / 2] + 0.03 * span)])
    best = seen.groupby(["n_latent", "method", "split"])["lower_bound"].max()
    return (left, right), (lowered(bottom, high, best), high)


def _frame(
    axes: Axes, dataset: str, size: int, samples: tuple[float, float], nats: tuple[float, float], leftmost: bool
) -> None:
    name = label(dataset, 24).replace("$", r"\$")
    axes.set(xscale="log", xlim=samples, ylim=nats, title=f"{name}, $N_z$ = {size}")
    axes.xaxis.set_major_locator(LogLocator(numticks=8))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.tick_params(labelleft=leftmost, length=0, pad=5)
    if leftmost:
        axes.set_ylabel(r"lower bound $\mathcal{L}$ (nats)")
