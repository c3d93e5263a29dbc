"""The figure of the marginal-likelihood study: how far each estimator is from the truth."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator

from harness.figures.panel import DARK, STYLE, save
from harness.studies.marginal.table import ESTIMATORS, LIMIT, LINEAR, first_seed, rows_of

TITLES = (
    "the paper's appendix D",
    "appendix D, narrower KDE",
    "appendix D, Gaussian",
    "importance sampling",
    "AIS, lower and upper bound",
)
ROWS = (("mnist", "MNIST test images"), ("simulated", "simulated data"))
UNITS = {"AIS": "temperatures"}
CAPTION = "mean over datapoints ± one standard deviation; hollow: beyond the axis; ×: no datapoint has an estimate"


def plot_marginal(table: pd.DataFrame, stem: Path) -> list[Path]:
    """Write the figure to `stem`.png and `stem`.svg: estimate minus exact log p(x) against N_z, nats.

    Darker is more effort.
    """
    from seaborn import color_palette  # with all of scipy.stats, which takes a second

    table = first_seed(table)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.2 * len(TITLES), 6.6), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
        axes = figure.subplots(len(ROWS), len(TITLES), sharex=True, sharey=True)
        sizes = sorted(table["n_latent"].unique())
        for row, (data, source) in zip(axes, ROWS, strict=True):
            for panel, estimator, title in zip(row, ESTIMATORS, TITLES, strict=True):
                part = rows_of(table, data, estimator)
                efforts = sorted(part["effort"].unique())
                colours = dict(zip(efforts, color_palette("flare", len(efforts)), strict=True))
                panel.axhline(0, color=DARK, linewidth=1)
                for (name, effort), curve in part.groupby(["estimator", "effort"]):
                    upper = str(name).endswith("upper bound")
                    marker = "v" if upper else "^" if estimator == "AIS" else "o"
                    place = np.searchsorted(sizes, curve["n_latent"]) + 0.14 * (
                        efforts.index(effort) - (len(efforts) - 1) / 2
                    )
                    _points(panel, place, curve, marker, colours[effort], None if upper else f"{effort:,}")
                if data == ROWS[0][0]:
                    panel.set_title(f"{title}\n{UNITS.get(estimator, 'samples')}:", pad=22)
                    panel.legend(
                        ncols=len(efforts), loc="lower center", bbox_to_anchor=(0.5, 0.985), frameon=False,
                        fontsize=8.5, handletextpad=0, columnspacing=0.8,
                    )  # fmt: skip
                panel.set_yscale("symlog", linthresh=LINEAR, linscale=0.6)
                panel.set_ylim(-LIMIT, LIMIT)
                panel.yaxis.set_major_locator(FixedLocator([-10, -1, -0.1, 0, 0.1, 1, 10]))
                panel.yaxis.set_major_formatter("{x:g}")
                panel.set_xticks(range(len(sizes)), [str(size) for size in sizes])
            row[0].set_ylabel(f"estimate − exact log $p(\\mathbf{{x}})$, nats\n{source}")
        for panel in axes[-1]:
            panel.set_xlabel("latent dimensions $N_z$")
        figure.supxlabel(CAPTION, fontsize=9.5, color=DARK)
        return save(figure, stem)


def _points(panel: Axes, x: np.ndarray, curve: pd.DataFrame, marker: str, colour: Any, label: str | None) -> None:
    """Mean and spread; what has no place on the axis is marked at its edge."""
    bias = curve["bias"].to_numpy()
    inside, missing = np.abs(bias) < LIMIT, np.isnan(bias)
    look: dict[str, Any] = {"color": colour, "markersize": 5}
    panel.errorbar(x[inside], bias[inside], curve["spread"][inside], fmt=marker, linewidth=1.4, label=label, **look)
    beyond = ~inside & ~missing
    edge = 0.8 * LIMIT * np.sign(bias[beyond])
    panel.plot(x[beyond], edge, marker, markerfacecolor="white", **look)
    panel.plot(x[missing], np.full(missing.sum(), 0.8 * LIMIT), "x", **look)
