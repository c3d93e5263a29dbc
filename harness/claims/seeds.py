"""Curves over seeds: values at a sample count, and when a bound is reached."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.claims.item import Item
from harness.figures.compare import first_at, value_at
from harness.studies.estimate import Estimate

CLOSE = 1e-4  # relative: what a stroke's width is at the end of the paper's curves


class Curve(NamedTuple):
    """A run's curve: training samples, ascending, and nats at each, all finite; and whether it ended by diverging."""

    samples: NDArray[np.float64]
    nats: NDArray[np.float64]
    diverged: bool = False

    def lost(self, count: float) -> bool:
        """It diverged before a sample count."""
        return self.diverged and count > self.samples.max(initial=0.0) and math.isnan(self.at(count))

    def at(self, count: float) -> float:
        """Nats at a sample count, NaN where the curve does not reach it."""
        return float(value_at(self.samples, self.nats, count))

    def until(self, count: float) -> "Curve":
        """The curve up to a count that it reaches, and its value there."""
        inside = self.samples < count * (1 - CLOSE)
        return Curve(np.append(self.samples[inside], count), np.append(self.nats[inside], self.at(count)))

    def first(self, bound: float) -> float:
        """Samples at which the curve first is as high; NaN where it never is, or is from its first point on."""
        return math.nan if (self.nats[:1] >= bound).any() else first_at(self.samples, self.nats, bound)


Seeds = Mapping[int, Curve]


def seeds_of(table: pd.DataFrame, measure: str, diverged: Collection[int] = (), **where: object) -> Seeds:
    """The curve of each seed; that of one that diverged may be empty.

    Args:
        table: tidy, with samples, the measure and perhaps the seed; without, it is one curve's, as of the paper's.
        measure: column of the nats.
        diverged: seeds that did.
        where: columns and values that name the curve.
    """
    kept = np.isfinite(table[measure].astype(float)) & (table["samples"] > 0)
    for column, value in where.items():
        kept &= table[column] == value
    rows = table[kept].sort_values("samples", kind="stable")
    groups = rows.groupby("seed") if "seed" in rows else [(0, rows)] if len(rows) else []
    nothing = Curve(np.array([]), np.array([]), True)
    return dict.fromkeys(sorted(diverged), nothing) | {
        (name := int(str(seed))): Curve(run["samples"].to_numpy(float), run[measure].to_numpy(float), name in diverged)
        for seed, run in groups
    }


def reaching(seeds: Seeds, count: float) -> Seeds:
    """The seeds whose curve has a value there."""
    return {seed: curve for seed, curve in seeds.items() if not math.isnan(curve.at(count))}


def farthest(counts: Iterable[float], groups: Sequence[Seeds]) -> float:
    """The largest of these counts that two seeds of every group reach, else one; NaN where there is none.

    A group whose seeds have all diverged before goes as far as one likes.
    """
    fewest = {count: min(_how_many(group, count) for group in groups) for count in counts}
    for least in (2, 1):
        if there := [count for count, seeds in fewest.items() if seeds >= least]:
            return max(there)
    return math.nan


def _how_many(seeds: Seeds, count: float) -> int:
    return len(reaching(seeds, count)) or len(seeds) * all(curve.lost(count) for curve in seeds.values())


def up_to(seeds: Seeds, count: float, number: Callable[[Curve], float]) -> dict[int, float]:
    """A number of each seed's curve up to a count that it reaches; NaN of a seed that diverged before.

    Nothing where no seed reaches the count of which one could have.
    """
    there = reaching(seeds, count)
    return {
        seed: number(curve.until(count)) if seed in there else math.nan
        for seed, curve in seeds.items()
        if seed in there or (curve.lost(count) and _how_many(seeds, count))
    }


def at(seeds: Seeds, count: float) -> dict[int, float]:
    """Nats of each seed that reaches the count; NaN of one that diverged before."""
    return up_to(seeds, count, lambda curve: float(curve.nats[-1]))


def measured(
    name: str,
    estimate: Estimate,
    unit: str,
    begin: float,
    end: float,
    low: float = -math.inf,
    high: float = math.inf,
    paper: float = math.nan,
    note: str = "",
) -> Item:
    """The estimate as a number that a claim hangs on; `begin` and `end` are training samples, the rest is `Item`'s."""
    note = "; ".join(filter(None, [note, estimate.lost]))
    names = estimate.names if estimate.names != tuple(range(estimate.seeds)) else ()
    return Item(
        name, estimate.value, unit, estimate.standard_error, estimate.degrees, low, high, estimate.seeds, begin, end,
        paper, note, " ".join(map(str, names)),
    )  # fmt: skip
