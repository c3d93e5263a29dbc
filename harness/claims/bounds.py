"""C3 and C11: how noisy the plotted bound is, whether manifolds are smooth, and what more latents bring."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

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
MODELS = ["dataset", "n_latent", "method", "seed", "samples", "noise", "largest", "apart"]  # columns of the study


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
    runs = results.runs(2)
    ended = runs.loc[runs["dataset"] == "mnist", "status"]
    lost = int((ended == "diverged").sum())
    longest = test.loc[test["samples"] == end, "seed"].astype(int)
    item = Item(
        f"{label('mnist')}, largest s.e. of a test bound", largest, "nats", math.nan if lost else 0.0, high=SMALL_NOISE,
        seeds=1, begin=begin, end=end, note=f"{lost} of {len(ended)} diverged" if lost else "",
        which=str(longest.min()) if longest.min() > 0 else "",
    )  # fmt: skip
    return [item, *_noise(results, "frey_face", SMALL_NOISE), *_noise(results, "mnist", math.inf)]


def _noise(results: Results, dataset: str, high: float) -> list[Item]:
    """Of the size and method that is noisiest, mean over seeds; its later models of fewer seeds decide nothing."""
    name = f"{label(dataset)}, noise of the test bound"
    curves = {
        curve: _by_count(part, "noise") for curve, part in _models(results, dataset).groupby(["n_latent", "method"])
    }
    worst = max(curves, key=lambda curve: curves[curve][0].found.value, default=None)
    if worst is None:
        return [Item(name, math.nan, "nats", high=high)]
    size, method = worst
    return _of_models(f"{name}, N_z = {size}, {label(str(method))}", curves[worst], "nats", high)


class Models(NamedTuple):
    """What models have in mean after so many training samples."""

    samples: float
    found: Estimate


def _of_models(name: str, models: Sequence[Models], unit: str, high: float) -> list[Item]:
    """Numbers of which the first decides."""
    return [
        measured(name, found, unit, samples, samples, high=math.inf if place else high)
        for place, (samples, found) in enumerate(models)
    ]


def _by_count(rows: pd.DataFrame, column: str) -> list[Models]:
    """The mean over seeds at the largest count of training samples that two seeds have, or else one; then farther."""
    counts = [
        Models(float(str(count)), mean(dict(sorted(zip(part["seed"], part[column], strict=True)))))
        for count, part in rows.groupby("samples")
    ]
    several = [models.samples for models in counts if models.found.seeds > 1]
    first = max(several, default=max((models.samples for models in counts), default=math.inf))
    return [models for models in counts if models.samples >= first]


def smooth_and_better(results: Results) -> list[Item]:
    """The largest step on figure 4's grid over the distance of random images; the test bound with more latents."""
    items = []
    for dataset in FIGURE4.panels:
        rows, name = _models(results, dataset), f"{label(dataset)}, largest step over distance"
        rows = rows[(rows["n_latent"] == 2) & (rows["method"] == "aevb")]
        shares = _by_count(rows.assign(share=rows["largest"] / rows["apart"]), "share")
        items += _of_models(name, shares or [Models(math.nan, UNKNOWN)], "", JUMP)
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
