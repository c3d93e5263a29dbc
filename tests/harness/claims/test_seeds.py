"""Differences and ratios over seeds, against scipy and simulation; verdicts survive other seeds as their error says."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.claims.better import _least_sure_lead
from harness.claims.item import Item, decider, together
from harness.claims.measure import _lengths
from harness.claims.seeds import Curve, at, farthest, measured, reaching, seeds_of
from harness.studies.estimate import difference, mean, ratio
from harness.studies.verdict import ERRORS

RNG = np.random.default_rng(0)
LEVEL = 2 * (1 - stats.norm.cdf(ERRORS))  # how often a number at the limit is decided


@pytest.mark.parametrize(("one", "other"), [(3, 3), (5, 3), (2, 8)])
def test_a_difference_is_welchs(one, other):
    a, b = RNG.normal(1, 2, one), RNG.normal(0, 5, other)
    found = difference(a, b)
    theirs = stats.ttest_ind(a, b, equal_var=False)
    assert found.value == pytest.approx(a.mean() - b.mean())
    assert found.value / found.standard_error == pytest.approx(theirs.statistic)
    assert found.degrees == pytest.approx(theirs.df)
    assert found.seeds == min(one, other)


def test_the_error_of_a_ratio_is_the_spread_of_ratios():
    draws = [ratio(RNG.normal(3, 0.3, 20), RNG.normal(2, 0.1, 20)) for _ in range(2000)]
    spread = np.std([draw.value for draw in draws])
    assert np.mean([draw.standard_error for draw in draws]) == pytest.approx(spread, rel=0.06)


@pytest.mark.parametrize(("one", "other"), [(3, 3), (3, 5)])
def test_a_claim_at_its_limit_is_decided_as_seldom_as_two_standard_errors_say(one, other):
    n = 4000
    items = [
        measured("gap", difference(RNG.normal(0, 1, one), RNG.normal(0, 1, other)), "nats", 1, 1, low=0)
        for _ in range(n)
    ]
    decided = np.mean([item.verdict != "undecided" for item in items])
    assert decided < 1.2 * LEVEL + 4 * math.sqrt(LEVEL / n)  # Welch's degrees of freedom are an approximation
    held = np.mean([item.verdict == "holds" for item in items])
    assert held == pytest.approx(decided / 2, abs=4 * math.sqrt(LEVEL / n))


def test_one_seed_decides_nothing_however_far_from_the_limit():
    for group in ([1e6], [1e6, 1e6 + 1]):
        assert measured("gap", difference(group, [0.0]), "nats", 1, 1, low=0).verdict == "undecided"


def test_what_lies_outside_decides_and_what_is_not_known_leaves_open():
    good, bad, open_ = (Item("", value, "", 0.1, low=0) for value in (1.0, -1.0, 0.1))
    absent, told = Item("", math.nan, "", low=0), Item("", -5.0, "")
    assert together([good, told]) == "holds"
    assert together([good, open_, bad]) == "does not hold"
    assert together([good, open_]) == together([good, absent]) == "undecided"
    assert together([absent, told]) == together([]) == "not measured"
    assert decider([good, bad, told]) is bad
    assert decider([good, absent]) is absent
    assert decider([good, absent, open_]) is open_


def test_a_range_must_be_cleared_on_both_sides():
    verdicts = [Item("", value, "", 0.1, low=0.5, high=2.0).verdict for value in (0.2, 0.6, 1.0, 1.9, 3.0)]
    assert verdicts == ["does not hold", "undecided", "holds", "undecided", "does not hold"]


def test_a_curve_is_first_as_high_where_it_is():
    curve = Curve(np.array([10.0, 20.0, 40.0, 90.0]), np.array([0.0, 4.0, 2.0, 4.5]))
    for bound in (0.5, 1.0, 3.9, 4.0, 4.2, 4.5):
        assert curve.at(curve.first(bound)) == pytest.approx(bound, rel=1e-12)
        before = np.geomspace(10, curve.first(bound) * (1 - 1e-9), 100)
        assert max(map(curve.at, before)) < bound
    assert curve.first(4.0) == 20.0
    assert math.isnan(curve.first(5.0))  # never
    assert math.isnan(curve.first(-1.0))  # before anyone looked


def test_a_curve_up_to_a_count_ends_there():
    curve = Curve(np.array([10.0, 100.0, 1000.0]), np.array([0.0, 1.0, 5.0]))
    part = curve.until(100.0)
    assert part.samples.tolist() == [10.0, 100.0]
    assert part.nats.tolist() == [0.0, 1.0]


def test_compared_is_where_two_seeds_are_and_else_where_one_is():
    def seeds(*ends):
        return {n: Curve(np.array([1.0, end]), np.array([0.0, 1.0])) for n, end in enumerate(ends)}

    counts = (10.0, 100.0, 1000.0)
    assert farthest(counts, [seeds(1000, 100, 10), seeds(1000, 100)]) == 100
    assert farthest(counts, [seeds(1000, 100, 10), seeds(1000)]) == 1000
    assert math.isnan(farthest(counts, [seeds(1000), seeds()]))
    assert [*reaching(seeds(1000, 10), 100.0)] == [0]


def test_of_a_seed_that_diverged_before_nothing_is_known_and_that_is_told():
    counts, whole = (1e4, 1e5, 1e6, 1e7), np.array([1e3, 1e7])
    ended = Curve(np.array([1e3, 1e5]), np.array([-300.0, -300.0]), diverged=True)
    ours = {seed: Curve(whole, np.array([-200.0, -100.0 - seed])) for seed in (0, 1)}
    ours |= {4: ended, 5: Curve(np.array([]), np.array([]), diverged=True)}
    others = {seed: Curve(whole, np.array([-200.0, -111.0 - seed])) for seed in range(4)}
    assert farthest(counts, [ours, others]) == 1e7
    lead = measured("lead", difference(at(ours, 1e7), at(others, 1e7)), "nats", 1e7, 1e7, low=0)
    assert (lead.seeds, lead.names) == (2, (0, 1, 2, 3, 4, 5))
    assert lead.value == pytest.approx(12)
    assert (lead.verdict, lead.note) == ("undecided", "2 of 4 and 0 of 4 diverged")
    assert measured("", difference(at(others, 1e7), at(ours, 1e7)), "nats", 1e7, 1e7, high=0).verdict == "undecided"
    assert mean(at(ours, 1e5)).lost == "1 of 4 diverged", "the other was still there"
    none = {seed: ended for seed in range(3)}
    assert farthest(counts, [none, others]) == 1e7
    assert mean(at(none, 1e7)).lost == "3 of 3 diverged"
    assert at({**none, 3: others[0]}, 1e8) == {}, "no other goes as far"


def test_the_least_sure_lead_is_where_a_seed_diverged():
    counts = np.array([1e5, 1e6, 1e7])
    ours, others = ({s: Curve(counts, np.full(3, up + 0.1 * s)) for s in range(3)} for up in (9.0, 0.0))
    sure, _ = _least_sure_lead((ours, others), 1e5, 1e7, 1.0)
    assert measured("lead", sure, "nats", 1, 1, low=0).verdict == "holds"
    cut = {2: Curve(counts[:2], np.full(2, 0.2), diverged=True)}
    for pair in ((ours | cut, others), (ours, others | cut)):
        lead, where = _least_sure_lead(pair, 1e5, 1e7, 1.0)
        assert where > 1e6
        assert measured("lead", lead, "nats", 1, 1, low=0).verdict == "undecided"


def test_seeds_of_a_table_are_ascending_finite_curves_and_the_papers_is_one():
    rows = pd.DataFrame({"samples": [20, 10, 10, 30], "nats": [2.0, 1.0, 5.0, math.inf], "seed": [0, 0, 1, 0]})
    found = seeds_of(rows, "nats")
    assert {seed: curve.nats.tolist() for seed, curve in found.items()} == {0: [1.0, 2.0], 1: [5.0]}
    assert [*seeds_of(rows.drop(columns="seed"), "nats")] == [0]
    assert seeds_of(rows, "nats", seed=7) == {}


def test_a_mean_has_the_error_of_its_seeds():
    assert mean([1.0, 3.0])[:4] == (2.0, 1.0, 1, 2)
    assert math.isnan(mean([1.0]).standard_error)
    assert math.isnan(mean([]).value)


@pytest.mark.parametrize("n", [3, 5])
def test_curves_that_are_alike_seldom_have_a_lead_that_does_not_hold(n):
    """Two methods of one law: the smallest of 41 differences is negative, and says nothing."""
    noise, counts = np.random.default_rng(0), np.geomspace(1e5, 1e7, 41)

    def seeds():
        walk = noise.standard_normal((n, 41))
        for k in range(1, 41):
            walk[:, k] = 0.9 * walk[:, k - 1] + np.sqrt(1 - 0.9**2) * walk[:, k]
        return {seed: Curve(counts, row) for seed, row in enumerate(walk)}

    trials = 300
    leads = [_least_sure_lead((seeds(), seeds()), 1e5, 1e7, 1.0)[0] for _ in range(trials)]
    wrong = sum(measured("lead", lead, "nats", 1e5, 1e7, low=0).verdict == "does not hold" for lead in leads)
    assert wrong / trials < 0.04  # two standard errors of one number: 0.023
    behind = [{seed: curve._replace(nats=curve.nats + 100) for seed, curve in seeds().items()} for _ in range(20)]
    leads = [_least_sure_lead((seeds(), other), 1e5, 1e7, 1.0)[0] for other in behind]
    assert all(measured("lead", lead, "nats", 1e5, 1e7, low=0).verdict == "does not hold" for lead in leads)


def test_the_least_sure_lead_is_not_the_smallest():
    counts = np.array([1e5, 1e6, 1e7])
    even = {seed: Curve(counts, np.zeros(3)) for seed in range(3)}
    ahead = {seed: Curve(counts, np.array([9.0, 5.0 + 3 * (seed - 1), 4.0 + 0.1 * seed])) for seed in range(3)}
    lead, where = _least_sure_lead((ahead, even), 1e5, 1e7, 1.0)
    assert where == pytest.approx(1e6)
    assert lead.value == pytest.approx(5)
    assert measured("lead", lead, "nats", where, where, low=0).verdict == "undecided"


@pytest.mark.parametrize(
    ("measured_on", "lengths"),
    [
        ([], [("0 1 2", 0.0)]),
        ([(3, 1e7, ""), (5, 1e7, "")], [("0 1 2 3 4", 1e7)]),
        ([(4, 9e5, ""), (3, 1e7, ""), (1, 1e8, ""), (2, 1e6, "")], [("0 1 2 3", 9e5), ("0 1 2", 1e7), ("0", 1e8)]),
        ([(2, 1e7, "3 4"), (4, 1e7, ""), (1, 1e6, "4")], [("0 1 2 3", 1e7), ("3 4", 1e7)]),
        ([(2, 1e6, "2 4"), (5, 1e7, "")], [("0 1 2 3 4", 1e7)]),
    ],
)
def test_commands_go_as_far_with_the_seeds_that_were_measured(measured_on, lengths):
    items = [
        Item("number", 1.0, "nats", 0.1, seeds=seeds, begin=end, end=end, which=which)
        for seeds, end, which in measured_on
    ]
    lengths = [(tuple(map(int, seeds.split())), end) for seeds, end in lengths]
    assert _lengths(items) == lengths


def test_one_number_outside_decides_only_if_it_would_as_one_of_so_many():
    inside = [Item(f"inside {k}", 10.0, "nats", 1.0, low=0) for k in range(19)]
    for errors, alone, of_twenty in ((2.5, "does not hold", "undecided"), (4.0, "does not hold", "does not hold")):
        outside = Item("outside", -errors, "nats", 1.0, low=0)
        assert outside.verdict == together([outside]) == alone
        assert together([*inside, outside]) == of_twenty
        assert decider([*inside, outside]) is outside
    exact = Item("exact", -1.0, "nats", 0.0, low=0)
    assert together([*inside, exact]) == "does not hold"
