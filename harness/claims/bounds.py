"""C3 and C11: how noisy the plotted bound is, whether manifolds are smooth, and what more latents bring."""

import math
from itertools import pairwise

import pandas as pd

from harness.claims.item import Item
from harness.claims.results import Results
from harness.claims.seeds import at, difference, farthest, mean, measured
from harness.experiments.paper import FIGURE2, FIGURE4
from harness.figures.compare import label

SMALL_NOISE = 1.0  # nats: "the estimator variance was small (< 1)", figure 2
JUMP = 0.5  # of the distance between two random images
MOST = 20  # latents in figure 5


def small_noise(results: Results) -> list[Item]:
    """The largest standard error of a plotted test bound on MNIST, and on Frey Face the noise alone.

    The standard error is over datapoints and noise together, so that the noise alone is smaller; Frey Face has too few
    frames for it to be small. There kept models are evaluated with other noise, and the N_z that is noisiest counts;
    MNIST's noise is told beside it.
    """
    test = results.curves(2)
    test = test[(test["split"] == "test") & (test["dataset"] == "mnist") & (test["samples"] >= FIGURE2.compared_at[0])]
    name, range_ = f"{label('mnist')}, largest s.e. of a test bound", _range(test)
    largest = float(test["standard_error"].max()) if len(test) else math.nan
    item = Item(name, largest, "nats", 0.0, high=SMALL_NOISE, begin=range_[0], end=range_[1])
    return [item, _noise(results, "frey_face", SMALL_NOISE), _noise(results, "mnist", math.inf)]


def _noise(results: Results, dataset: str, high: float) -> Item:
    """Of the size and method that is noisiest, mean over seeds."""
    rows = _models(results, dataset)
    found = {name: mean(part["noise"]) for name, part in rows.groupby(["n_latent", "method"])} if len(rows) else {}
    worst = max(found, key=lambda name: found[name].value, default=None)
    if worst is None:
        return Item(f"{label(dataset)}, noise of the test bound", math.nan, "nats", high=high)
    size, method = worst
    name = f"{label(dataset)}, noise of the test bound, N_z = {size}, {label(str(method))}"
    return measured(name, found[worst], "nats", *_range(rows), high=high)


def smooth_and_better(results: Results) -> list[Item]:
    """The largest step on figure 4's grid over the distance of random images; the test bound with more latents."""
    items = []
    for dataset in FIGURE4.panels:
        rows = _models(results, dataset)
        rows = rows[(rows["n_latent"] == 2) & (rows["method"] == "aevb")] if len(rows) else rows
        shares = mean(rows["largest"] / rows["apart"] if len(rows) else [])
        items.append(measured(f"{label(dataset)}, largest step over distance", shares, "", *_range(rows), high=JUMP))
    for few, many in pairwise(size for size in FIGURE2.panels["mnist"] if size <= MOST):
        ours, paper = (
            [curves(2, dataset="mnist", n_latent=size, method="aevb", split="test") for size in (many, few)]
            for curves in (results.seeds, results.paper)
        )
        count = farthest(FIGURE2.compared_at, ours)
        gain, theirs = (difference(*(at(seeds, count) for seeds in pair)) for pair in (ours, paper))
        name = f"{label('mnist')}, test bound, N_z = {many} − {few}"
        items.append(measured(name, gain, "nats", count, count, low=0, paper=theirs.value))
    return items


def _models(results: Results, dataset: str) -> pd.DataFrame:
    """What was measured of kept models."""
    table = results.study("models", "models")
    return table[table["dataset"] == dataset] if len(table) else table


def _range(rows: pd.DataFrame) -> tuple[float, float]:
    """The fewest and the most training samples."""
    return (float(rows["samples"].min()), float(rows["samples"].max())) if len(rows) else (math.nan, math.nan)
