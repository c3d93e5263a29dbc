"""The roofline as charts: what each machine has to give, and what each step gets out of it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.figures.compare import label, scientific
from harness.report.charts import marks
from harness.report.charts.axis import Axis
from harness.report.charts.benchmarks import ENGINES
from harness.report.charts.chart import WIDE, Chart, Group, Legend, Plot, Row, heights, readout
from harness.timing.roofline import GIGA, points, roof_name

ROOM = 2.0  # an axis goes so many times beyond what it shows
MANY = 100  # times as much at the top as at the bottom: powers of ten are names enough
LOOKS = {"memory": "plain", "cache": "signal", "products": "limit"}


def roofline_group(table: pd.DataFrame, roofs: pd.DataFrame, sources: Sequence[str]) -> list[Group]:
    """A chart for each device that has roofs and steps to show.

    Args:
        table: what `harness.timing.tables.tabulate` made, with the names of devices in `device`.
        roofs: what `harness.timing.roofline.tabulate_roofs` made, likewise.
        sources: ids of where it comes from.
    """
    shown, charts = points(table[table["device"].isin(roofs["device"])]), []
    for k, device in enumerate(dict.fromkeys(roofs["device"])):
        own, bounds = shown[shown["device"] == device], roofs[roofs["device"] == device]
        if len(own):
            title = ("chart.roofline.panel", {"device": device})
            charts.append(Chart(f"roofline-{k}", title, WIDE, [_plot(own, bounds)], [*sources]))
    kinds = dict.fromkeys(roofs["device_type"])
    legend: Legend = [*dict.fromkeys(
        (f"{look} train", (roof_name(name, str(kind)),)) for name, look in LOOKS.items() for kind in kinds
    )]  # fmt: skip
    legend += [(f"ours {name} train", (label(name),)) for name in dict.fromkeys(shown["method"])]
    legend += [(f"mark-{shape}", (name,)) for name, shape in ENGINES.items() if name in {*shown["kind"]}]
    return [Group("roofline", charts, min(len(charts), 2), legend)] if charts else []


def _name(value: float) -> str:
    return f"{value:,g}" if value < 1e4 else scientific(value)


def _plot(own: pd.DataFrame, bounds: pd.DataFrame) -> Plot:
    rates = {(row["roof"], row["precision"]): row["rate"] / GIGA for row in bounds.to_dict("records")}
    peak = max(rate for (roof, _), rate in rates.items() if roof == "products")
    ridges = [peak / rate for (roof, _), rate in rates.items() if roof != "products"]
    low, high = min([*own["intensity"], *ridges]) / ROOM, max([*own["intensity"], *ridges]) * ROOM
    x = Axis(low, high, WIDE.left, WIDE.right, log=True)
    bottom, top = min(own["gflops"]) / ROOM, max(peak, own["gflops"].max()) * ROOM
    digits = (1, 2, 5) if top < MANY * bottom else (1,)
    named = tuple(digit * 10.0**k for k in range(-3, 7) for digit in digits if bottom <= digit * 10.0**k <= top)
    y = Axis(bottom, top, WIDE.bottom, WIDE.top, log=True, named=named, names=tuple(map(_name, named)))
    drawn, rows = [], []
    stops = np.array(sorted({round(value, 1) for value in own["intensity"]}))
    kind_of_device = bounds["device_type"].iloc[0]
    for (roof, precision), rate in rates.items():
        at = np.geomspace(low, high, 200)
        limit = np.full_like(at, rate) if roof == "products" else np.minimum(at * rate, peak)
        kept = (limit < peak) | (roof == "products")
        drawn.append(marks.stroke(f"{LOOKS[roof]} train", x, y, at[kept], limit[kept]))
        values = np.full_like(stops, rate) if roof == "products" else stops * rate
        named_roof = roof_name(roof, kind_of_device)
        name = (named_roof,) if precision == "float32" else (named_roof, precision)
        rows.append(Row(name, f"{LOOKS[roof]} train", [[f"{value:,.0f}" for value in values]]))
    for (method, kind), part in own.groupby(["method", "kind"], sort=False):
        look = f"{method}" if kind == "by hand" else f"{method} hollow"
        best = part.groupby(part["intensity"].round(1))["gflops"].max()
        drawn += [marks.dot(look, float(px), float(py), 3.5, ENGINES.get(str(kind), "circle")) for px, py in
                  zip(x.place(best.index), y.place(best), strict=True)]  # fmt: skip
        there = best.reindex(stops)
        told = ["" if np.isnan(value) else f"{value:,.1f}" for value in there]
        rows.append(
            Row((label(str(method)), str(kind)), f"ours {method} train", [told], [heights(y, there)], [f"{method}"])
        )
    names = [f"{stop:,.1f} FLOP/B" for stop in stops]
    return Plot(x, y, drawn, readout(x, stops, names, "", ("GFLOP/s",), rows))
