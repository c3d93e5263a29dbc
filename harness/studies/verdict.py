"""One rule for every verdict of a study: a number decides a claim where it clears the limit by two standard errors."""

import math
from collections.abc import Iterable

from scipy.special import ndtr, stdtrit

ERRORS = 2.0


def above(value: float, standard_error: float, limit: float) -> bool | None:
    """Whether the number is above the limit; None where it is not two standard errors away, or its error unknown.

    What is infinite, as for runs that diverged, needs no error.
    """
    if math.isinf(value):
        return value > 0
    if not abs(value - limit) > ERRORS * standard_error:  # NaN too
        return None
    return value > limit


def below(value: float, standard_error: float, limit: float) -> bool | None:
    """Whether the number is below the limit; None where `above` does not know."""
    answer = above(value, standard_error, limit)
    return None if answer is None else not answer


def every(answers: Iterable[bool | None]) -> bool | None:
    """False if one is, else None if one is, else True."""
    found = [*answers]
    return False if False in found else None if None in found else True


def holds(answer: bool | None) -> str:
    """The last words of a verdict."""
    return {True: "holds", False: "does not hold as stated", None: "is undecided"}[answer]


def widened(standard_error: float, degrees: float) -> float:
    """A standard error of few values, so that two of it exclude as much as two of a known one: Student's t for 2.

    It is as it was where the degrees are infinite, and NaN below one.
    """
    if math.isinf(degrees):
        return standard_error
    level = ndtr(ERRORS)
    return standard_error * float(stdtrit(degrees, level)) / ERRORS if degrees >= 1 else math.nan


def of_many(standard_error: float, degrees: float, n: int) -> float:
    """The standard error of the most extreme of n numbers, so that two of it exclude no more often than those of one.

    Bonferroni's bound: each of the n has an n-th of the level. As `standard_error`, to be widened for its degrees.
    """
    level = ndtr(ERRORS)
    one, each = (float(stdtrit(degrees, p)) for p in (level, 1 - (1 - level) / n))
    return standard_error * each / one if degrees > 0 else math.nan
