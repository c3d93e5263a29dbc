"""The figure of the marginal-likelihood study: how far each estimator is from the truth."""

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from harness.panel import DARK, STYLE, save

PANELS = (
    ("appendix D", "the paper's appendix D"),
    ("appendix D, shrunk KDE", "appendix D, narrower KDE"),
    ("appendix D, Gaussian", "appendix D, Gaussian"),
    ("importance sampling", "importance sampling"),
    ("AIS", "AIS, lower and upper bound"),
)
ROWS = (("mnist", "MNIST test images"), ("simulated", "simulated data"))
UNITS = {"AIS": "temperatures"}


def plot_marginal(table: pd.DataFrame, stem: Path) -> list[Path]:
    """Write the figure to `stem`.png and `stem`.svg: estimate minus exact log p(x) against N_z, nats.

    A dot is the mean over datapoints, its bar one standard deviation either way; darker is more effort.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.2 * len(PANELS), 6.6), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
        axes = figure.subplots(len(ROWS), len(PANELS), sharex=True, sharey=True)
        sizes = sorted(table["n_latent"].unique())
        for row, (data, source) in zip(axes, ROWS, strict=True):
            for panel, (estimator, title) in zip(row, PANELS, strict=True):
                part = table[(table["data"] == data) & table["estimator"].str.startswith(estimator)]
                if estimator != "AIS":
                    part = part[part["estimator"] == estimator]
                efforts = sorted(part["effort"].unique())
                colours = dict(zip(efforts, sns.color_palette("flare", len(efforts)), strict=True))
                panel.axhline(0, color=DARK, linewidth=1)
                for (name, effort), curve in part.groupby(["estimator", "effort"]):
                    place = np.searchsorted(sizes, curve["n_latent"]) + 0.14 * (
                        efforts.index(effort) - (len(efforts) - 1) / 2
                    )
                    upper = str(name).endswith("upper bound")
                    panel.errorbar(
                        place,
                        curve["bias"],
                        curve["spread"],
                        fmt="v" if upper else "^" if estimator == "AIS" else "o",
                        color=colours[effort],
                        markersize=5,
                        linewidth=1.4,
                        label=None if upper else f"{effort:,}",
                    )
                if data == ROWS[0][0]:
                    panel.set_title(title)
                    panel.legend(title=UNITS.get(estimator, "samples"), loc="lower left", frameon=True, fontsize=8.5)
                panel.set_yscale("symlog", linthresh=0.1, linscale=0.6)
                panel.set_xticks(range(len(sizes)), [str(size) for size in sizes])
            row[0].set_ylabel(f"estimate − exact log $p(\\mathbf{{x}})$, nats\n{source}")
        for panel in axes[-1]:
            panel.set_xlabel("latent dimensions $N_z$")
        return [save(figure, stem, kind) for kind in ("png", "svg")]
