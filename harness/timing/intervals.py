"""Medians of repeated timings, and how far to trust them: bootstrap intervals."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
RESAMPLES = 2000
UNSTABLE = 0.05  # half of an interval's width, as a share of the median, beyond which a time is marked


class Interval(NamedTuple):
    """A median and the ends of its 95 % bootstrap interval, in the unit of the values."""

    median: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the interval's width, as a share of the median."""
        return (self.high - self.low) / 2 / self.median


def of_median(values: Sequence[float]) -> Interval:
    """The median of independent values, at least one.

    Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", section 13.3, the percentile interval.
    """
    drawn = np.asarray(values, float)
    picks = _generator().integers(len(drawn), size=(RESAMPLES, len(drawn)))
    return _interval(float(np.median(drawn)), np.median(drawn[picks], axis=1))


def of_ratio(logs: Sequence[Sequence[float]]) -> Interval:
    """The median ratio, from the logarithms of ratios in groups of equal size, which may share what is their own.

    Groups are drawn first, then values within each: what moves a whole group, such as where a process's memory lies, is
    counted as often as there are groups, not as there are values.

    Source: Davison & Hinkley 1997, "Bootstrap Methods and their Application", section 3.8.
    """
    drawn = np.asarray(logs, float)
    groups, size = drawn.shape
    generator = _generator()
    rows = generator.integers(groups, size=(RESAMPLES, groups, 1))
    columns = generator.integers(size, size=(RESAMPLES, groups, size))
    medians = np.median(drawn[rows, columns].reshape(RESAMPLES, -1), axis=1)
    return Interval(*np.exp(_interval(float(np.median(drawn)), medians)))


def _interval(median: float, medians: NDArray[np.float64]) -> Interval:
    # Between values that may be infinite, as of what never came to pass, there is nothing to interpolate.
    method: Any = "linear" if np.isfinite(medians).all() else "inverted_cdf"
    low, high = np.quantile(medians, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method=method)
    return Interval(median, float(low), float(high))


def _generator() -> np.random.Generator:
    """The same at every call: an interval is a function of the values."""
    return np.random.default_rng(0)
