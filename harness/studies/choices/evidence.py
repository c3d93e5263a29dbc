"""Which of two sets of runs describes the paper's one run better, and how far another run of the paper's could differ.

A single run's mean distance from the paper's curve would favour whatever has the smaller spread over seeds, even where
the paper's run is of the other kind. The energy score (Gneiting and Raftery 2007, eq. 22) does not: its expectation is
least for the runs that the paper's is one of.
"""

import math

import numpy as np


def energy_score(off: np.ndarray) -> float:
    """The mean distance of runs from a curve less half of the mean distance between two runs, root mean square; nats.

    Args:
        off: (n, points), runs minus the curve; n at least 2.
    """
    first, second = np.triu_indices(len(off), 1)
    return float(_sizes(off).mean() - _sizes(off[first] - off[second]).mean() / 2)


def farther(ours: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """By how much the other runs' energy score is above ours, and its standard error; nats.

    The error is that of our seeds, by the jackknife over pairs of equal seeds, and that of the paper's: how much the
    number varies where each of our own runs in turn, left out of ours, stands in for the paper's.

    Args:
        ours: (n, points), runs of n seeds minus the paper's.
        other: (n, points), of the same seeds in the same order.

    Returns:
        NaN and NaN for fewer than two pairs; the error of two is NaN.
    """
    n = len(ours)
    if n < 2:
        return math.nan, math.nan
    value = energy_score(other) - energy_score(ours)
    if n < 3:
        return value, math.nan
    pairs = [(np.delete(ours, k, 0), np.delete(other, k, 0), ours[k]) for k in range(n)]
    of_seeds = np.array([energy_score(there) - energy_score(here) for here, there, _ in pairs])
    of_papers = np.array([energy_score(there - one) - energy_score(here - one) for here, there, one in pairs])
    return value, math.hypot(math.sqrt((n - 1) * float(of_seeds.var())), float(of_papers.std(ddof=1)))


def _sizes(differences: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(differences).mean(-1))
