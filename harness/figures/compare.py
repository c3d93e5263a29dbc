"""Our curves beside the paper's: values at equal sample counts, and the difference in nats."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from aevb.places import name_in_print
from harness.experiments.methods import METHODS

KEY = ("dataset", "n_latent", "method", "split")
# The paper's order of datasets, methods and splits; a name that is not here comes after them.
LABELS = {"mnist": "MNIST", "frey_face": "Frey Face", **{name: method.label for name, method in METHODS.items()}}
SPLITS = ("train", "test")
HEADINGS = {"n_latent": "N_z", "n_train": "N"}


def value_at(samples: ArrayLike, values: ArrayLike, at: ArrayLike) -> NDArray[np.float64]:
    """`values` (nats) at the sample counts `at`, on the straight strokes between points of a log10(samples) axis.

    `samples` must be positive and ascending. Counts outside its range give NaN, never an extrapolation.
    """
    x, wanted = np.asarray(samples, dtype=float), np.asarray(at, dtype=float)
    if x.size == 0:
        return np.full(wanted.shape, np.nan)
    # The paper's Frey Face curves end at 99,995,197 samples: that is 10^8 to within a stroke's width.
    inside = (wanted >= x[0] * (1 - 1e-4)) & (wanted <= x[-1] * (1 + 1e-4))
    nearest = np.log10(np.clip(wanted, x[0], x[-1]))
    return np.where(inside, np.interp(nearest, np.log10(x), np.asarray(values, dtype=float)), np.nan)


def first_at(samples: ArrayLike, values: ArrayLike, bound: float) -> float:
    """The sample count at which `values` (nats) first are as high as the bound, on the strokes that `value_at` reads.

    NaN where they never are. A curve that begins as high was so at its first count or before: that count is returned.
    """
    x, nats = np.asarray(samples, dtype=float), np.asarray(values, dtype=float)
    there = np.flatnonzero(nats >= bound)
    if not len(there):
        return np.nan
    if (k := there[0]) == 0:
        return float(x[0])
    left = (nats[k] - bound) / (nats[k] - nats[k - 1])  # share of the stroke
    return float(x[k] * (x[k - 1] / x[k]) ** left)


@dataclass(frozen=True)
class Stretch:
    """A part of a curve over which the same seeds are there: at each of the samples, the value of each seed (nats)."""

    samples: NDArray[np.float64]
    seeds: NDArray[np.float64]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Of the seeds."""
        return self.seeds.mean(0)

    @property
    def low(self) -> NDArray[np.float64]:
        """The lowest seed."""
        return self.seeds.min(0)

    @property
    def high(self) -> NDArray[np.float64]:
        """The highest seed."""
        return self.seeds.max(0)


def stretches(curve: pd.DataFrame, value: str) -> list[Stretch]:
    """A curve of several seeds, some of which may go farther than others: the mean never jumps where one ends.

    Each stretch begins at the point where the one before it ends.
    """
    samples = np.unique(curve["samples"].to_numpy(float))
    values = np.stack([value_at(run["samples"], run[value], samples) for _, run in curve.groupby("seed")])
    there = np.isfinite(values)
    begins = [0, *(k for k in range(1, len(samples)) if (there[:, k] != there[:, k - 1]).any())]
    found = []
    for begin, end in zip(begins, [*begins[1:], len(samples)], strict=True):
        seeds = there[:, begin]
        first = begin - 1 if begin and there[seeds, begin - 1].all() else begin
        part = values[seeds, first:end]
        if len(part):
            found.append(Stretch(samples[first:end], part))
    return found


def drawable(curves: pd.DataFrame, value: str = "lower_bound") -> pd.DataFrame:
    """The rows of the train and test splits that have a place on a log axis: finite nats, samples > 0; ascending."""
    kept = curves["split"].isin(SPLITS) & np.isfinite(curves[value].astype(float)) & (curves["samples"] > 0)
    return curves[kept].sort_values("samples", kind="stable")


