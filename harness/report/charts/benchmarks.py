"""The benchmarks as charts: throughput, cost against each setting, time to a bound; the paper's beside."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.claims.text import with_error
from harness.experiments.paper import FIGURE2
from harness.figures.compare import label
from harness.report.charts import marks
from harness.report.charts.axis import MINUS, Axis, category
from harness.report.charts.chart import TALL, WIDE, Chart, Frame, Group, Legend, Plot, Row, heights, readout
from harness.timing.tables import PAPER_SECONDS_PER_MILLION, side_by_side, sweep, usual

BETWEEN_ENGINES = 10  # of their marks at the one size that they share
ROOM = 1.5  # an axis goes so many times beyond what it shows
# A shape for each way to compute that is not the one by hand.
ENGINES = {
    "reference": "square", "stacked": "diamond", "plain PyTorch": "down", "JAX scan": "up", "JAX vmap": "right",
    "bfloat16": "cross",
}  # fmt: skip
SWEEPS = ("n_latent", "hidden", "n_samples")
DEVICES = 4  # looks
SHADES = 4  # of bars


def speed_groups(table: pd.DataFrame, sources: Sequence[str]) -> list[Group]:
    """Samples per second against M, and seconds per million against each setting.

    Args:
        table: what `harness.timing.tables.tabulate` made, of one or several devices, with their names in `device`.
        sources: ids of where it comes from.
    """
    looks = {device: f"device-{k % DEVICES}" for k, device in enumerate(sorted(table["device"].unique()))}
    aevb = table[(table["suite"] == "learner") & (table["method"] == "aevb")]
    legend: Legend = [(f"{look} train", (device,)) for device, look in looks.items()]
    others: Legend = [(f"mark-{ENGINES[name]}", (name,)) for name in ENGINES if name in {*usual(aevb)["engine"]}]
    paper: Legend = [("zone", ("the paper, 2013",))]
    found = []
    if len(curve := sweep(aevb, "batch_size")):
        plot = _throughput(curve, usual(aevb), looks)
        chart = Chart("throughput", ("chart.throughput.panel", {}), WIDE, [plot], [*sources])
        found.append(Group("throughput", [chart], 1, [*legend, *others, *paper]))
    parts = {name: sweep(aevb, name) for name in SWEEPS}
    parts["importance"] = table[table["method"] == "importance sampling, network"].sort_values("n_samples")
    charts = [
        Chart(f"cost-{name}", (f"chart.cost.{name}", {}), TALL, [_cost(part, name, looks)], [*sources])
        for name, part in parts.items()
        if len(part)
    ]
    return [*found, Group("cost", charts, 4, [*legend, *paper])] if charts else found


def _throughput(curve: pd.DataFrame, engines: pd.DataFrame, looks: dict[str, str]) -> Plot:
    slow, fast = (1e6 / seconds for seconds in reversed(PAPER_SECONDS_PER_MILLION))
    stops = sorted(curve["batch_size"].unique())
    x = _sizes(stops, WIDE)
    shown = [*curve["samples_per_second"], *engines["samples_per_second"], slow, fast]
    y = Axis(min(shown) / ROOM, max(shown) * ROOM, WIDE.bottom, WIDE.top, log=True)
    drawn, rows = [marks.zone("zone", x, y, slow, fast)], []
    for device, part in curve.groupby("device"):
        look = looks[str(device)]
        drawn += _joined(look, x, y, part["batch_size"], part["samples_per_second"])
        rows.append(_row(("by hand",), look, stops, y, part.set_index("batch_size")["samples_per_second"], "{:,.0f}"))
    others = [name for name in ENGINES if name in {*engines["engine"]}]
    for (engine, machine), part in engines[engines["engine"].isin(others)].groupby(["engine", "device"]):
        aside = BETWEEN_ENGINES * (others.index(str(engine)) - (len(others) - 1) / 2)
        look, best = looks[str(machine)], part.set_index("batch_size")["samples_per_second"].groupby(level=0).max()
        drawn += [marks.dot(f"{look} hollow", float(px) + aside, float(py), 4, ENGINES[str(engine)]) for px, py in
                  zip(x.place(best.index), y.place(best), strict=True)]  # fmt: skip
        rows.append(_row((str(engine),), look, stops, y, best, "{:,.0f}"))
    names = [f"M = {stop:,.0f}" for stop in stops]
    return Plot(x, y, drawn, readout(x, stops, names, "", ("samples/s",), rows))


def _cost(part: pd.DataFrame, name: str, looks: dict[str, str]) -> Plot:
    varied = "n_samples" if name == "importance" else name
    stops = sorted(part[varied].astype(float).unique())
    x, measured = _sizes(stops, TALL), part["seconds_per_million"]
    y = Axis(min(measured.min(), 1) / ROOM, max(measured.max(), PAPER_SECONDS_PER_MILLION[1]) * ROOM,
             TALL.bottom, TALL.top, log=True)  # fmt: skip
    drawn = [] if name == "importance" else [marks.zone("zone", x, y, *PAPER_SECONDS_PER_MILLION)]
    rows = []
    for device, curve in part.groupby("device"):
        look, values = looks[str(device)], curve.set_index(varied)["seconds_per_million"].groupby(level=0).min()
        values.index = values.index.astype(float)
        drawn += _joined(look, x, y, values.index, values)
        rows.append(_row((str(device),), look, stops, y, values, "{:,.3g}"))
    return Plot(x, y, drawn, readout(x, stops, [f"{stop:,.0f}" for stop in stops], "", ("seconds",), rows))


def time_group(times: pd.DataFrame, source: str) -> list[Group]:
    """Time to a bound that all methods of a panel reach; what `harness.timing.tables.time_to_bound` made."""
    bars = side_by_side(times)
    shades = {device: k % SHADES for k, device in enumerate(sorted({device for _, device, _ in bars} - {""}))}
    looks = [f"ours {method}{f' shade-{shades[device]}' if device else ''}" for method, device, _ in bars]
    charts = []
    for dataset in [name for name in FIGURE2.panels if name in {*times["dataset"]}]:
        title = ("chart.time.panel", {"dataset": label(str(dataset), 24)})
        parts = [(look, method, device, rows[rows["dataset"] == dataset])
                 for look, (method, device, rows) in zip(looks, bars, strict=True)]  # fmt: skip
        charts.append(Chart(f"time-{dataset}", title, WIDE, [_bars(parts)], [source]))
    legend: Legend = [
        (f"{look} bar", _named(method, device)) for look, (method, device, _) in zip(looks, bars, strict=True)
    ]
    return [Group("time", charts, 2, legend)] if charts else []


def _named(method: str, device: str) -> tuple[str, ...]:
    return (label(method), device) if device else (label(method),)


def _bars(parts: Sequence[tuple[str, str, str, pd.DataFrame]]) -> Plot:
    targets = pd.concat([part for *_, part in parts]).groupby("n_latent")["target"].first()
    sizes = [*targets.index]
    x = category([f"{size}" for size in sizes], WIDE.left, WIDE.right)
    y = Axis(0, 1.08 * max(part["aevb_samples"].max() for *_, part in parts) / 1e6, WIDE.bottom, WIDE.top)
    step = float(x.place(1) - x.place(0))
    drawn, rows = [], []
    for k, (look, method, device, part) in enumerate(parts):
        mine = part.set_index("n_latent").reindex(sizes)
        millions, errors = mine["aevb_samples"] / 1e6, mine["error"] / 1e6
        shift = 0.84 * ((k + 0.5) / len(parts) - 0.5)
        for place, value in enumerate(millions):
            if np.isfinite(value):
                px, width = float(x.place(place + shift)), 0.76 * step / len(parts)
                drawn.append(marks.bar(look, px, width, float(y.start), float(y.place(value))))
        cells = ["–" if np.isnan(v) else with_error(v, e) for v, e in zip(millions, errors, strict=True)]
        rows.append(Row(_named(method, device), f"{look} bar", [cells]))
    goal = [f"{v:.1f}".replace("-", MINUS) for v in targets]
    rows.append(Row(("test bound to reach, nats",), "", [goal]))
    names = [f"N_z = {size}" for size in sizes]
    return Plot(x, y, drawn, readout(x, range(len(sizes)), names, "", ("millions of samples",), rows))


def _sizes(stops: Sequence[float], frame: Frame) -> Axis:
    """A log axis that names the values that were measured, as far as there is room."""
    room = ROOM if stops[0] < stops[-1] else 2.0
    axis = Axis(stops[0] / room, stops[-1] * room, frame.left, frame.right, log=True)
    kept: list[float] = []
    for stop in reversed(stops):
        if not kept or float(axis.place(kept[-1]) - axis.place(stop)) > 30:
            kept.append(stop)
    return Axis(axis.low, axis.high, frame.left, frame.right, log=True, named=tuple(reversed(kept)),
                names=tuple(f"{stop:,.0f}" for stop in reversed(kept)))  # fmt: skip


def _joined(look: str, x: Axis, y: Axis, at: ArrayLike, values: pd.Series) -> list[marks.Mark]:
    dots = [marks.dot(look, float(px), float(py), 3) for px, py in zip(x.place(at), y.place(values), strict=True)]
    return [marks.stroke(f"{look} train", x, y, at, values), *dots]


def _row(name: tuple[str, ...], look: str, stops: Sequence[float], y: Axis, values: pd.Series, form: str) -> Row:
    there = values.reindex([*stops])
    cells = ["" if np.isnan(v) else form.format(v) for v in there]
    return Row(name, f"{look} train", [cells], [heights(y, there)], [look])
