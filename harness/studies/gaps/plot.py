"""The figure of the study of gaps: from the bound up to log p(x), and what each latent carries."""

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from harness.figures.compare import label, scientific
from harness.figures.panel import DARK, GREY, OURS, STYLE, save
from harness.studies.gaps.table import CURVE, latest

AMORTIZATION, APPROXIMATION = "#d98200", "#1f4fa0"
DASHES = ("-", "--", ":", "-.")
LEAST = 1e-3  # nats, below which a latent carries nothing


def plot_gaps(table: pd.DataFrame, latents: pd.DataFrame, stem: Path) -> list[Path]:
    """Write the figure to `stem`.png and `stem`.svg: two panels for each dataset, of its last models."""
    rows = latest(table)
    datasets = [*dict.fromkeys(rows["dataset"])]
    heights = [3.4 + 0.3 * len(rows[rows["dataset"] == name]) for name in datasets]
    with matplotlib.rc_context(STYLE):
        engine = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
        figure = Figure(figsize=(13, sum(heights) + 0.6), layout=engine)
        panels = figure.subplots(len(datasets), 2, squeeze=False, height_ratios=heights)
        for (left, right), dataset in zip(panels, datasets, strict=True):
            part = rows[rows["dataset"] == dataset]
            _ladder(left, part.dropna(subset="log_p"))
            _carried(right, part, latents[(latents["dataset"] == dataset) & (latents["split"] == "test")])
            left.set_title(f"{label(dataset)}: from the bound to log p(x)")
            right.set_title(f"{label(dataset)}: KL of each latent, test")
        figure.supxlabel(
            "± one standard error; the last models of each curve, on the left where estimates of log p(x) are trusted; "
            "an active latent's mean varies with x",
            fontsize=9.5, color=DARK,
        )  # fmt: skip
        return save(figure, stem)


def _ladder(axes: Axes, rows: pd.DataFrame) -> None:
    """For each curve and split: bound, best bound, log p(x), on one line."""
    names = []
    for y, row in enumerate(rows.to_dict("records")):
        bound, best, log_p = (float(row[name]) for name in ("bound", "best", "log_p"))
        axes.plot([bound, best], [y, y], color=AMORTIZATION, linewidth=5, solid_capstyle="butt")
        axes.plot([best, log_p], [y, y], color=APPROXIMATION, linewidth=5, solid_capstyle="butt")
        for value, name, marker in ((bound, "bound", "|"), (log_p, "log_p", "D")):
            axes.errorbar(
                value, y, xerr=row[f"{name}_error"], color=DARK, marker=marker, markersize=5 if marker == "D" else 9,
                linestyle="", elinewidth=1,
            )  # fmt: skip
        method = label(str(row["method"]), 24)
        names.append(f"$N_z$ = {row['n_latent']}, {method}, {row['split']}, {scientific(float(row['samples']))}")
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel("nats")
    axes.legend(
        handles=[
            Line2D([], [], color=DARK, marker="|", linestyle="", label="bound with q(z|x)"),
            Line2D([], [], color=AMORTIZATION, linewidth=5, label="amortization gap"),
            Line2D([], [], color=APPROXIMATION, linewidth=5, label="approximation gap"),
            Line2D([], [], color=DARK, marker="D", linestyle="", markersize=5, label="log p(x)"),
        ],
        fontsize=8.5, loc="best", framealpha=0.9,
    )  # fmt: skip


def _carried(axes: Axes, rows: pd.DataFrame, latents: pd.DataFrame) -> None:
    """The latents of each curve in descending order of what they carry, mean over seeds."""
    sizes = sorted(rows["n_latent"].unique())
    for row in rows[rows["split"] == "test"].to_dict("records"):
        part = latents[(latents[[*CURVE, "samples"]] == [*(row[name] for name in CURVE), row["samples"]]).all(axis=1)]
        ordered = [np.sort(of_seed["kl"])[::-1] for _, of_seed in part.groupby("seed")]
        mean = np.maximum(np.mean(ordered, axis=0), LEAST)
        method = str(row["method"])
        line = OURS.line(method, "train")
        line.set_data(np.arange(1, len(mean) + 1), mean)
        line.set(
            linestyle=DASHES[sizes.index(row["n_latent"]) % len(DASHES)], linewidth=1.8, marker=".",
            label=f"$N_z$ = {row['n_latent']}, {label(method, 24)}: {row['active']:.4g} active",
        )  # fmt: skip
        axes.add_line(line)
    axes.axhline(LEAST, color=GREY, linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel="latents, in descending order", ylabel="KL (nats)")
    axes.autoscale_view()
    axes.legend(fontsize=8.5, loc="best", framealpha=0.9)
