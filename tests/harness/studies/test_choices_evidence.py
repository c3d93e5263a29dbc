"""The paper's one run is weighed fairly: against what it is not, and not against what it is."""

import math

import numpy as np
import pytest

from harness.studies.choices.evidence import energy_score, farther
from harness.studies.choices.table import decided


def lines(*offsets):
    return np.array(offsets, dtype=float)[:, None] * np.ones(4)


def test_the_score_and_its_error_are_those_computed_by_hand():
    ours, other = lines(1, -1, 3), lines(5, 3, 6)
    assert energy_score(ours) == pytest.approx(5 / 3 - 8 / 6)
    value, error = farther(ours, other)
    assert value == pytest.approx((14 / 3 - 1) - 1 / 3)
    # Without seed 0 the pairs are (-1, 3) and (3, 6), without 1 (1, 3) and (5, 6), without 2 (1, -1) and (5, 3).
    seeds = np.array([(4.5 - 1.5) - (2 - 2), (5.5 - 0.5) - (2 - 1), (4 - 1) - (1 - 1)])
    papers = np.array([(3.5 - 1.5) - (2 - 2), (6.5 - 0.5) - (3 - 1), (1 - 1) - (3 - 1)])
    assert error == pytest.approx(math.hypot(math.sqrt(2 * seeds.var()), papers.std(ddof=1)))


def test_too_few_seeds_have_no_error():
    assert np.isnan(farther(lines(1), lines(2))).all()
    assert np.isnan(farther(lines(1, 2), lines(3, 4))[1])


@pytest.mark.parametrize(("spread", "wrong"), [((1.0, 3.0), "narrow"), ((3.0, 1.0), "wide")])
def test_a_run_of_the_other_kind_is_not_taken_for_ours_because_of_spreads(spread, wrong):
    """Equal means: the mean distance of single runs favours the narrow kind whatever is true; the score does not."""
    rng, values, taken = np.random.default_rng(0), [], []
    for _ in range(2000):
        ours, other = rng.normal(0, spread[0], (5, 1)), rng.normal(0, spread[1], (5, 1))
        paper = rng.normal(0, spread[1])  # of the other kind
        value, error = farther(ours - paper, other - paper)
        values.append(value)
        taken.append(decided(value, error, 5) == 1)
    assert np.mean(values) < 3 * np.std(values) / math.sqrt(len(values)), wrong
    assert np.mean(taken) < 0.06


def test_what_lies_far_off_is_told_and_one_run_of_its_kind_changes_that():
    rng = np.random.default_rng(1)
    told = [decided(*farther(rng.normal(0, 1, (5, 1)), rng.normal(8, 1, (5, 1))), 5) for _ in range(300)]
    assert np.mean(np.array(told) == 1) > 0.9
    assert -1 not in told
