"""The benchmarks' figures: throughput over batch size, cost against each setting, time to a bound."""

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from harness.figures.compare import label, ranked
from harness.figures.panel import DARK, GREY, OURS, STYLE, save
from harness.timing.tables import PAPER_SECONDS_PER_MILLION, SETTING, side_by_side, sweep, usual

DEVICES = ("#1f4fa0", "#a50f22", "#2fa83b", "#8a5a00")
PAPER = "the paper, 2013:\n20–40 min per million"
ENGINES = ("plain PyTorch", "reference", "by hand", "fast", "graph", "stacked", "bfloat16", "JAX scan", "JAX vmap")
SWEEPS = (
    ("n_latent", "latent dimensions $N_z$"),
    ("hidden", "hidden units"),
    ("n_samples", "noise samples $L$"),
)


def plot_benchmarks(table: pd.DataFrame, times: pd.DataFrame, source: str, folder: Path) -> list[Path]:
    """Write throughput, cost and time_to_bound as PNG and SVG; a figure without data is left out.

    Args:
        table: what `harness.timing.tables.tabulate` made, of one or several devices, with their names in `device`.
        times: what `harness.timing.tables.time_to_bound` made.
        source: where the times come from.
        folder: where the figures go.
    """
    colours = dict(zip(sorted(table["device"].unique()), DEVICES * len(table), strict=False))
    aevb = table[(table["suite"] == "learner") & (table["method"] == "aevb")]
    with matplotlib.rc_context(STYLE):
        figures = {"throughput": _throughput(aevb, colours), "cost": _cost(aevb, table, colours)}
        if not times.empty:
            figures["time_to_bound"] = _time_to_bound(times, source)
        return [path for name, figure in figures.items() for path in save(figure, folder / name)]


