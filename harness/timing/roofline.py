"""The roofline: what a step gets out of the machine, under what the machine has to give.

A step that does so many operations for a byte is at most as fast as memory delivers bytes, and as products multiply.
Source: Williams, Waterman & Patterson 2009, "Roofline: an insightful visual performance model".
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from harness.figures.compare import label
from harness.figures.labels import name_points
from harness.figures.panel import DARK, GREY, OURS, STYLE, save
from harness.timing.tables import BY_HAND, SETTING

GIGA = 1e9
MARKERS = {
    "by hand": "o", "reference": "s", "stacked": "D", "plain PyTorch": "v", "JAX scan": "P", "JAX vmap": "^",
    "bfloat16": "X",
}  # fmt: skip
ROOM = 2.0  # an axis goes so many times beyond what it shows
SHORT = {"batch_size": "M = {}", "hidden": "{} units", "n_samples": "L = {}", "n_latent": "N_z = {}"}
ROOFS = {
    ("memory", "float32"): "memory {:.0f} GB/s",
    ("cache", "float32"): "cache {:.0f} GB/s",
    ("products", "float32"): "products {:.0f} GFLOP/s",
    ("products", "bfloat16"): "products in bfloat16 {:.0f} GFLOP/s",
}


def roof_name(roof: str, device_type: str) -> str:
    """What it is called; the cache is the one that fits a core, or that all of a GPU shares."""
    names = {"memory": "memory", "products": "matrix products"}
    return names.get(roof) or {"cpu": "a core's cache", "cuda": "the L2 cache"}[device_type]


def tabulate_roofs(records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """What bounds a machine: columns roof, precision, rate (bytes or FLOP a second), low, high and the device's type.

    Args:
        records: of the suite "roof", as a device's file has them.
    """
    rows = [
        {"roof": each["roof"], "precision": each["precision"], "rate": each["amount"] / each["seconds"],
         "low": each["amount"] / each["seconds_high"], "high": each["amount"] / each["seconds_low"],
         "array_bytes": each["array_bytes"], "device_type": each["device_type"]}
        for each in records
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["roof", "precision", "rate", "low", "high", "array_bytes", "device_type"])


def format_roofs(roofs: pd.DataFrame) -> pd.DataFrame:
    """The same as text."""
    names = [
        roof_name(roof, kind) + ", triad" * (roof != "products")
        for roof, kind in roofs[["roof", "device_type"]].to_numpy()
    ]
    units = roofs["roof"].map({"products": "GFLOP/s"}).fillna("GB/s")
    half = (roofs["high"] - roofs["low"]) / 2 / roofs["rate"]
    return pd.DataFrame({
        "roof": names,
        "precision": roofs["precision"],
        "rate": [f"{rate / GIGA:.1f} {unit}" for rate, unit in zip(roofs["rate"], units, strict=True)],
        "±": half.map("{:.1%}".format),
        "arrays": roofs["array_bytes"].map(lambda size: f"{size / 2**20:,.1f} MiB"),
    })  # fmt: skip


def points(table: pd.DataFrame) -> pd.DataFrame:
    """Each step that has both counts: `intensity`, FLOP a byte; `gflops`, GFLOP a second; `kind`, a name of `MARKERS`.

    Bytes are those that a step must touch at least: where they stay in a cache, a step may be above memory's roof.
    """
    needed = table.reindex(columns=[*table.columns, *{"flops", "bytes_touched", "flops_per_second"} - {*table.columns}])
    rows = needed[(needed[["flops", "bytes_touched", "flops_per_second"]] > 0).all(axis=1)]
    kinds = rows["engine"].where(~rows["engine"].isin(BY_HAND), "by hand").where(rows["precision"] == "float32")
    return rows.assign(
        intensity=rows["flops"] / rows["bytes_touched"],
        gflops=rows["flops_per_second"] / GIGA,
        kind=kinds.fillna("bfloat16"),
    )


def plot_roofline(table: pd.DataFrame, roofs: pd.DataFrame, folder: Path) -> list[Path]:
    """Write roofline as PNG and SVG, a panel for each device that has roofs; nothing where none has.

    Args:
        table: what `harness.timing.tables.tabulate` made, with the names of devices in `device`.
        roofs: what `tabulate_roofs` made, likewise.
        folder: where the figure goes.
    """
    shown, devices = points(table), [*dict.fromkeys(roofs["device"])] if len(roofs) else []
    devices = [name for name in devices if len(shown[shown["device"] == name])]
    if not devices:
        return []
    with matplotlib.rc_context(STYLE):
        engine = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
        figure = Figure(figsize=(1.8 + 7.4 * len(devices), 5.6), layout=engine)
        panels = figure.subplots(1, len(devices), squeeze=False)[0]
        parts = [(shown[shown["device"] == name], roofs[roofs["device"] == name]) for name in devices]
        for axes, name, (own, bounds) in zip(panels, devices, parts, strict=True):
            _axes(axes, own, bounds)
            axes.set(title=name, xlabel="floating-point operations for each byte that a step must touch")
            _draw(axes, own)
        panels[0].set_ylabel("GFLOP a second")
        panels[-1].legend(handles=_legend(shown), loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
        figure.draw_without_rendering()  # from here on the layout is settled
        for axes, (own, bounds) in zip(panels, parts, strict=True):
            _roofs(axes, bounds)
            name_points(axes, _names(own), own[["intensity", "gflops"]].to_numpy().tolist())
        return save(figure, folder / "roofline")


def _axes(axes: Axes, own: pd.DataFrame, bounds: pd.DataFrame) -> None:
    peak = bounds.loc[bounds["roof"] == "products", "rate"].max() / GIGA
    slopes = bounds.loc[bounds["roof"] != "products", "rate"] / GIGA
    ridge = [peak / slope for slope in slopes]
    low = min([*own["intensity"], *ridge]) / ROOM**2
    bottom = min([*(own["gflops"] / ROOM), *(low * slope for slope in slopes)])
    axes.set(xscale="log", yscale="log", xlim=(low, max([*own["intensity"], *ridge]) * ROOM))
    axes.set_ylim(bottom, np.nanmax([peak, own["gflops"].max()]) * ROOM)


def _draw(axes: Axes, own: pd.DataFrame) -> None:
    for row in own.sort_values("gflops").to_dict("records"):
        colour = OURS.colours.get(str(row["method"]), DARK)
        axes.plot(row["intensity"], row["gflops"], MARKERS.get(row["kind"], "."), color=colour, markersize=7,
                  markerfacecolor=colour if row["kind"] == "by hand" else "none", markeredgewidth=1.4)  # fmt: skip


def _roofs(axes: Axes, bounds: pd.DataFrame) -> None:
    """A line for each roof with its name along it."""
    (left, right), top = axes.get_xlim(), axes.get_ylim()[1]
    peaks = bounds[bounds["roof"] == "products"].set_index("precision")["rate"] / GIGA
    for row in bounds.to_dict("records"):
        name, rate = ROOFS[row["roof"], row["precision"]].format(row["rate"] / GIGA), row["rate"] / GIGA
        if row["roof"] == "products":
            axes.plot([left, right], [rate, rate], color=GREY, linewidth=1.4, scalex=False, scaley=False)
            axes.annotate(name, (right, rate), (-6, 3), textcoords="offset points", ha="right", fontsize=9, color=DARK)
            continue
        end = min(right, (peaks.max() if len(peaks) else top) / rate)
        ends = np.array([[left, left * rate], [end, end * rate]])
        axes.plot(*ends.T, color=GREY, linewidth=1.4, linestyle="-" if row["roof"] == "memory" else "--",
                  scalex=False, scaley=False)  # fmt: skip
        (x0, y0), (x1, y1) = axes.transData.transform(ends)
        axes.annotate(
            name, (left, left * rate), (16, 16 * (y1 - y0) / (x1 - x0) + 4), textcoords="offset points", fontsize=9,
            rotation=float(np.degrees(np.arctan2(y1 - y0, x1 - x0))), rotation_mode="anchor", color=DARK,
        )  # fmt: skip


def _names(own: pd.DataFrame) -> list[tuple[float, float, str]]:
    """Of the hand-written steps: the model's size, or what a sweep has changed in the usual setting."""
    found: dict[str, tuple[float, float, str]] = {}
    for row in own[own["kind"] == "by hand"].sort_values("gflops", ascending=False).to_dict("records"):
        changed = [name for name in SHORT if row[name] != SETTING[name]] if row["method"] == "aevb" else []
        size = f"{row['hidden']}/{row['n_latent']}"
        name = SHORT[changed[0]].format(row[changed[0]]) if len(changed) == 1 else size
        found.setdefault(f"{row['method']} {name}", (row["intensity"], row["gflops"], name))
    order = ["/", "M", "units", "L", "N_z"]
    return sorted(found.values(), key=lambda named: next(k for k, mark in enumerate(order) if mark in named[2]))


def _legend(shown: pd.DataFrame) -> list[Line2D]:
    methods = [name for name in OURS.colours if name in {*shown["method"]}]
    looks = [Line2D([], [], color=OURS.colours[name], linewidth=3, label=label(name)) for name in methods]
    return looks + [
        Line2D([], [], color=DARK, marker=marker, linestyle="", markersize=7, label=kind,
               markerfacecolor=DARK if kind == "by hand" else "none")
        for kind, marker in MARKERS.items()
        if kind in {*shown["kind"]}
    ]  # fmt: skip
