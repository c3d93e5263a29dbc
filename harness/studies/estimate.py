"""Numbers over seeds with their standard errors: means, differences and ratios."""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from harness.studies.verdict import above, below, widened

Values = Iterable[float] | Mapping[int, float]  # of seeds, by their names where these are known


class Estimate(NamedTuple):
    """A number over seeds.

    A value that is not finite is of a seed that diverged: the number is that of the others, but decides nothing.

    Attributes:
        value: of the seeds that did not diverge.
        standard_error: NaN of one seed, and where any diverged.
        degrees: of freedom of that error.
        seeds: the fewest that it is of.
        names: of the seeds, diverged ones too: of the fewer where they are among the others, else of all.
        lost: how many diverged, in words: "2 of 4 diverged", for both sides "2 of 4 and 0 of 4"; empty where none did.
    """

    value: float
    standard_error: float
    degrees: float
    seeds: int
    names: tuple[int, ...] = ()
    lost: str = ""

    @property
    def error(self) -> float:
        """The standard error, widened for how few values it is of."""
        return widened(self.standard_error, self.degrees)

    def above(self, limit: float) -> bool | None:
        """See `harness.studies.verdict.above`."""
        return above(self.value, self.error, limit)

    def below(self, limit: float) -> bool | None:
        """See `harness.studies.verdict.below`."""
        return below(self.value, self.error, limit)


UNKNOWN = Estimate(math.nan, math.nan, math.inf, 0)


def mean(values: Values) -> Estimate:
    """Mean with its error."""
    group = _Group(values)
    found = Estimate(group.mean, math.sqrt(group.variance), group.n - 1 if group.n > 1 else math.nan, group.n)
    return _told(found if group.n else UNKNOWN, group)


def difference(one: Values, other: Values) -> Estimate:
    """Mean of one minus mean of the other, with Welch's error and degrees of freedom."""
    a, b = _Group(one), _Group(other)
    if not (a.n and b.n):
        return _told(UNKNOWN, a, b)
    error, degrees = math.sqrt(a.variance + b.variance), _degrees(a.variance, a.n, b.variance, b.n)
    return _told(Estimate(a.mean - b.mean, error, degrees, min(a.n, b.n)), a, b)


def ratio(one: Values, other: Values) -> Estimate:
    """Mean of one over mean of the other, both positive, with its error to first order."""
    a, b = _Group(one), _Group(other)
    if not (a.n and b.n):
        return _told(UNKNOWN, a, b)
    v1, v2 = a.variance / a.mean**2, b.variance / b.mean**2
    value = a.mean / b.mean
    return _told(Estimate(value, value * math.sqrt(v1 + v2), _degrees(v1, a.n, v2, b.n), min(a.n, b.n)), a, b)


class _Group:
    """Values of seeds: mean of the finite ones, its variance (NaN of one value, or where one is not finite), how many.

    Attributes:
        lost: how many are not finite.
        names: of all.
    """

    def __init__(self, values: Values) -> None:
        self.names = tuple(values) if isinstance(values, Mapping) else ()
        every = np.asarray([*(values.values() if isinstance(values, Mapping) else values)], dtype=float)
        found = every[np.isfinite(every)]
        self.n, self.lost = len(found), len(every) - len(found)
        self.mean = float(found.mean()) if self.n else math.nan
        self.variance = float(found.var(ddof=1)) / self.n if self.n > 1 and not self.lost else math.nan


def _told(found: Estimate, *groups: _Group) -> Estimate:
    """The number with the names of its seeds, and with how many diverged."""
    by_length = sorted((group.names for group in groups), key=len)
    few, many = by_length[0], by_length[-1]
    names = few if {*few} <= {*many} else tuple(sorted({*few, *many}))
    shares = " and ".join(f"{group.lost} of {group.lost + group.n}" for group in groups)
    return found._replace(names=names, lost=f"{shares} diverged" if any(group.lost for group in groups) else "")


def _degrees(v1: float, n1: int, v2: float, n2: int) -> float:
    """Welch and Satterthwaite's; those of equal variances where there is no spread at all."""
    if v1 + v2 == 0:
        return n1 + n2 - 2
    return (v1 + v2) ** 2 / (v1**2 / (n1 - 1) + v2**2 / (n2 - 1)) if min(n1, n2) > 1 else math.nan
