"""C4 to C6: the noise of the gradient, from the reparameterization study."""

import math
from collections.abc import Callable

import pandas as pd

from harness.claims.item import Item
from harness.claims.results import Results
from harness.claims.seeds import measured
from harness.studies.estimate import Estimate
from harness.studies.reparameterization.table import (
    NAIVE,
    NATS,
    PAPER_BATCH,
    PAPER_SAMPLES,
    VERY_HIGH,
    A,
    at,
    gain,
    lag,
)

STUDY = "reparameterization"


def naive_is_noisy(results: Results) -> list[Item]:
    """Variance of the score function's gradient over B's at each stage; how far its test bound ends behind B's."""
    return [
        *_ratios(results, NAIVE, VERY_HIGH),
        _of_curves(results, "test bound of B − of the naive one", lambda curves: lag(curves, NAIVE), low=NATS),
    ]


def b_is_quieter(results: Results) -> list[Item]:
    """Variance of A's gradient over B's at each stage."""
    return _ratios(results, A, 1.0)


def one_sample_suffices(results: Results) -> list[Item]:
    """How much more test bound ten samples for each datapoint bring than one, for M = 100 and, deciding nothing, 10."""
    return [
        _of_curves(results, "M = 100, L = 10 − L = 1", lambda curves: gain(curves, PAPER_BATCH), high=NATS),
        _of_curves(results, "M = 10, L = 10 − L = 1", lambda curves: gain(curves, 10)),
    ]


def _ratios(results: Results, estimator: str, limit: float) -> list[Item]:
    variance, name = results.study(STUDY, "variance"), "variance over B's"
    if variance.empty:
        return [Item(name, math.nan, "", low=limit)]
    rows = at(variance, estimator, PAPER_SAMPLES, PAPER_BATCH)
    stages = zip(rows.index, rows["ratio_to_b"], rows["ratio_error"], strict=True)
    return [Item(name, ratio, "", error, low=limit, begin=stage, end=stage) for stage, ratio, error in stages]


def _of_curves(
    results: Results,
    name: str,
    measure: Callable[[pd.DataFrame], Estimate],
    low: float = -math.inf,
    high: float = math.inf,
) -> Item:
    """A difference of learning curves where they end."""
    curves = results.study(STUDY, "curves")
    if curves.empty:
        return Item(name, math.nan, "nats", low=low, high=high)
    end = float(curves["samples"].max())
    return measured(name, measure(curves), "nats", end, end, low=low, high=high)
