"""The figure of the study of gaps: from the bound up to log p(x), and what each latent carries."""

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend_handler import HandlerErrorbar
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from harness.figures.compare import label, scientific
from harness.figures.panel import DARK, GREY, OURS, STYLE, save
from harness.studies.gaps.table import CURVE, beside, latest

AMORTIZATION, APPROXIMATION = "#d98200", "#1f4fa0"
LEAST = 1e-3  # nats, below which a latent carries nothing
WHERE = {"bound": (0.25, "o", "white"), "log_p": (-0.25, "D", DARK)}  # below and above the bar; marker and its face
NAMES = {"bound": "bound with q(z|x) ± s.e.", "log_p": "log p(x) ± s.e."}
LINE, PANEL = 0.26, 1.2  # inches: a line of text, and a panel on the right without any
LATENTS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)


def plot_gaps(table: pd.DataFrame, latents: pd.DataFrame, stem: Path) -> list[Path]:
    """Write the figure to `stem`.png and `stem`.svg, for each dataset two columns of its last models.

    On the left a line for each model and split whose log p(x) is known, with AEVB's at the counts of samples where
    others end; on the right a panel for each number of latents.
    """
    rows, last = beside(table), latest(table)
    datasets = [*dict.fromkeys(last["dataset"])]
    ladders = {name: rows[rows["dataset"] == name].dropna(subset="log_p") for name in datasets}
    tests = {name: last[(last["dataset"] == name) & (last["split"] == "test")] for name in datasets}
    below = {name: [PANEL + LINE * len(part) for _, part in tests[name].groupby("n_latent")] for name in datasets}
    heights = [
        max(LINE * (len(ladders[name]) + len(_groups(ladders[name]))), sum(below[name])) + 0.9 for name in datasets
    ]
    with matplotlib.rc_context(STYLE):
        engine = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.05)
        figure = Figure(figsize=(15, sum(heights) + 0.9), layout=engine)
        shown: dict[str, ErrorbarContainer] = {}
        grid = figure.add_gridspec(len(datasets), 2, height_ratios=heights, width_ratios=[1, 1.4])
        for i, dataset in enumerate(datasets):
            left = figure.add_subplot(grid[i, 0])
            shown |= _ladder(left, ladders[dataset])
            left.set_title(f"{label(dataset)}: from the bound to log p(x)")
            right = grid[i, 1].subgridspec(len(below[dataset]), 1, height_ratios=below[dataset])
            panels = right.subplots(sharey=True, squeeze=False)
            for axes, (size, part) in zip(panels[:, 0], tests[dataset].groupby("n_latent"), strict=True):
                _carried(axes, int(size), part, latents[latents["split"] == "test"])
            panels[0, 0].set_title(f"{label(dataset)}: KL of each latent, test")
            panels[-1, 0].set_xlabel("latents, in descending order")
        bars = [
            Patch(color=AMORTIZATION, label="amortization gap"),
            Patch(color=APPROXIMATION, label="approximation gap"),
        ]
        figure.legend(
            handles=[*shown.values(), *bars], loc="outside upper left", ncols=4, frameon=False,
            handler_map={ErrorbarContainer: HandlerErrorbar(xerr_size=0.8)},
        )  # fmt: skip
        figure.supxlabel(
            "the last models of each curve, after so many training samples, and on the left AEVB's after as many as "
            "the others': compare at equal counts\n"
            "left: where estimates of log p(x) are trusted; right: an active latent's mean varies with x",
            fontsize=9.5, color=DARK,
        )  # fmt: skip
        return save(figure, stem)


def _groups(rows: pd.DataFrame) -> list[tuple[int, int]]:
    """Sizes and counts of samples, in order: what is to be compared."""
    return sorted({*zip(rows["n_latent"], rows["samples"], strict=True)})


def _ladder(axes: Axes, rows: pd.DataFrame) -> dict[str, ErrorbarContainer]:
    """For each model and split, below a heading of its size and samples, the bound, the best bound and log p(x).

    The two ends have their errors above and below the bar. Returned are the last ones, for a legend.
    """
    ticks: list[tuple[str, str]] = []  # from the top: text, weight
    shown: dict[str, ErrorbarContainer] = {}
    for size, samples in _groups(rows):
        ticks.append((f"$N_z$ = {size} after {scientific(samples)} samples", "bold"))
        for row in rows[(rows["n_latent"] == size) & (rows["samples"] == samples)].to_dict("records"):
            y, (bound, best, log_p) = len(ticks), (float(row[name]) for name in ("bound", "best", "log_p"))
            axes.barh(y, best - bound, 0.22, bound, color=AMORTIZATION, linewidth=0)
            axes.barh(y, log_p - best, 0.22, best, color=APPROXIMATION, linewidth=0)
            for name, (above, marker, face) in WHERE.items():
                shown[name] = axes.errorbar(
                    float(row[name]), y + above, xerr=row[f"{name}_error"], color=DARK, marker=marker, markersize=4,
                    markerfacecolor=face, linestyle="", elinewidth=1, label=NAMES[name],
                )  # fmt: skip
            ticks.append((f"{label(str(row['method']), 24)}, {row['split']}", "normal"))
    axes.set_yticks(range(len(ticks)), [text for text, _ in ticks], fontsize=9)
    for tick, (_, weight) in zip(axes.get_yticklabels(), ticks, strict=True):
        tick.set_fontweight(weight)
    axes.set_ylim(len(ticks) - 0.3, -0.7)
    axes.set_xlabel("nats")
    axes.grid(visible=False, axis="y")
    return shown


def _carried(axes: Axes, size: int, rows: pd.DataFrame, latents: pd.DataFrame) -> None:
    """The latents of each method in descending order of what they carry, mean over seeds; named beside the panel."""
    for row in rows.to_dict("records"):
        part = latents[(latents[[*CURVE, "samples"]] == [*(row[name] for name in CURVE), row["samples"]]).all(axis=1)]
        ordered = [np.sort(of_seed["kl"])[::-1] for _, of_seed in part.groupby("seed")]
        mean = np.maximum(np.mean(ordered, axis=0), LEAST)
        method = str(row["method"])
        line = OURS.line(method, "train")
        line.set_data(np.arange(1, len(mean) + 1), mean)
        at = scientific(float(row["samples"]))
        line.set(
            linewidth=1.6, marker=".", markersize=5, label=f"{label(method, 24)}, {at}: {row['active']:.4g} active"
        )
        axes.add_line(line)
    axes.axhline(LEAST, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)))
    axes.annotate(
        f"{scientific(LEAST)} nats or less", (0.012, LEAST), (0, 2), xycoords=("axes fraction", "data"),
        textcoords="offset points", va="bottom", fontsize=8, color=DARK,
    )  # fmt: skip
    axes.set(xscale="log", yscale="log", ylabel="KL (nats)")
    axes.xaxis.set_major_locator(FixedLocator(LATENTS))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.autoscale_view()
    axes.legend(
        title=f"$N_z$ = {size}", title_fontproperties={"weight": "bold", "size": 9}, alignment="left", fontsize=8.5,
        loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False,
    )  # fmt: skip
