"""Where a step's time goes, as charts: a bar for each method and size, of what its parts take."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.report.charts import marks
from harness.report.charts.axis import Axis, category
from harness.report.charts.chart import Chart, Frame, Group, Legend, Plot, Row, readout
from harness.timing.step import KINDS, MICRO, NAMES, REST, STEP

BROAD = Frame(640, 260, 42, 632, 10, 236)
LOOKS = {
    "products": "device-0", "activations": "device-2", "bound": "device-1", "biases": "effort-1", "Adagrad": "m10-l1",
    "chains": "effort-2", "noise": "device-3", "gathering": "effort-3", REST: "plain",
}  # fmt: skip
HIGHEST = 1.1  # of the axis; medians of parts need not add up to that of the step


def step_group(steps: pd.DataFrame, sources: Sequence[str]) -> list[Group]:
    """A chart for each device whose steps were taken apart.

    Args:
        steps: what `harness.timing.step.tabulate_steps` made, with the names of devices in `device`.
        sources: ids of where it comes from.
    """
    charts = [
        Chart(f"step-{k}", ("chart.step.panel", {"device": device}), BROAD, [_plot(part)], [*sources])
        for k, (device, part) in enumerate(steps.groupby("device", sort=False))
    ]
    legend: Legend = [(f"part {LOOKS[part]} bar", (NAMES[part],)) for part in (*KINDS, REST)]
    return [Group("step", charts, 1, legend)] if charts else []


def _plot(part: pd.DataFrame) -> Plot:
    cases = [*dict.fromkeys(part["case"])]
    x = category(cases, BROAD.left, BROAD.right)
    wide = part.pivot_table(index="case", columns="part", values=["share", "seconds"], sort=False).loc[cases]
    highest = float(wide["share"][[*LOOKS]].to_numpy().clip(min=0).sum(axis=1).max())
    y = Axis(0, max(HIGHEST, highest), BROAD.bottom, BROAD.top, unit=0.01)
    width, foot, drawn = 0.5 * float(x.place(1) - x.place(0)), np.zeros(len(cases)), []
    rows = [Row((NAMES[STEP],), "", [[f"{value * MICRO:,.0f}" for value in wide["seconds"][STEP]], [""] * len(cases)])]
    for name, look in LOOKS.items():
        shares = wide["share"][name].clip(lower=0).to_numpy()
        for k, share in enumerate(shares):
            if share > 0:
                low, high = (float(y.place(value)) for value in (foot[k], foot[k] + share))
                drawn.append(marks.bar(f"part {look}", float(x.place(k)), width, low, high))
        foot = foot + shares
        seconds = [f"{value * MICRO:,.0f}" if value else "" for value in wide["seconds"][name]]
        told = [f"{share:.0%}" if share else "" for share in shares]
        rows.append(Row((NAMES[name],), f"part {look} bar", [seconds, told]))
    return Plot(x, y, drawn, readout(x, range(len(cases)), cases, "", ("µs", "%"), rows))
