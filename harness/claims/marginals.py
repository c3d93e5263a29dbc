"""C8 and C9: Monte Carlo EM beside AEVB in figure 3, and what appendix D's estimates are worth."""

import math
from collections.abc import Sequence

from harness.claims.better import by_importance_sampling
from harness.claims.item import Item
from harness.claims.results import Results
from harness.claims.seeds import Seeds, at, farthest, measured
from harness.claims.speed import mcems_pace
from harness.experiments.paper import FIGURE3
from harness.figures.compare import scientific
from harness.studies.estimate import difference
from harness.studies.marginal.table import EACH_HALF, NATS, PAPER_SAMPLES, worst_errors

FEW, ALL = FIGURE3.panels["mnist"]  # N: training images
GOOD = 5  # latent dimensions: below this appendix D is to be trusted
CLOSE, FAR = 5.0, 10.0  # nats of log p(x) behind AEVB: "competitive", and not


def mcem(results: Results) -> list[Item]:
    """AEVB's test log p(x) minus Monte Carlo EM's, at equal samples and at equal seconds, for both N.

    In the seconds that AEVB needs for a sample, Monte Carlo EM gets through as many as the benchmarks say. Told,
    deciding nothing: the gap by better estimates than the figure's.
    """
    (pace, machine), items = mcems_pace(results), []
    for size, limits in ((FEW, {"high": CLOSE}), (ALL, {"low": FAR})):
        panel = {"n_train": size, "split": "test"}
        ours, paper = ([curves(3, method=method, **panel) for method in ("aevb", "mcem")]
                       for curves in (results.seeds, results.paper))  # fmt: skip
        for unit, times in (("samples", 1.0), ("seconds", pace)):
            count = _count(ours, times)
            gap, theirs = (difference(at(one, count), at(other, count * times)) for one, other in (ours, paper))
            note = f"MCEM at {scientific(count * times)}, {machine}" if unit == "seconds" and count == count else ""
            name = f"N = {size:,}, {results.name} − MCEM, equal {unit}"
            items.append(measured(name, gap, "nats", count, count, **limits, paper=theirs.value, note=note))
        items += by_importance_sampling(results, size, "mcem", "MCEM")
    return items


def _count(pair: Sequence[Seeds], times: float) -> float:
    """AEVB's samples where the two are compared: as far as either goes at one of the figure's counts."""
    if math.isnan(times):
        return math.nan
    aevb, other = pair
    counts = [*FIGURE3.compared_at, *(count / times for count in FIGURE3.compared_at)]
    shifted = {seed: curve._replace(samples=curve.samples / times) for seed, curve in other.items()}
    return farthest(counts, [aevb, shifted])


def appendix_d(results: Results) -> list[Item]:
    """Bias or spread of appendix D's estimator, whichever is larger, where log p(x) is known exactly, for each N_z.

    Told, deciding nothing: the same with as many samples for each half.
    """
    table = results.study("marginal", "marginal")
    if table.empty:
        return [Item("appendix D's error", math.nan, "nats", high=NATS)]
    return [
        measured(
            f"N_z = {size}, bias or spread", off, "nats", math.nan, math.nan,
            low=NATS if size > GOOD else -math.inf, high=NATS if size < GOOD else math.inf,
        )
        for size, off in worst_errors(table).items()
    ] + [
        measured(f"N_z = {size}, with {PAPER_SAMPLES} samples for each half", off, "nats", math.nan, math.nan)
        for size, off in worst_errors(table, EACH_HALF).items()
    ]  # fmt: skip
