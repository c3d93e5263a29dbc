"""Bootstrap intervals hold what they are to hold, and verdicts are right as often as they are to be."""

import math

import numpy as np
import pytest

from harness.timing.intervals import Interval, of_median, of_ratio
from harness.timing.verdict import is_known, judge

LAUNCHES, ROUNDS = 10, 8


def timings(rng: np.random.Generator, slowdown: float) -> list[list[float]]:
    """Logarithms of ratios on a busy machine: 5 % of scatter, each launch half a percent off, one in ten far off."""
    shape = LAUNCHES, ROUNDS
    logs = math.log(slowdown) + 0.05 * rng.standard_normal(shape) + 0.005 * rng.standard_normal((LAUNCHES, 1))
    late = rng.random(shape) < 0.1
    return (logs + late * rng.choice([-1, 1], shape) * rng.exponential(0.5, shape)).tolist()


def verdicts(slowdown: float, n: int = 120) -> list[str]:
    rng = np.random.default_rng(1)
    return [judge(of_ratio(timings(rng, slowdown))) for _ in range(n)]


def test_equal_trees_are_not_told_apart_and_slower_ones_are(capsys: pytest.CaptureFixture[str]) -> None:
    same, slower, faster = verdicts(1.0), verdicts(1.05), verdicts(1 / 1.05)
    with capsys.disabled():
        print(
            f"\nof {len(same)} cases: unchanged, not to be told apart {same.count('not to be told apart')}; "
            f"5 % slower, slower {slower.count('slower')}; 5 % faster, faster {faster.count('faster')}"
        )
    # Six cases a run and 20 runs.
    assert same.count("not to be told apart") == len(same)
    assert slower.count("slower") >= 0.95 * len(slower)
    assert faster.count("faster") >= 0.95 * len(faster)


def test_an_interval_covers_the_ratio_as_often_as_it_says() -> None:
    rng, n = np.random.default_rng(2), 200
    found = [of_ratio(timings(rng, 1.02)) for _ in range(n)]
    covered = sum(interval.low <= 1.02 <= interval.high for interval in found)
    assert covered >= 0.95 * n  # more than that, since rounds scatter within launches too
    assert all(interval.low <= interval.median <= interval.high for interval in found)


def test_what_a_launch_has_of_its_own_is_not_taken_for_many_measurements() -> None:
    rng = np.random.default_rng(3)
    alike = np.repeat(0.02 * rng.standard_normal((LAUNCHES, 1)), 100, 1).tolist()
    scattered = (0.02 * rng.standard_normal((LAUNCHES, 100))).tolist()
    assert of_ratio(alike).half_width > 4 * of_ratio(scattered).half_width


def test_the_median_of_times_covers_that_of_their_law_as_often_as_it_says() -> None:
    rng, n = np.random.default_rng(4), 300
    covered = 0
    for _ in range(n):
        interval = of_median((1 + rng.exponential(1.0, 15)).tolist())
        covered += interval.low <= 1 + math.log(2) <= interval.high
    assert 0.9 * n < covered < 0.995 * n


def test_one_value_is_its_own_interval() -> None:
    assert of_median([3.0]) == (3.0, 3.0, 3.0)


def test_only_an_interval_beyond_the_margin_is_a_verdict() -> None:
    assert judge(Interval(1.02, 1.011, 1.03)) == "slower"
    assert judge(Interval(1.02, 1.009, 1.03)) == "not to be told apart"
    assert judge(Interval(0.98, 0.97, 0.989)) == "faster"
    assert judge(Interval(0.98, 0.97, 0.992)) == "not to be told apart"
    assert is_known(Interval(1.0, 0.995, 1.005))
    assert not is_known(Interval(1.0, 0.95, 1.05))