def _throughput(aevb: pd.DataFrame, colours: dict[str, str]) -> Figure:
    """Over the minibatch size the fastest steps by hand; at the usual size every engine, a column for each."""
    figure = Figure(figsize=(13, 5.8), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    left, right = figure.subplots(1, 2, sharey=True)
    for device, part in sweep(aevb, "batch_size").groupby("device"):
        at, colour = part["batch_size"], colours[str(device)]
        left.plot(at, part["samples_per_second"], "o-", color=colour, linewidth=2.2, label=device)
    _ticks(left, sweep(aevb, "batch_size")["batch_size"])
    left.set(yscale="log", xlabel="minibatch size $M$", ylabel="training samples per second")
    left.set_title("fastest steps with gradients by hand")
    _engines(right, usual(aevb), colours)
    right.set_title(f"each engine at $M$ = {SETTING['batch_size']}")
    slow, fast = (1e6 / seconds for seconds in reversed(PAPER_SECONDS_PER_MILLION))
    for axes in (left, right):
        axes.axhspan(slow, fast, color=GREY, alpha=0.25, linewidth=0)
        axes.tick_params(labelleft=axes is left)
    left.annotate(
        PAPER.replace("\n", " "), (0.99, np.sqrt(slow * fast)), xycoords=("axes fraction", "data"), ha="right",
        va="center", fontsize=9, color=DARK,
    )  # fmt: skip
    figure.suptitle("AEVB on MNIST, 500 hidden units, $N_z$ = 20: one core of a CPU, or a GPU")
    if len(aevb):
        figure.legend(loc="outside lower center", ncols=len(colours), frameon=False)
    return figure


def _engines(axes: Axes, rows: pd.DataFrame, colours: dict[str, str]) -> None:
    """A column for each engine, in which devices stand beside each other."""
    there = {*rows["engine"]}
    engines = [*(name for name in ENGINES if name in there), *sorted(there - {*ENGINES})]
    devices = [device for device in colours if device in {*rows["device"]}]
    for k, device in enumerate(devices):
        part = rows[rows["device"] == device]
        place = [engines.index(engine) + 0.6 * ((k + 0.5) / len(devices) - 0.5) for engine in part["engine"]]
        axes.plot(place, part["samples_per_second"], "o", color=colours[device], markersize=8, markeredgecolor="white")
    for edge in range(1, len(engines)):
        axes.axvline(edge - 0.5, color="#e6e6e6", linewidth=0.8, zorder=0)
    axes.set_xticks(range(len(engines)), engines, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.5, max(len(engines), 1) - 0.5)
    axes.grid(visible=False, axis="x")


def _cost(aevb: pd.DataFrame, table: pd.DataFrame, colours: dict[str, str]) -> Figure:
    figure = Figure(figsize=(14, 4.2), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    panels = figure.subplots(1, len(SWEEPS) + 1, sharey=True)
    for axes, (name, title) in zip(panels, SWEEPS, strict=False):
        part = sweep(aevb, name)
        for device, curve in part.groupby("device"):
            named = device if axes is panels[0] else None
            axes.plot(curve[name], curve["seconds_per_million"], "o-", color=colours[str(device)], label=named)
        axes.axhspan(*PAPER_SECONDS_PER_MILLION, color=GREY, alpha=0.25, linewidth=0)
        _ticks(axes, part[name])
        axes.set(xlabel=title, title="AEVB, training")
    axes = panels[-1]
    importance = table[table["method"] == "importance sampling, network"]
    for device, curve in importance.sort_values("n_samples").groupby("device"):
        axes.plot(curve["n_samples"], curve["seconds_per_million"], "o-", color=colours[str(device)])
    _ticks(axes, importance["n_samples"])
    axes.set(xlabel="importance samples $K$", title="log p(x), 100 hidden units, $N_z$ = 3")
    panels[0].set(yscale="log", ylabel="seconds per million datapoints")
    middle = np.sqrt(np.prod(PAPER_SECONDS_PER_MILLION))
    panels[0].annotate(PAPER, (0.03, middle), xycoords=("axes fraction", "data"), va="center", fontsize=8.5, color=DARK)
    if len(aevb):
        figure.legend(loc="outside lower center", ncols=len(colours), frameon=False)
    return figure


def _ticks(axes: Axes, values: pd.Series) -> None:
    """A log axis that names the values that were measured."""
    axes.set_xscale("log")
    at = sorted(values.unique())
    axes.xaxis.set_major_locator(FixedLocator(at))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{value:g}" for value in at]))
    axes.xaxis.set_minor_locator(NullLocator())


def _time_to_bound(times: pd.DataFrame, source: str) -> Figure:
    bars, datasets = side_by_side(times), times["dataset"].drop_duplicates().sort_values(key=ranked)
    devices = sorted({device for _, device, _ in bars})
    figure = Figure(figsize=(12, 5), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    for axes, dataset in zip(figure.subplots(1, len(datasets), squeeze=False)[0], datasets, strict=True):
        targets = times[times["dataset"] == dataset].groupby("n_latent")["target"].first()
        sizes = [*targets.index]
        for n, (method, device, rows) in enumerate(bars):
            mine = rows[rows["dataset"] == dataset].set_index("n_latent").reindex(sizes)
            height, error = (mine[name].to_numpy() / 1e6 for name in ("aevb_samples", "error"))
            place = np.arange(len(sizes)) + 0.84 * ((n + 0.5) / len(bars) - 0.5)
            shade = 1 - 0.65 * max(0, devices.index(device) - 1) / len(devices)  # the first is AEVB's, none
            axes.bar(
                place, height, 0.76 / len(bars), yerr=error, color=OURS.colours.get(method, DARK), alpha=shade,
                label=f"{label(method)}, {device}" if device else label(method),
            )  # fmt: skip
        axes.set_xticks(range(len(sizes)), [f"{size}\n{targets[size]:.0f}" for size in sizes])
        axes.set(title=label(str(dataset)), xlabel="$N_z$, and the test bound to reach (nats)")
        axes.grid(visible=False, axis="x")
    figure.axes[0].set_ylabel("AEVB's samples in the same time (millions)")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False)
    told = "the bound is one that all methods reach; lines: ± s.e. over seeds; a sample's time is the benchmarks'"
    figure.supxlabel(f"{told}\n{source}", fontsize=9.5, color=DARK)
    return figure
