"""C3 and C11: how noisy the plotted bound is, whether manifolds are smooth, and what more latents bring."""

import math
from itertools import pairwise

from harness.claims.item import Item
from harness.claims.results import Results
from harness.claims.seeds import at, difference, farthest, mean, measured
from harness.experiments.paper import FIGURE2, FIGURE4
from harness.figures.compare import label

STUDY = "models"
SMALL_NOISE = 1.0  # nats: "the estimator variance was small (< 1)", figure 2
JUMP = 0.5  # of the distance between two random images


def small_noise(results: Results) -> list[Item]:
    """How much other noise changes a test bound, measured on kept models: the noisiest model of each dataset.

    On MNIST also the largest standard error of a plotted test bound, over images and noise together: more than the
    noise alone. Frey Face has too few frames for that one to be small.
    """
    noise, items = results.study(STUDY, "noise"), []
    for dataset in FIGURE2.panels:
        rows = noise[noise["dataset"] == dataset] if len(noise) else noise
        name = f"{label(dataset)}, noise of a test bound"
        if rows.empty:
            items.append(Item(name, math.nan, "nats", high=SMALL_NOISE))
            continue
        worst = rows.loc[rows["noise"].idxmax()]
        items.append(
            Item(name, float(worst["noise"]), "nats", float(worst["noise_error"]), high=SMALL_NOISE,
                 seeds=int(rows.groupby("n_latent")["seed"].nunique().min()), begin=float(rows["samples"].min()),
                 end=float(rows["samples"].max()), note=f"the noisiest of {len(rows)} models, N_z = {worst['n_latent']}")
        )  # fmt: skip
    test = results.curves(2)
    test = test[(test["split"] == "test") & (test["dataset"] == "mnist") & (test["samples"] >= FIGURE2.compared_at[0])]
    if len(test):
        items.append(
            Item(f"{label('mnist')}, largest s.e. of a plotted test bound", float(test["standard_error"].max()), "nats",
                 0.0, high=SMALL_NOISE, seeds=int(test.groupby(["n_latent", "method"])["seed"].nunique().min()),
                 begin=float(test["samples"].min()), end=float(test["samples"].max()))
        )  # fmt: skip
    return items


def smooth_and_better(results: Results) -> list[Item]:
    """The largest step on figure 4's grid, as a share of the distance between random images; the bound over N_z."""
    manifold, items = results.study(STUDY, "manifold"), []
    for dataset in FIGURE4.panels:
        rows = manifold[manifold["dataset"] == dataset] if len(manifold) else manifold
        shares = mean(rows["largest"] / rows["apart"]) if len(rows) else mean([])
        begin, end = (float(rows["samples"].min()), float(rows["samples"].max())) if len(rows) else (math.nan,) * 2
        items.append(measured(f"{label(dataset)}, largest step over distance", shares, "", begin, end, high=JUMP))
    for few, many in pairwise(size for size in FIGURE2.panels["mnist"] if size <= 20):
        ours, paper = ([curves(2, dataset="mnist", n_latent=size, method="aevb", split="test") for size in (many, few)]
                       for curves in (results.seeds, results.paper))  # fmt: skip
        count = farthest(FIGURE2.compared_at, ours)
        gain, theirs = (difference(*(at(seeds, count) for seeds in pair)) for pair in (ours, paper))
        name = f"MNIST, test bound with N_z = {many} − {few}"
        items.append(measured(name, gain, "nats", count, count, low=0, paper=theirs.value))
    return items
