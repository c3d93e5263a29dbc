"""Numbers over seeds with their standard errors: means, differences and ratios."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from harness.studies.verdict import above, below, widened


class Estimate(NamedTuple):
    """A number over seeds: its standard error (NaN of one seed), its degrees of freedom, and the fewest seeds."""

    value: float
    standard_error: float
    degrees: float
    seeds: int

    @property
    def error(self) -> float:
        """The standard error, widened for how few values it is of."""
        return self.standard_error if math.isinf(self.degrees) else widened(self.standard_error, self.degrees)

    def above(self, limit: float) -> bool | None:
        """See `harness.studies.verdict.above`."""
        return above(self.value, self.error, limit)

    def below(self, limit: float) -> bool | None:
        """See `harness.studies.verdict.below`."""
        return below(self.value, self.error, limit)


UNKNOWN = Estimate(math.nan, math.nan, math.inf, 0)


def mean(values: Iterable[float]) -> Estimate:
    """Mean with its error."""
    m, variance, n = _moments(values)
    return Estimate(m, math.sqrt(variance), n - 1 if n > 1 else math.nan, n) if n else UNKNOWN


def difference(one: Iterable[float], other: Iterable[float]) -> Estimate:
    """Mean of one minus mean of the other, with Welch's error and degrees of freedom."""
    (m1, v1, n1), (m2, v2, n2) = _moments(one), _moments(other)
    return Estimate(m1 - m2, math.sqrt(v1 + v2), _degrees(v1, n1, v2, n2), min(n1, n2)) if n1 and n2 else UNKNOWN


def ratio(one: Iterable[float], other: Iterable[float]) -> Estimate:
    """Mean of one over mean of the other, both positive, with its error to first order."""
    (m1, v1, n1), (m2, v2, n2) = _moments(one), _moments(other)
    if not (n1 and n2):
        return UNKNOWN
    v1, v2 = v1 / m1**2, v2 / m2**2
    return Estimate(m1 / m2, m1 / m2 * math.sqrt(v1 + v2), _degrees(v1, n1, v2, n2), min(n1, n2))


def _moments(values: Iterable[float]) -> tuple[float, float, int]:
    """Mean, its variance (NaN of one value) and how many."""
    found = np.asarray([*values], dtype=float)
    n = len(found)
    return (
        (float(found.mean()), float(found.var(ddof=1)) / n if n > 1 else math.nan, n) if n else (math.nan,) * 2 + (0,)
    )


def _degrees(v1: float, n1: int, v2: float, n2: int) -> float:
    """Welch and Satterthwaite's; those of equal variances where there is no spread at all."""
    if v1 + v2 == 0:
        return n1 + n2 - 2
    return (v1 + v2) ** 2 / (v1**2 / (n1 - 1) + v2**2 / (n2 - 1)) if min(n1, n2) > 1 else math.nan
