"""The line below a figure: protocol, how many seeds its curves have and how far they go, and what else is to know."""

import textwrap
from collections.abc import Sequence

import pandas as pd

from harness.figures.compare import label, ranked, scientific

CURVE = ("dataset", "n_latent", "n_train", "method")
LETTERS = 14  # of a caption in an inch
NAMED = 3  # a longer list of names that is the last one is "all others"


def caption(protocols: Sequence[str], curves: pd.DataFrame, runs: pd.DataFrame, told: str, inches: float) -> str:
    """What stands below figures 2 and 3.

    Args:
        protocols: of the runs.
        curves: ours, as they are drawn.
        runs: ours.
        told: how the curves' points were computed.
        inches: of the figure, into which the caption is broken.
    """
    parts = [f"protocol {name}" for name in protocols]
    if curves.empty:
        return fill([*parts, "the paper's curves only"], inches)
    parts += ["published with the project, not computed here"] if all_published(runs) else []
    return fill([*parts, seeds_shown(curves, "dataset"), told], inches)


def all_published(runs: pd.DataFrame) -> bool:
    """No run of a figure is the reader's own."""
    return "published" in runs and len(runs) > 0 and bool(runs["published"].astype(bool).all())


def fill(parts: Sequence[str], inches: float) -> str:
    """The parts in lines of so many inches."""
    return textwrap.fill("; ".join(parts), int(LETTERS * inches))


def seeds_shown(curves: pd.DataFrame, by: str) -> str:
    """What lines and bands are made of, and how far they go.

    Seeds are named where every curve has them all from end to end. Otherwise each dataset or method says up to how many
    seeds are how far: no curve of it has more of them there.

    Args:
        curves: as they are drawn, with the columns that name a curve, seed and samples; not empty.
        by: "dataset" or "method".
    """
    key = [column for column in CURVE if column in curves]
    runs = curves.groupby([*key, "seed"])["samples"].max().reset_index()
    ends = runs.groupby(key)["samples"]
    if len({tuple(seeds) for _, seeds in runs.groupby(key)["seed"]}) == 1 and (ends.min() == ends.max()).all():
        band = ": mean, band and each of them (thin)" if runs["seed"].nunique() > 1 else ""
        return f"{seed_names(runs['seed'])}{band}; up to {scientific(runs['samples'].max())} training samples"
    if ends.size().max() == 1:
        return f"one seed of each curve; up to {scientific(runs['samples'].max())} training samples"
    groups: dict[tuple[tuple[float, int], ...], list[str]] = {}
    for name, part in runs.sort_values(by, key=ranked).groupby(by, sort=False):
        groups.setdefault(_steps(part, key), []).append(label(str(name), 24))
    told: list[str] = []
    for steps, names in sorted(groups.items(), key=lambda group: -group[0][0][1]):
        first, *others = (f"{seeds} to {scientific(samples)}" for samples, seeds in steps)
        last = names if len(told) + 1 < len(groups) or len(names) <= NAMED else ["all others"]
        whose = f" ({', '.join(last)})" if len(groups) > 1 else ""
        told.append(", ".join([first if told else first.replace(" to ", " seeds to ") + " samples", *others]) + whose)
    return f"mean, band and each seed (thin) of up to {'; '.join(told)}"


def _steps(runs: pd.DataFrame, key: Sequence[str]) -> tuple[tuple[float, int], ...]:
    """Counts of samples, and how many seeds any of these curves has up to there; ever farther, ever fewer."""
    farthest: dict[int, float] = {}
    for _, curve in runs.groupby([*key]):
        for seeds, samples in enumerate(sorted(curve["samples"], reverse=True), 1):
            farthest[seeds] = max(samples, farthest.get(seeds, 0.0))
    ends = {samples: seeds for seeds, samples in sorted(farthest.items())}  # of equal counts the most seeds
    return tuple(sorted(ends.items()))


def seed_names(seeds: pd.Series) -> str:
    """ "seed 0", or "seeds 0, 1, 2"."""
    distinct = sorted(seeds.unique())
    return f"seed{'s' * (len(distinct) > 1)} {', '.join(map(str, distinct))}"
