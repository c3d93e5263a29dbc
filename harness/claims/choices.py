"""C12: whether the paper's figures were made as its text says, from how far curves lie from them."""

import math
from collections.abc import Mapping

import pandas as pd

from harness.claims.item import Item
from harness.claims.results import Results
from harness.claims.seeds import measured
from harness.experiments.paper import FIGURE2
from harness.experiments.paper_curves import read_published
from harness.figures.agreement import agreement
from harness.figures.compare import label
from harness.figures.summary import limit
from harness.studies.estimate import mean

PANEL = ["dataset", "n_latent"]  # columns
TEXT = {("estimator", "B"), ("minibatch M", "100")}  # what the text names, where our protocol has something else


def made_as_the_text_says(results: Results) -> list[Item]:
    """How far AEVB's test curves lie from the paper's with A, and M = 500 on Frey Face; how much farther otherwise.

    Otherwise: with the text's estimator B, or its M = 100. Negative where such runs are nearer.
    """
    return [*_otherwise(results), *_distances(results)]


def _otherwise(results: Results) -> list[Item]:
    table = results.study("choices", "choices")
    rows = [row for _, row in table.iterrows() if (row["choice"], row["value"]) in TEXT]
    items = [
        Item(
            f"{_curve(row)}, farther with {row['choice'].removeprefix('minibatch ')} {row['value']}",
            float(row["farther"]), "nats", float(row["farther_error"]), _degrees(row["seeds"]), high=0,
            seeds=int(row["seeds"]), begin=0, end=float(row["samples"]),
        )
        for row in rows
    ]  # fmt: skip
    return items or [Item("farther with B, or with M = 100", math.nan, "nats", high=0)]


def _distances(results: Results) -> list[Item]:
    curves = results.curves(2)
    curves = curves[(curves["method"] == "aevb") & (curves["split"] == "test")]
    if curves.empty:
        return []
    curves = pd.concat([_where_two_seeds_are(curve) for _, curve in curves.groupby(PANEL)])
    items = []
    for _, row in agreement(curves, read_published(2), FIGURE2.compared_from).iterrows():
        panel = {column: row[column] for column in PANEL}
        ends = curves[(curves[PANEL] == pd.Series(panel)).all(axis=1)].groupby("seed")["samples"].max()
        seeds = mean(dict.fromkeys(ends.index[ends >= ends.max()], row["rms"]) | _lost(results, row["end"], panel))
        error = math.nan if seeds.lost else row["difference_error"]
        found = seeds._replace(standard_error=error, degrees=_degrees(seeds.seeds))
        name = f"{_curve(row)}, RMS distance"
        items.append(measured(name, found, "nats", row["begin"], row["end"], low=limit(row["dataset"])))
    return items


def _lost(results: Results, end: float, panel: Mapping[str, object]) -> dict[int, float]:
    """Seeds of a panel that diverged before an end, none of which has a value (NaN)."""
    seeds = results.seeds(2, method="aevb", split="test", **panel)
    return {seed: math.nan for seed, curve in seeds.items() if curve.lost(end)}


def _where_two_seeds_are(curve: pd.DataFrame) -> pd.DataFrame:
    """Up to where the longest seed but one ends; all of a single seed's."""
    ends = curve.groupby("seed")["samples"].max().nlargest(2)
    return curve[curve["samples"] <= ends.iloc[-1]]


def _curve(row: pd.Series) -> str:
    of = "" if row["method"] == "aevb" else f" {label(row['method'])}"
    return f"{label(row['dataset'])}{of} {row['n_latent']}"


def _degrees(seeds: int) -> float:
    return seeds - 1 if seeds > 1 else math.nan
