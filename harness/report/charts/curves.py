"""Figures 2 and 3: our curves over the paper's, in our range and in the paper's."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.figures.compare import SPLITS, label, scientific, stretches, value_at
from harness.report.charts import marks
from harness.report.charts.axis import MINUS, Axis
from harness.report.charts.chart import Frame, Plot, Row, heights, readout
from harness.report.charts.marks import STEP, Mark

STOPS_PER_DECADE = 10


def plot(
    name: str, frame: Frame, x: Axis, nats: tuple[float, float], tables: Mapping[str, pd.DataFrame], measure: str,
    compared_at: Sequence[float],
) -> Plot:  # fmt: skip
    """A view of a panel from its rows of the tables of curves, `ours` and `paper`."""
    y = Axis(*nats, frame.bottom, frame.top)
    stops = _stops(x, tables["ours"]["samples"], compared_at)
    drawn: list[Mark] = []
    told: dict[tuple[str, str], dict[str, NDArray[np.float64]]] = {}
    for whose in ("paper", "ours"):
        for (method, split), curve in tables[whose].groupby(["method", "split"], sort=False):
            if split not in SPLITS:
                continue
            for part in stretches(curve, measure):
                if len(part.seeds) > 1:
                    drawn.insert(0, marks.band(f"{whose} {method}", x, y, part.samples, part.low, part.high))
                drawn.append(marks.stroke(f"{whose} {method} {split}", x, y, part.samples, part.mean))
            seeds = [run for _, run in curve.groupby("seed")]
            told.setdefault((str(method), str(split)), {})[whose] = _mean(seeds, measure, stops)
    ordered = sorted(told.items(), key=lambda item: (item[0][0], SPLITS.index(item[0][1])))
    rows = [_row(method, split, values, y, len(stops)) for (method, split), values in ordered]
    return Plot(x, y, drawn, readout(x, stops, [*map(scientific, stops)], "samples", ("ours", "paper"), rows), name)


def _row(method: str, split: str, values: Mapping[str, NDArray[np.float64]], y: Axis, n: int) -> Row:
    columns = [values.get(whose, np.full(n, np.nan)) for whose in ("ours", "paper")]
    return Row(
        (label(method), split),
        f"ours {method} {split}",
        [["" if np.isnan(v) else f"{v:z.1f}".replace("-", MINUS) for v in column] for column in columns],
        [heights(y, column) for column in columns],
        [f"ours {method}", f"paper {method}"],
    )


def nats(tables: Iterable[pd.DataFrame], measure: str, samples: tuple[float, float]) -> tuple[float, float]:
    """What shows all curves between two sample counts, and of each at least its end, unless a run explodes."""
    shown = []
    for table in tables:
        columns = [c for c in ("dataset", "n_latent", "n_train", "method", "split", "seed") if c in table]
        within = table[table["samples"].between(*samples)]
        ends = table.groupby(columns)[["samples", measure]].tail(1) if len(table) else table
        shown.append(pd.concat([within, ends[ends["samples"] < samples[0]]])[measure])
    values = pd.concat(shown).astype(float) if shown else pd.Series(dtype=float)
    if values.empty:
        return -200.0, -100.0
    middle, reach = values.median(), 8 * (values.quantile(0.75) - values.quantile(0.25))
    kept = values[(values - middle).abs() <= reach] if reach else values
    margin = 0.06 * (kept.max() - kept.min()) or 1.0
    return float(kept.min() - margin), float(kept.max() + margin)


def _stops(x: Axis, logged: pd.Series, compared_at: Sequence[float]) -> NDArray[np.float64]:
    """Where a pointer finds values: where the table compares, what we logged, and a grid even on the axis.

    Of what is nearer to each other than a stroke is wide, the first alone.
    """
    if x.log:
        first, last = np.log10(x.low), np.log10(x.high)
        even = 10 ** (np.arange(np.ceil(first * STOPS_PER_DECADE), last * STOPS_PER_DECADE + 1e-9) / STOPS_PER_DECADE)
    else:
        even = np.linspace(x.low, x.high, 31)[1:]
    wanted = np.concatenate(
        [np.sort(np.asarray(compared_at, float)), np.unique(logged.to_numpy(float)), np.round(even)]
    )
    wanted = wanted[(wanted >= x.low) & (wanted <= x.high)]
    found: dict[float, float] = {}  # by their places
    for place, stop in zip(x.place(wanted).tolist(), wanted.tolist(), strict=True):
        if all(abs(place - other) > STEP for other in found):
            found[place] = stop
    return np.array(sorted(found.values()))


def _mean(seeds: Sequence[pd.DataFrame], measure: str, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the seeds that reach each count, NaN where none does."""
    values = np.ma.masked_invalid([value_at(run["samples"], run[measure], at) for run in seeds])
    return np.ma.filled(values.mean(0), np.nan)
