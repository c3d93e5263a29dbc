"""C2: whether more latents than needed make the test bound fall, and where it begins to."""

import math

from harness.claims.item import Item
from harness.claims.results import Results
from harness.claims.seeds import Seeds, at, farthest, measured, reaching, up_to
from harness.experiments.paper import FIGURE2
from harness.figures.compare import label, scientific
from harness.figures.summary import limit
from harness.studies.estimate import difference, mean

MORE = {"mnist": (20, 200), "frey_face": (10, 20)}  # enough latents, and more than that


def no_overfitting(results: Results) -> list[Item]:
    """AEVB's test bound with more latents minus that with enough, and how much more it has fallen from its highest.

    Then, deciding nothing, for each panel how much the test bound has fallen by the end, since when, and whether
    training's went on rising.
    """
    items = []
    for dataset, sizes in MORE.items():
        ours, paper = ([curves(2, dataset=dataset, n_latent=size, method="aevb", split="test") for size in sizes[::-1]]
                       for curves in (results.seeds, results.paper))  # fmt: skip
        count, name = farthest(FIGURE2.compared_at, ours), f"{label(dataset)}, N_z = {sizes[1]} − {sizes[0]}"
        apart, theirs = (difference(*(at(seeds, count) for seeds in pair)) for pair in (ours, paper))
        fallen, its = (difference(*(_falls(seeds, count) for seeds in pair)) for pair in (ours, paper))
        items += [
            measured(f"{name}, test bound", apart, "nats", count, count, low=-limit(dataset), paper=theirs.value),
            measured(f"{name}, fall of it", fallen, "nats", 0, count, high=limit(dataset), paper=its.value),
        ]
    return [*items, *(_onset(results, name, size) for name, sizes in FIGURE2.panels.items() for size in sizes)]


def _falls(seeds: Seeds, count: float) -> dict[int, float]:
    """How far each seed's curve is below its highest point at a count, nats; NaN of one that diverged before."""
    return up_to(seeds, count, lambda curve: float(curve.nats.max() - curve.nats[-1]))


def _onset(results: Results, dataset: str, size: int) -> Item:
    """The fall of a panel's test bound by where the last of its seeds ends."""
    panel = {"dataset": dataset, "n_latent": size, "method": "aevb"}
    test, train = (results.seeds(2, split=split, **panel) for split in ("test", "train_eval"))
    end = max((curve.samples[-1] for curve in test.values() if len(curve.samples)), default=math.nan)
    paper, note = results.paper(2, split="test", **panel), "not measured"
    theirs = max(curve.samples[-1] for curve in paper.values())
    reached = [curve.until(end) for curve in reaching(test, end).values()]
    highest = max(reached, key=lambda curve: curve.nats.max(), default=None)
    if highest is not None:
        since = float(highest.samples[highest.nats.argmax()])
        risen = mean(curve.at(end) - curve.at(since) for curve in reaching(train, end).values()).value
        note = f"highest at {scientific(since)}" + (f", training's {risen:+.1f} since" if since < end else ", its end")
    note += f"; the paper's at {scientific(_peak(paper))} of {scientific(theirs)}"
    fall = mean(_falls(test, end))
    return measured(f"{label(dataset)} {size}, fall of the test bound", fall, "nats", 0, end,
                    paper=mean(_falls(paper, theirs)).value, note=note)  # fmt: skip


def _peak(seeds: Seeds) -> float:
    (curve,) = seeds.values()
    return float(curve.samples[curve.nats.argmax()])
