"""Curves of ours over the paper's as the parts of an inline SVG, and the values that a reader finds on them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from harness.figures.compare import SPLITS, label, scientific, stretches, value_at

WIDTH, HEIGHT = 360, 240
LEFT, RIGHT, TOP, BOTTOM = 46, 350, 12, 218
STEP = 1.5  # pixels between vertices of a stroke; closer ones cannot be seen
STOPS_PER_DECADE = 10


@dataclass(frozen=True)
class Axis:
    """From values, low to high, to pixels, start to end."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def place(self, values: ArrayLike) -> NDArray[np.float64]:
        """Pixels of these values."""
        low, high, at = (np.log10(v) if self.log else np.asarray(v, float) for v in (self.low, self.high, values))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Pixel and label of each tick."""
        if self.log:
            decades = range(int(np.ceil(np.log10(self.low) - 1e-9)), int(np.log10(self.high) + 1e-9) + 1)
            values, names = [10.0**k for k in decades], [scientific(10.0**k) for k in decades]
        else:
            values = [v for v in MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(self.low, self.high) if self.has(v)]
            # Millions on a linear axis of samples, nats on the other.
            names = [f"{v / 1e6 if self.high > 1e5 else v:g}".replace("-", "\N{MINUS SIGN}") for v in values]
        return list(zip(np.round(self.place(values), 1).tolist(), names, strict=True))

    def has(self, value: float) -> bool:
        """The value is on the axis."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Stroke:
    """One curve: whose it is, its SVG path, and the band of its seeds where there are several."""

    ours: bool
    method: str
    split: str
    path: str
    band: str = ""


@dataclass(frozen=True)
class Chart:
    """A panel: axes, strokes, values at the stops of a reader's pointer, and the runs that they come from.

    `size` is N_z in figure 2, N in figure 3, 0 for all points.
    """

    id: str
    dataset: str
    size: int
    x: Axis
    y: Axis
    strokes: list[Stroke]
    readout: dict[str, Any]
    sources: list[str]
    notes: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def enlarged(self) -> bool:
        """It shows the beginning of another panel."""
        return "enlarged" in self.id


def draw(
    name: str, dataset: str, size: int, x: Axis, y: Axis, ours: pd.DataFrame, paper: pd.DataFrame, measure: str,
    compared_at: Sequence[float], sources: list[str], runs: pd.DataFrame,
) -> Chart:  # fmt: skip
    """A panel from its rows of the tables of curves; `runs` tells which ones did not end well."""
    stops = _stops(x, ours["samples"], compared_at)
    strokes, series = [], []
    for is_ours, table in ((False, paper), (True, ours)):
        for (method, split), curve in table.groupby(["method", "split"], sort=False):
            if split not in SPLITS:
                continue
            seeds = [run for _, run in curve.groupby("seed")]
            parts = stretches(curve, measure)
            path = "".join(_path(x, y, part.samples, part.mean) for part in parts)
            band = "".join(_band(x, y, part.samples, part.low, part.high) for part in parts if part.seeds > 1)
            strokes.append(Stroke(is_ours, str(method), str(split), path, band))
            values = _mean(seeds, measure, stops)
            series.append({
                "ours": is_ours, "method": str(method), "split": str(split),
                "values": [None if np.isnan(v) else round(float(v), 1) for v in values],
            })  # fmt: skip
    readout = {
        "x": np.round(x.place(stops), 1).tolist(),
        "samples": [scientific(stop) for stop in stops],
        "series": sorted(series, key=lambda s: (not s["ours"], s["method"], SPLITS.index(str(s["split"])))),
        "y": [y.low, y.high, y.start, y.end],
    }
    ended = runs[runs["status"] != "finished"]
    notes = [
        (label(str(m)), str(status), ", ".join(map(str, sorted(group["seed"]))))
        for (m, status), group in ended.groupby(["method", "status"])
    ]
    return Chart(name, label(dataset, 24), size, x, y, strokes, readout, sources, notes)


def nats(tables: Iterable[pd.DataFrame], measure: str, samples: tuple[float, float]) -> Axis:
    """The axis that shows all curves between two sample counts, and of each at least its end, unless a run explodes."""
    shown = []
    for table in tables:
        columns = [c for c in ("dataset", "n_latent", "n_train", "method", "split", "seed") if c in table]
        within = table[table["samples"].between(*samples)]
        ends = table.groupby(columns)[["samples", measure]].tail(1) if len(table) else table
        shown.append(pd.concat([within, ends[ends["samples"] < samples[0]]])[measure])
    values = pd.concat(shown).astype(float) if shown else pd.Series(dtype=float)
    if values.empty:
        return Axis(-200, -100, BOTTOM, TOP)
    middle, reach = values.median(), 8 * (values.quantile(0.75) - values.quantile(0.25))
    kept = values[(values - middle).abs() <= reach] if reach else values
    margin = 0.06 * (kept.max() - kept.min()) or 1.0
    return Axis(float(kept.min() - margin), float(kept.max() + margin), BOTTOM, TOP)


def _stops(x: Axis, logged: pd.Series, compared_at: Sequence[float]) -> NDArray[np.float64]:
    """Where a pointer finds values: a grid even on the axis, what we logged, and where the table compares."""
    if x.log:
        first, last = np.log10(x.low), np.log10(x.high)
        even = 10 ** (np.arange(np.ceil(first * STOPS_PER_DECADE), last * STOPS_PER_DECADE + 1e-9) / STOPS_PER_DECADE)
    else:
        even = np.linspace(x.low, x.high, 31)[1:]
    known = np.unique(np.concatenate([logged.to_numpy(float), np.asarray(compared_at, float)]))
    # A place of the even grid that is within a stroke of a known one would show the same twice.
    apart = [p for p in even if len(known) == 0 or np.abs(x.place(known) - x.place(p)).min() > STEP]
    wanted = np.union1d(known, np.round(apart))
    return wanted[(wanted >= x.low) & (wanted <= x.high)]


def _mean(seeds: Sequence[pd.DataFrame], measure: str, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the seeds that reach each count, NaN where none does."""
    values = np.ma.masked_invalid([value_at(run["samples"], run[measure], at) for run in seeds])
    return np.ma.filled(values.mean(0), np.nan)


def _pixels(x: Axis, y: Axis, at: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    """Places of the points, far ones brought near, close ones dropped."""
    places = np.stack([x.place(at), np.clip(y.place(values), -2 * HEIGHT, 3 * HEIGHT)], 1)
    places = places[np.isfinite(places).all(1)]
    kept = [0] if len(places) else []
    for k in range(1, len(places)):
        if np.abs(places[k] - places[kept[-1]]).max() >= STEP or k == len(places) - 1:
            kept.append(k)
    return places[kept]


def _path(x: Axis, y: Axis, at: ArrayLike, values: ArrayLike) -> str:
    return "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in _pixels(x, y, at, values))


def _band(x: Axis, y: Axis, at: ArrayLike, low: ArrayLike, high: ArrayLike) -> str:
    edge = np.concatenate([_pixels(x, y, at, high), _pixels(x, y, at, low)[::-1]])
    return "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in edge) + "Z"
