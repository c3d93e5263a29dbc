"""The figure of the study of choices: what each is worth, and whether the paper's curves tell."""

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

from harness.figures.compare import label, scientific
from harness.figures.panel import DARK, GREY, STYLE, save
from harness.studies.choices.table import decided
from harness.studies.verdict import ERRORS, widened

# A colour for each size, darker the larger, and a marker for each method.
COLOURS: Mapping[int, str] = {2: "#6fb1e0", 3: "#6fb1e0", 5: "#3f8fc9", 10: "#1f4fa0", 20: "#a50f22"}
MARKERS: Mapping[str, str] = {"aevb": "o", "wake_sleep": "D"}
PANELS = (
    ("shift", "shift_error", "shift of the test bound"),
    ("farther", "farther_error", "farther from the paper's curve"),
)
LINEAR = {"mnist": 1.0, "frey_face": 10.0}  # nats, up to which an axis is linear
MOST = {"mnist": 100.0, "frey_face": 1000.0}  # nats; what lies beyond stands at the edge, as an arrow
BAR: Mapping[str, Any] = {"ecolor": "#b0b0b0", "elinewidth": 1.2, "capsize": 0}


def plot_choices(table: pd.DataFrame, stem: Path) -> list[Path]:
    """Write the figure to `stem`.png and `stem`.svg: a row for each alternative, two panels for each dataset."""
    rows = [*dict.fromkeys(zip(table["choice"], table["value"], strict=True))]
    datasets = [name for name in LINEAR if (table["dataset"] == name).any()]
    if not rows:
        return []
    with matplotlib.rc_context(STYLE):
        engine = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06)
        figure = Figure(figsize=(4.2 + 3.6 * 2 * len(datasets), 1.9 + 0.33 * len(rows)), layout=engine)
        panels = figure.subplots(1, 2 * len(datasets), sharey=True, squeeze=False)[0]
        for k, dataset in enumerate(datasets):
            part = table[table["dataset"] == dataset]
            for axes, (value, error, title) in zip(panels[2 * k : 2 * k + 2], PANELS, strict=True):
                _draw(axes, part, rows, value, error, dataset)
                axes.set_title(f"{label(dataset)}: {title}", fontsize=10)
                axes.set_xlabel("nats")
        panels[0].set_yticks(range(len(rows)), [_name(rows, k) for k in range(len(rows))], fontsize=9)
        panels[0].set_ylim(len(rows) - 0.4, -0.6)
        handles = _handles(table)
        figure.legend(handles=handles, fontsize=9, loc="outside lower center", ncols=len(handles), frameon=False)
        figure.suptitle(
            f"One choice at a time made otherwise, at {scientific(table['samples'].max())} samples. Bars: ± 2 standard "
            "errors over pairs of equal seeds, widened as these are few; hollow where they reach 0.\n"
            "Right of 0 in the second panels, the paper's curve speaks for the protocol; there the error is also that "
            "of the paper's one seed.",
            fontsize=10, x=0.01, ha="left", color=DARK,
        )  # fmt: skip
        return save(figure, stem)


def _draw(axes: Axes, part: pd.DataFrame, rows: list[tuple[str, str]], value: str, error: str, dataset: str) -> None:
    linear, most = LINEAR[dataset], MOST[dataset]
    axes.axvline(0, color=GREY, linewidth=1)
    axes.axvspan(-linear, linear, color="#f2f2f2", zorder=0)
    axes.set_xscale("symlog", linthresh=linear)
    axes.set_xlim(-1.6 * most, 1.6 * most)
    axes.grid(visible=True, axis="y", color="#f0f0f0")
    for k in range(len(rows)):
        if k and rows[k][0] != rows[k - 1][0]:
            axes.axhline(k - 0.5, color="#d0d0d0", linewidth=0.8)
    for k, name in enumerate(rows):
        here = part[(part["choice"] == name[0]) & (part["value"] == name[1]) & np.isfinite(part[value])]
        for place, row in enumerate(here.to_dict("records")):
            y = k + (0.18 * (place - (len(here) - 1) / 2) if len(here) > 1 else 0)
            colour = COLOURS.get(int(row["n_latent"]), DARK)
            sure = decided(row[value], row[error], int(row["seeds"])) != 0
            spread = ERRORS * widened(row[error], int(row["seeds"]) - 1)
            spread = spread if np.isfinite(spread) else 0.0
            x = float(np.clip(row[value], -most, most))
            marker = MARKERS.get(row["method"], "s") if x == row[value] else ">" if x > 0 else "<"
            axes.errorbar(x, y, xerr=min(spread, 3 * most), fmt="none", **BAR)
            axes.plot(
                x, y, marker=marker, markersize=6, markeredgecolor=colour,
                markerfacecolor=colour if sure else "white", linestyle="",
            )  # fmt: skip


def _name(rows: list[tuple[str, str]], k: int) -> str:
    choice, value = rows[k]
    return f"{choice}: {value}" if not k or rows[k - 1][0] != choice else value


def _handles(part: pd.DataFrame) -> list[Line2D]:
    curves = sorted({(str(row["method"]), int(row["n_latent"])) for row in part.to_dict("records")})
    return [
        Line2D([], [], linestyle="", marker=MARKERS.get(method, "s"), color=COLOURS.get(size, DARK),
               label=rf"{label(method)}, $N_z$ = {size}")
        for method, size in curves
    ]  # fmt: skip