def compare(
    curves: pd.DataFrame,
    published: pd.DataFrame,
    at: Sequence[float] = (1e6, 1e7, 1e8),
    key: Sequence[str] = KEY,
    value: str = "lower_bound",
) -> pd.DataFrame:
    """Ours, the paper's and the difference (ours − paper, nats), for each protocol, curve and sample count reached.

    Columns: protocol, the `key`, samples, ours (mean over the seeds that reach the count), standard_error (spread of
    the seeds / √seeds, see `over_seeds`; the run's own where no spread is known), seeds, paper, difference (NaN without
    the paper's), difference_error (its standard error, the paper's one seed taken to vary as ours do) and published (it
    comes with the project, and is not the reader's own).
    """
    paper = {name: curve for name, curve in drawable(published, value).groupby(list(key))}
    at = sorted(at)
    rows = []
    for (protocol, *name), group in drawable(curves, value).groupby(["protocol", *key]):
        runs = [run for _, run in group.groupby("seed")]
        reached = np.stack([value_at(run["samples"], run[value], at) for run in runs])
        own_error = np.stack([value_at(run["samples"], run["standard_error"], at) for run in runs])
        theirs = paper.get(tuple(name), published.head(0))
        not_own = bool(group["published"].any()) if "published" in group else False
        counts = np.flatnonzero(np.isfinite(reached).any(0))
        mean, spread, seeds = over_seeds(reached[:, counts])
        own = pd.DataFrame(own_error[:, counts]).max().to_numpy()
        error = np.where(np.isfinite(spread), spread / np.sqrt(seeds), own)
        both = np.where(np.isfinite(spread), with_one_more(spread, seeds), own)
        theirs_at = value_at(theirs["samples"], theirs[value], np.array(at)[counts])
        for k, row in enumerate(zip(mean, error, seeds, theirs_at, mean - theirs_at, both, strict=True)):
            rows.append((protocol, *name, at[counts[k]], *row, not_own))
    numbers = ["samples", "ours", "standard_error", "seeds", "paper", "difference", "difference_error", "published"]
    table = pd.DataFrame(rows, columns=["protocol", *key, *numbers])
    return table.sort_values(["protocol", *key, "samples"], key=ranked, ignore_index=True)


def over_seeds(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Mean, spread and number of the seeds at each point, of those that are there.

    Where one seed goes on alone, its spread is taken to be that of the last point at which there were several.

    Args:
        values: (seeds, points), NaN where a seed has no value; at each point one has.
    """
    there = np.isfinite(values)
    seeds = there.sum(0)
    mean = np.where(there, values, 0).sum(0) / seeds
    squares = np.where(there, np.square(values - mean), 0).sum(0)
    spread = np.sqrt(np.divide(squares, seeds - 1, out=np.full(len(seeds), np.nan), where=seeds > 1))
    return mean, pd.Series(spread).ffill().to_numpy(), seeds


def with_one_more(spread: NDArray[np.float64], seeds: NDArray[np.int64]) -> NDArray[np.float64]:
    """The standard error of the difference between a mean over seeds and one more run like them: the paper's."""
    return spread * np.sqrt(1 + 1 / seeds)


def ranked(column: pd.Series) -> pd.Series:
    """Sort key: the paper's names in the paper's order, then others by name; other columns by their own order."""
    if column.name not in ("dataset", "method", "split"):
        return column
    known = [*LABELS, *SPLITS]
    return column.map(lambda name: f"{known.index(name) if name in known else len(known):02d} {name}")


def label(name: str, width: int = 12) -> str:
    """A dataset's, method's or split's name in print, shortened to `width` letters."""
    name = LABELS.get(name) or name_in_print(name, width)
    return name if len(name) <= width else name[: width - 1] + "…"


def scientific(samples: float) -> str:
    """A number in print: 10⁶, 2.5·10⁸, 10⁻⁶."""
    mantissa, exponent = f"{samples:.2e}".split("e")
    power = "10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return power if float(mantissa) == 1 else f"{float(mantissa):g}·{power}"
