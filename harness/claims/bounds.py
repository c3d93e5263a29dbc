"""C3 and C11: how noisy the plotted bound is, whether manifolds are smooth, and what more latents bring."""

import math
from itertools import pairwise

import pandas as pd

from harness.claims.item import Item
from harness.claims.results import Results
from harness.claims.seeds import at, farthest, measured
from harness.experiments.paper import FIGURE2, FIGURE4
from harness.figures.compare import label
from harness.studies.estimate import UNKNOWN, Estimate, difference, mean

SMALL_NOISE = 1.0  # nats: "the estimator variance was small (< 1)", figure 2
JUMP = 0.5  # of the distance between two random images
MOST = 20  # latents in figure 5
MODELS = ["dataset", "n_latent", "method", "samples", "noise", "largest", "apart"]  # columns of the study


def small_noise(results: Results) -> list[Item]:
    """The largest standard error of a plotted test bound on MNIST, and on Frey Face the noise alone.

    The standard error is over datapoints and noise together, so that the noise alone is smaller; Frey Face has too few
    frames for it to be small. There kept models are evaluated with other noise, and the N_z that is noisiest counts.
    Told beside it: the noise of later models of fewer seeds, and MNIST's.
    """
    test = results.curves(2)
    test = test[(test["split"] == "test") & (test["dataset"] == "mnist") & (test["samples"] >= FIGURE2.compared_at[0])]
    begin, end = (float(test["samples"].min()), float(test["samples"].max())) if len(test) else (math.nan, math.nan)
    largest = float(test["standard_error"].max()) if len(test) else math.nan
    item = Item(
        f"{label('mnist')}, largest s.e. of a test bound", largest, "nats", 0.0, high=SMALL_NOISE, seeds=1,
        begin=begin, end=end,
    )  # fmt: skip
    return [item, *_noise(results, "frey_face", SMALL_NOISE), *_noise(results, "mnist", math.inf)]


def _noise(results: Results, dataset: str, high: float) -> list[Item]:
    """Of the size and method that is noisiest, mean over seeds; its later models of fewer seeds decide nothing."""
    name = f"{label(dataset)}, noise of the test bound"
    curves = {
        curve: _by_count(part, "noise") for curve, part in _models(results, dataset).groupby(["n_latent", "method"])
    }
    worst = max(curves, key=lambda curve: curves[curve][0][1].value, default=None)
    if worst is None:
        return [Item(name, math.nan, "nats", high=high)]
    size, method = worst
    return [
        measured(f"{name}, N_z = {size}, {label(str(method))}", found, "nats", count, count,
                 high=high if place == 0 else math.inf)
        for place, (count, found) in enumerate(curves[worst])
    ]  # fmt: skip


def _by_count(rows: pd.DataFrame, column: str) -> list[tuple[float, Estimate]]:
    """The mean over seeds at the largest count of training samples that two seeds have, or else one; then farther."""
    found = {float(str(count)): mean(part[column]) for count, part in rows.groupby("samples")}
    several = [count for count, estimate in found.items() if estimate.seeds > 1]
    first = max(several, default=max(found, default=math.inf))
    return sorted((count, estimate) for count, estimate in found.items() if count >= first)


def smooth_and_better(results: Results) -> list[Item]:
    """The largest step on figure 4's grid over the distance of random images; the test bound with more latents."""
    items = []
    for dataset in FIGURE4.panels:
        rows, name = _models(results, dataset), f"{label(dataset)}, largest step over distance"
        rows = rows[(rows["n_latent"] == 2) & (rows["method"] == "aevb")]
        shares = _by_count(rows.assign(share=rows["largest"] / rows["apart"]), "share")
        items += [
            measured(name, share, "", count, count, high=JUMP if place == 0 else math.inf)
            for place, (count, share) in enumerate(shares or [(math.nan, UNKNOWN)])
        ]
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
    table = results.study("models", "models").reindex(columns=MODELS)
    return table[table["dataset"] == dataset]
