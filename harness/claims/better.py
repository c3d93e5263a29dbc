"""C1 and C13: AEVB against wake-sleep, along their curves and where they end."""

import math
from collections.abc import Sequence

import numpy as np

from harness.claims.item import Item
from harness.claims.results import Results
from harness.claims.seeds import Seeds, at, farthest, measured, reaching, seeds_of, up_to
from harness.claims.speed import wake_sleeps_pace
from harness.experiments.paper import FIGURE2, FIGURE3
from harness.figures.agreement import POINTS
from harness.figures.compare import label
from harness.figures.summary import limit
from harness.studies.estimate import UNKNOWN, Estimate, difference, ratio
from harness.studies.verdict import of_many

METHODS = ("aevb", "wake_sleep")


def better_and_faster(results: Results) -> list[Item]:
    """In each panel of figure 2 AEVB's test bound minus wake-sleep's: where they end, and least surely on the way.

    They end at the largest power of ten that two seeds of both reach, or else one; what fewer seeds say farther on
    decides nothing. The way begins where the paper's curves are compared. It is gone at equal samples, and at equal
    seconds by the benchmarks' time for a sample. Told, deciding nothing: the share of wake-sleep's samples that AEVB
    needs to the highest bound that all runs reach, and to 1 nat (10 on Frey Face) below.
    """
    items = []
    for dataset, sizes in FIGURE2.panels.items():
        for size in sizes:
            panel = {"dataset": dataset, "n_latent": size, "split": "test"}
            ours = [results.seeds(2, method=method, **panel) for method in METHODS]
            paper = [results.paper(2, method=method, **panel) for method in METHODS]
            begin, count = FIGURE2.compared_from[dataset], farthest(FIGURE2.compared_at, ours)
            name = f"{label(dataset)} {size}"
            items += _gains(f"{name}, {results.name}", FIGURE2.compared_at, ours, paper, count)
            for unit, times in (("samples", 1.0), ("seconds", wake_sleeps_pace(results))):
                (lead, n), (theirs, _) = (_least_sure_lead(curves, begin, count, times) for curves in (ours, paper))
                title = f"{name}, least sure lead at equal {unit}"
                items.append(measured(title, lead, "nats", n, n, low=0, paper=theirs.value))
            for below in (0.0, limit(dataset)):
                share, theirs = (_share(curves, count, below) for curves in (ours, paper))
                title = f"{name}, samples over wake-sleep's to {f'{below:g} below ' if below else ''}the same bound"
                items.append(measured(title, share, "", 0, count, paper=theirs.value))
    return items


def better_marginals(results: Results) -> list[Item]:
    """For each N of figure 3 AEVB's test log p(x) minus wake-sleep's.

    Told, deciding nothing: the same of better estimates, where both methods' kept models have them.
    """
    items = []
    for size in FIGURE3.panels["mnist"]:
        panel = {"n_train": size, "split": "test"}
        ours = [results.seeds(3, method=method, **panel) for method in METHODS]
        paper = [results.paper(3, method=method, **panel) for method in METHODS]
        items += _gains(
            f"N = {size:,}, {results.name}", FIGURE3.compared_at, ours, paper, farthest(FIGURE3.compared_at, ours)
        )
        items += by_importance_sampling(results, size, "wake_sleep", "wake-sleep")
    return items


def by_importance_sampling(results: Results, size: int, method: str, name: str) -> list[Item]:
    """AEVB's test log p(x) minus another's by a better estimate, which decides nothing; none where one lacks it.

    Args:
        results: what is asked.
        size: N of figure 3.
        method: the other.
        name: of it, in the item's.
    """
    better = results.better_estimates
    if better.empty:
        return []
    panel = {"n_train": size, "split": "test", "estimator": "importance"}
    models = [
        seeds_of(better, FIGURE3.measure, results.diverged(3, n_train=size, method=each), **panel,
                 method=results.actual(each))
        for each in ("aevb", method)
    ]  # fmt: skip
    if math.isnan(count := farthest(sorted({*better["samples"]}), models)):
        return []
    gain = difference(*(at(seeds, count) for seeds in models))
    return [measured(f"N = {size:,}, {results.name} − {name}, by importance sampling", gain, "nats", count, count)]


def _gains(
    name: str, counts: Sequence[float], ours: Sequence[Seeds], paper: Sequence[Seeds], count: float
) -> list[Item]:
    """The difference at a count; and farther on where both have a seed, deciding nothing."""
    later = [n for n in counts if n > count and all(reaching(seeds, n) for seeds in ours)]
    gains = {n: [difference(*(at(seeds, n) for seeds in curves)) for curves in (ours, paper)] for n in (count, *later)}
    return [
        measured(f"{name} − wake-sleep", mine, "nats", n, n, low=-math.inf if n in later else 0, paper=its.value)
        for n, (mine, its) in gains.items()
    ]


def _least_sure_lead(pair: Sequence[Seeds], begin: float, end: float, times: float) -> tuple[Estimate, float]:
    """Where the first is fewest standard errors ahead of the second, which has seen so many times as many samples.

    Of a lead that is negative the error is that of one of `POINTS`: among so many, one is below 0 by luck.

    Returns:
        The lead in nats, and the first's training samples there.
    """
    if math.isnan(end) or math.isnan(times):
        return UNKNOWN, math.nan
    one, other = pair
    leads = [(difference(at(one, n), at(other, n * times)), float(n)) for n in np.geomspace(begin, end, POINTS)]
    there = [lead for lead in leads if lead[0].seeds or lead[0].lost]
    least, where = min(there, key=lambda lead: _sureness(lead[0]), default=(UNKNOWN, math.nan))
    if least.value < 0:
        least = least._replace(standard_error=of_many(least.standard_error, least.degrees, POINTS))
    return least, where


def _sureness(lead: Estimate) -> tuple[bool, float]:
    """First where a seed diverged; the lead over its error; the lead itself where that is not known, as of one seed."""
    if lead.lost or math.isnan(lead.error):
        return not lead.lost, lead.value if lead.seeds else -math.inf
    return True, lead.value / lead.error if lead.error > 0 else math.copysign(math.inf, lead.value)


def _share(pair: Sequence[Seeds], count: float, below: float) -> Estimate:
    """Samples that the first needs over those of the second, to so many nats below the bound that all runs reach."""
    highest = [up_to(seeds, count, lambda curve: float(curve.nats.max())) for seeds in pair]
    known = [top for group in highest for top in group.values() if not math.isnan(top)]
    target = min(known, default=math.nan) - below
    firsts = [up_to(seeds, count, lambda curve: curve.first(target)) for seeds in pair]
    if sum(not math.isnan(first) for group in firsts for first in group.values()) < len(known):
        return UNKNOWN  # some run is as high from its first point on
    return ratio(*firsts)
