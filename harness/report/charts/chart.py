"""A chart of the page: axes, marks, and what a reader's pointer finds at each stop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from harness.report.charts.axis import Axis
from harness.report.charts.marks import Mark


@dataclass(frozen=True)
class Frame:
    """A chart's size, and where its axes lie in it; units of the SVG, pixels where it has its natural size."""

    width: float = 240
    height: float = 190
    left: float = 37
    right: float = 234
    top: float = 8
    bottom: float = 168


SMALL, TALL, WIDE = Frame(), Frame(300, 230, 44, 292, 10, 206), Frame(420, 260, 42, 412, 10, 236)


@dataclass(frozen=True)
class Row:
    """A line of the readout.

    Attributes:
        name: words, by their names in the page's text or as they are.
        look: of its swatch.
        cells: for each column, what is told at each stop; "" where there is nothing.
        dots: for each column, the pixel of the value at each stop, None where it is off the chart.
        looks: of each column's dots.
    """

    name: tuple[str, ...]
    look: str
    cells: list[list[str]]
    dots: list[list[float | None]] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Plot:
    """One view of a chart; `range` tells it from others of the same chart, which show other axes."""

    x: Axis
    y: Axis
    marks: list[Mark]
    readout: Mapping[str, Any]
    range: str = ""


@dataclass(frozen=True)
class Chart:
    """A panel.

    Attributes:
        id: of its element.
        title: key of its title in the page's text, and the values inserted there.
        frame: its size.
        plots: its views, the reader's range first.
        sources: ids of where its numbers come from.
        notes: method, status and seeds of runs that did not end well.
    """

    id: str
    title: tuple[str, Mapping[str, object]]
    frame: Frame
    plots: list[Plot]
    sources: list[str]
    notes: list[tuple[str, str, str]] = field(default_factory=list)


Legend = list[tuple[str, tuple[str, ...]]]


@dataclass(frozen=True)
class Group:
    """Charts that belong together: `name` leads to their texts.

    Attributes:
        name: "chart.NAME.x", ".y" and ".caption" are keys of the page's text.
        charts: the panels, row by row.
        columns: panels in a row on a wide screen.
        legend: look, and name as in a `Row`.
    """

    name: str
    charts: list[Chart]
    columns: int
    legend: Legend


def readout(
    x: Axis, stops: ArrayLike, names: Sequence[str], at: str, columns: Sequence[str], rows: Sequence[Row]
) -> dict[str, Any]:
    """What the page's script reads: pixels of the stops, their names, the text that tells a stop, and the rows."""
    return {
        "x": np.round(x.place(stops), 1).tolist(),
        "stops": list(names),
        "at": at,
        "columns": list(columns),
        "rows": [vars(row) for row in rows],
    }


def heights(y: Axis, values: ArrayLike) -> list[float | None]:
    """Pixels of these values, None for what is off the axis or not finite."""
    top, bottom = sorted((y.start, y.end))
    pixels = [float(p) for p in np.round(y.place(np.asarray(values, dtype=float)), 1)]
    return [p if np.isfinite(p) and top <= p <= bottom else None for p in pixels]
