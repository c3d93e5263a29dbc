"""How far our curves are from the paper's: the page's table, and what it says on the whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pandas as pd

from harness.experiments.paper import Experiment
from harness.figures.agreement import agreement
from harness.figures.compare import compare, label, scientific
from harness.figures.summary import LIMIT, LIMITS, agreeing, stands_out
from harness.report.charts.axis import MINUS
from harness.report.source import run_id
from harness.store.run_folder import RunFolder


@dataclass(frozen=True)
class Row:
    """A curve, and at each sample count ours, the paper's, and the difference (nats).

    The standard error of the difference, which is that of the paper's one seed too, stands with it, or where there is
    none that of ours with ours. The fourth part of a cell tells that the difference is beyond two standard errors and
    the limit.
    """

    method: str
    split: str
    sources: list[str]
    cells: list[tuple[str, str, str, bool]]


@dataclass(frozen=True)
class Distances:
    """The table by panels, each its dataset, its size and its rows; and what is told on the whole.

    `whole` has the values of that text; none where no curve can be compared. `most_seeds` is 1 where no mean is taken.
    """

    counts: list[str]
    panels: list[tuple[str, str, list[Row]]]
    whole: dict[str, object]
    most_seeds: int


def distances(
    curves: pd.DataFrame, published: pd.DataFrame, experiment: Experiment, folders: Sequence[RunFolder]
) -> Distances:
    """Compare the curves of one protocol with the paper's, at equal numbers of training samples and all along."""
    key = (*experiment.key, "split")
    table = compare(curves, published, experiment.compared_at, key, experiment.measure)
    along = agreement(curves, published, experiment.compared_from, key, experiment.measure)
    counts = sorted(table["samples"].unique())
    rows = []
    for name, curve in table.groupby(list(key), sort=False):
        at: Any = curve.set_index("samples").reindex(counts)
        ids = [run_id(f) for f in folders if tuple(getattr(f.config, column) for column in experiment.key) == name[:3]]
        cells = [_cell(str(name[0]), values) for values in at.to_dict("records")]
        rows.append((name[:2], Row(label(str(name[2])), str(name[3]), ids, cells)))
    panels = [
        (label(str(dataset), 24), f"{size:,}", [row for _, row in group])
        for (dataset, size), group in groupby(rows, key=lambda item: item[0])
    ]
    seeds = int(table["seeds"].max()) if len(table) else 1
    return Distances([scientific(count) for count in counts], panels, _whole(along), seeds)


def _cell(dataset: str, at: Mapping[str, Any]) -> tuple[str, str, str, bool]:
    error, own, difference = at["difference_error"], at["standard_error"], at["difference"]
    ours, paper, off = (_number(at[name], form) for name, form in
                        (("ours", "z.1f"), ("paper", "z.1f"), ("difference", "+z.1f")))  # fmt: skip
    far = bool(pd.notna(difference)) and stands_out(difference, error, dataset)
    if off == "–":
        return ours + _plus_minus(own) * (ours != "–"), paper, off, far
    return ours, paper, off + _plus_minus(error), far


def _plus_minus(error: float) -> str:
    return "" if pd.isna(error) else f" ± {error:.1f}"


def _number(value: float, form: str) -> str:
    return "–" if pd.isna(value) else format(value, form).replace("-", MINUS)


def _whole(along: pd.DataFrame) -> dict[str, object]:
    """How many curves agree with the paper's, and how well, as `harness.figures.summary.on_the_whole` counts."""
    if along.empty:
        return {}
    agree, near = agreeing(along)
    return {
        "agree": agree,
        "near": near,
        "more": agree - near,
        "of": len(along),
        "left": len(along) - agree,
        "limit": f"{LIMIT:g}",
        "frey": f"{LIMITS['frey_face']:g}" if (along["dataset"] == "frey_face").any() else "",
        "median": f"{along['rms'].median():.1f}",
        "largest": f"{along['rms'].max():.1f}",
    }
