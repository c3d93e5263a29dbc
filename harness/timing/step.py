"""Where a step's time goes: a table of its parts with their intervals, and a bar for each method and size."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from harness.figures.compare import label
from harness.figures.panel import DARK, STYLE, save
from harness.store.columns import format_sections

STEP, REST = "step", "rest"
# What a step's operations are for, by what they are called in files; the order is that of the bars.
KINDS: Mapping[str, str] = {
    "products": "matrix products",
    "activations": "activations",
    "bound": "likelihood and bound",
    "biases": "gradients of biases",
    "Adagrad": "Adagrad",
    "chains": "moves of the chains",
    "noise": "random numbers",
    "gathering": "gathering the minibatch",
}
NAMES = {STEP: "the step", **KINDS, REST: "the rest"}
COLOURS = {
    "products": "#1f4fa0", "activations": "#6f9bd8", "bound": "#a50f22", "biases": "#e59aa3", "Adagrad": "#2fa83b",
    "chains": "#7a3fa0", "noise": "#d98200", "gathering": "#f0c808", REST: "#bdbdbd",
}  # fmt: skip
NOTHING = {"seconds": 0.0, "low": 0.0, "high": 0.0, "operations": 0.0}
MICRO, LARGE = 1e6, 0.04  # a share that is told in its bar


def tabulate_steps(records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A row for each case and part, the step first and the rest last.

    Args:
        records: of the suite "step", as a device's file has them.

    Returns:
        Columns case, method, part, seconds (median of a step's), low and high (95 % interval), share (of the step's)
        and operations (asked of torch in a step). The rest is the step less its parts, so that shares add up to 1.
    """
    rows = []
    for each in records:
        case = f"{label(each['method'])} {'-'.join(map(str, each['hidden']))}/{each['n_latent']}"
        whole = each["parts"][STEP]["seconds"]
        parts = {part: each["parts"].get(part, NOTHING) for part in NAMES}
        shift = whole - sum(parts[kind]["seconds"] for kind in (*KINDS, REST))
        parts[REST] = {**parts[REST], **{name: parts[REST][name] + shift for name in ("seconds", "low", "high")}}
        for part, found in parts.items():
            rows.append({"case": case, "method": each["method"], "part": part, **found,
                         "share": found["seconds"] / whole})  # fmt: skip
    return pd.DataFrame(rows, columns=["case", "method", "part", "seconds", "low", "high", "operations", "share"])


def format_steps(table: pd.DataFrame) -> str:
    """What is printed: a section for each case, a line for each part."""
    shown = pd.DataFrame({
        "part": table["part"].map(NAMES),
        "µs": [_number(seconds * MICRO) for seconds in table["seconds"]],
        "95 % interval": [f"{_number(a * MICRO)}–{_number(b * MICRO)}" for a, b in table[["low", "high"]].to_numpy()],
        "share": table["share"].map("{:.0%}".format),
        "operations": [f"{n:.0f}" if part in KINDS else "" for n, part in table[["operations", "part"]].to_numpy()],
    })  # fmt: skip
    there = table["seconds"] != 0
    return format_sections([*table.loc[there, "case"]], shown[there])


def cells(table: pd.DataFrame) -> pd.DataFrame:
    """Text: a row for each part, a column for each case; microseconds ± half of the interval, and the share."""
    columns = {"µs a step": [NAMES[part] for part in NAMES]}
    for case, rows in table.groupby("case", sort=False):
        parts = {row["part"]: row for row in rows.to_dict("records")}
        columns[str(case)] = [_cell(parts[part]) for part in NAMES]
    return pd.DataFrame(columns)


def _cell(row: Mapping[Any, Any]) -> str:
    if not row["seconds"]:
        return "–"
    text = f"{_number(row['seconds'] * MICRO)} ± {_number((row['high'] - row['low']) / 2 * MICRO)}"
    return text if row["part"] == STEP else f"{text} ({row['share']:.0%})"


def _number(micro: float) -> str:
    return f"{micro:,.0f}" if abs(micro) >= 10 else f"{micro:.1f}"


def plot_steps(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Write step as PNG and SVG, a panel for each device; nothing where no step was taken apart.

    Args:
        table: what `tabulate_steps` made, with the names of devices in `device`.
        folder: where the figure goes.
    """
    devices = [*dict.fromkeys(table["device"])] if len(table) else []
    if not devices:
        return []
    most = max(table[table["device"] == name]["case"].nunique() for name in devices)
    with matplotlib.rc_context(STYLE):
        engine = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
        figure = Figure(figsize=(10, (1.1 + 0.5 * most) * len(devices) + 0.6), layout=engine)
        panels = figure.subplots(len(devices), 1, squeeze=False)[:, 0]
        for axes, name in zip(panels, devices, strict=True):
            _bars(axes, table[table["device"] == name])
            axes.set_title(f"where a step's time goes: {name}")
        panels[-1].set_xlabel("share of the step's time")
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=5, frameon=False)
        return save(figure, folder / "step")


def _bars(axes: Axes, table: pd.DataFrame) -> None:
    cases = [*dict.fromkeys(table["case"])]
    wide = table.pivot_table(index="case", columns="part", values="share", sort=False).loc[cases]
    start = pd.Series(0.0, index=cases)
    for part, colour in COLOURS.items():
        shares = wide[part].clip(lower=0)
        bars = axes.barh(cases, shares, left=start, height=0.62, color=colour, label=NAMES[part])
        texts = [f"{share:.0%}" if share >= LARGE else "" for share in shares]
        dark = part in ("products", "bound", "Adagrad", "chains")
        axes.bar_label(bars, texts, label_type="center", fontsize=8.5, color="white" if dark else DARK)
        start += shares
    for k, case in enumerate(cases):
        row = table[(table["case"] == case) & (table["part"] == STEP)].iloc[0]
        axes.annotate(f"{row['seconds'] * 1e3:.2f} ms", (start[case], k), (5, 0), textcoords="offset points",
                      va="center", fontsize=9)  # fmt: skip
    axes.set_xlim(0, 1.1 * max(1.0, start.max()))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}" if value <= 1 else "")
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
