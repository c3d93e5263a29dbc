"""C1 and C13: AEVB against wake-sleep, where curves end and how soon they are there."""

import math
from collections.abc import Sequence

from harness.claims.item import Item
from harness.claims.results import Results
from harness.claims.seeds import UNKNOWN, Estimate, Seeds, at, difference, farthest, measured, product, ratio, reaching
from harness.claims.speed import seconds_over_wake_sleep
from harness.experiments.paper import FIGURE2, FIGURE3
from harness.figures.compare import label
from harness.figures.summary import limit

METHODS = ("aevb", "wake_sleep")


def better_and_faster(results: Results) -> list[Item]:
    """In each panel of figure 2 AEVB's test bound minus wake-sleep's, and the share of wake-sleep's time it needs.

    Compared at the largest power of ten that two seeds of both reach, or else one; what fewer seeds say farther on
    decides nothing. Time is what it takes to the highest bound that all runs of the panel reach, as in
    `harness.timing.tables.time_to_bound`; in samples, and in seconds, of which a sample takes what the benchmarks say,
    for the runs' own clocks tell of what else a machine had to do. Where curves are flat little decides when they
    reach a bound: the time to 1 nat (10 on Frey Face) below it is told too, and decides nothing.
    """
    cost, items = seconds_over_wake_sleep(results), []
    for dataset, sizes in FIGURE2.panels.items():
        for size in sizes:
            panel = {"dataset": dataset, "n_latent": size, "split": "test"}
            ours = [results.seeds(2, method=method, **panel) for method in METHODS]
            paper = [results.paper(2, method=method, **panel) for method in METHODS]
            count, name = farthest(FIGURE2.compared_at, ours), f"{label(dataset)} {size}"
            share, theirs = (_share(curves, count) for curves in (ours, paper))
            near, its = (_share(curves, count, limit(dataset)) for curves in (ours, paper))
            items += [
                *_gains(name, FIGURE2.compared_at, ours, paper, count),
                measured(f"{name}, samples over wake-sleep's", share, "", 0, count, high=1, paper=theirs.value),
                measured(f"{name}, seconds over wake-sleep's", product(share, cost), "", 0, count, high=1),
                measured(f"{name}, samples to {limit(dataset):g} below that", near, "", 0, count, paper=its.value),
            ]
    return items


def better_marginals(results: Results) -> list[Item]:
    """For each N of figure 3 AEVB's test log p(x) minus wake-sleep's."""
    items = []
    for size in FIGURE3.panels["mnist"]:
        panel = {"n_train": size, "split": "test"}
        ours = [results.seeds(3, method=method, **panel) for method in METHODS]
        paper = [results.paper(3, method=method, **panel) for method in METHODS]
        items += _gains(f"N = {size:,}", FIGURE3.compared_at, ours, paper, farthest(FIGURE3.compared_at, ours))
    return items


def _gains(
    name: str, counts: Sequence[float], ours: Sequence[Seeds], paper: Sequence[Seeds], count: float
) -> list[Item]:
    """The difference at a count; and farther on where both have a seed, deciding nothing."""
    later = [n for n in counts if n > count and all(reaching(seeds, n) for seeds in ours)]
    gains = {n: [difference(*(at(seeds, n) for seeds in curves)) for curves in (ours, paper)] for n in (count, *later)}
    return [
        measured(f"{name}, AEVB − wake-sleep", mine, "nats", n, n, low=-math.inf if n in later else 0, paper=its.value)
        for n, (mine, its) in gains.items()
    ]


def _share(pair: Sequence[Seeds], count: float, below: float = 0.0) -> Estimate:
    """Samples that the first needs over those of the second, to so many nats below the bound that all runs reach."""
    there = [[curve.until(count) for curve in reaching(seeds, count).values()] for seeds in pair]
    if not all(there):
        return UNKNOWN
    target = min(curve.nats.max() for curves in there for curve in curves) - below
    return ratio(*([curve.first(target) for curve in curves] for curves in there))
