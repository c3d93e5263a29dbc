"""The study of choices as a table: what each is worth in nats, and which of them the paper's curves decide."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.figures.agreement import POINTS, rms
from harness.figures.compare import drawable, label, scientific, value_at
from harness.store.columns import format_sections, paragraph
from harness.studies.choices.evidence import farther
from harness.studies.choices.roster import ALTERNATIVES, CHOICES, Alternative, Curve
from harness.studies.verdict import above, widened

CURVE = ["dataset", "method", "n_latent"]
COLUMNS = [
    *("choice", "value", *CURVE, "samples", "seeds", "diverged", "shift", "shift_error", "spread", "spread_otherwise"),
    *("distance", "distance_otherwise", "farther", "farther_error", "command"),
]


def tabulate(
    curves: pd.DataFrame, ended: pd.DataFrame, published: pd.DataFrame, seeds: Sequence[int], samples: int, since: float
) -> pd.DataFrame:
    """What each alternative changes, on each of its curves, over seeds that both have; test bounds, nats.

    Args:
        curves: of all runs; columns protocol, dataset, method, n_latent, seed, split, samples, lower_bound.
        ended: how they ended; columns protocol, dataset, method, n_latent, seed, status. A run that diverges before its
            first value has no curve.
        published: the paper's figure 2.
        seeds: that were asked for.
        samples: where values are compared.
        since: distances from the paper's curve are taken from here on, or from its first point.

    Returns:
        Columns: choice, value, dataset, method, n_latent, samples, seeds (pairs), diverged (runs of the alternative
        that did), shift (alternative − protocol at `samples`, mean over pairs of equal seeds) with its standard_error,
        spread and spread_otherwise (standard deviation over seeds, with the protocol and with the alternative),
        distance and distance_otherwise (of the seeds' mean from the paper's curve, root mean square along it), farther
        (by how much the alternative's runs are farther from the paper's one run than the protocol's, see
        `harness.studies.choices.evidence.farther`) with its standard error, and the command that computes the
        alternative's runs.
    """
    test = drawable(curves, "lower_bound")
    runs = {name: run for name, run in test[test["split"] == "test"].groupby(["protocol", *CURVE, "seed"])}
    paper = {name: curve for name, curve in drawable(published).groupby([*CURVE, "split"])}
    lost = ended[(ended["status"] == "diverged") & ended["seed"].isin(seeds)].groupby(["protocol", *CURVE]).size()
    rows = []
    for alternative in ALTERNATIVES:
        for curve in alternative.curves:
            name = (curve.dataset, curve.method, curve.n_latent)
            pairs = [
                (runs.get(("author", *name, seed)), runs.get((alternative.protocol, *name, seed))) for seed in seeds
            ]
            there = [(ours, other) for ours, other in pairs if ours is not None and other is not None]
            diverged = int(lost.get((alternative.protocol, *name), 0))
            if there or diverged:
                at = _places(paper[(*name, "test")], since, samples)
                told = {"diverged": diverged, "command": alternative.command(curve, seeds, samples)}
                rows.append(_row(alternative, curve, there, paper[(*name, "test")], at, samples) | told)
    return pd.DataFrame(rows, columns=COLUMNS)


def _places(paper: pd.DataFrame, since: float, samples: int) -> np.ndarray:
    begin = max(since, float(paper["samples"].min()))
    return np.geomspace(begin, samples, POINTS) if begin < samples else np.array([])


def _row(
    alternative: Alternative,
    curve: Curve,
    pairs: Sequence[tuple[pd.DataFrame, pd.DataFrame]],
    paper: pd.DataFrame,
    at: np.ndarray,
    samples: int,
) -> dict[str, object]:
    ends = np.array([[float(value_at(r["samples"], r["lower_bound"], samples)) for r in pair] for pair in pairs])
    ends = ends.reshape(-1, 2)
    ended = np.isfinite(ends).all(1)
    theirs = value_at(paper["samples"], paper["lower_bound"], at)
    off = np.array([[value_at(r["samples"], r["lower_bound"], at) - theirs for r in pair] for pair in pairs])[ended]
    shift, shift_error = _mean(ends[ended, 1] - ends[ended, 0])
    score, score_error = farther(off[:, 0], off[:, 1]) if len(at) and len(off) else (math.nan, math.nan)
    spread, spread_otherwise = (float(ends[ended, k].std(ddof=1)) if ended.sum() > 1 else math.nan for k in (0, 1))
    distance, otherwise = (rms(off[:, k].mean(0)) if len(at) and len(off) else math.nan for k in (0, 1))
    return {
        "choice": alternative.choice,
        "value": alternative.value,
        **vars(curve),
        "samples": samples,
        "seeds": int(ended.sum()),
        "shift": shift,
        "shift_error": shift_error,
        "spread": spread,
        "spread_otherwise": spread_otherwise,
        "distance": distance,
        "distance_otherwise": otherwise,
        "farther": score,
        "farther_error": score_error,
    }


def _mean(values: np.ndarray) -> tuple[float, float]:
    """Mean and its standard error; NaN where there are too few."""
    mean = float(values.mean()) if len(values) else math.nan
    return mean, float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def decided(mean: float, error: float, seeds: int) -> int:
    """1 or −1 where the mean's sign would survive other seeds, by the rule of `harness.studies.verdict`; else 0."""
    return {True: 1, False: -1, None: 0}[above(mean, widened(error, seeds - 1), 0.0)] if mean else 0


def cells(table: pd.DataFrame) -> pd.DataFrame:
    """The table as text cells: choice, otherwise, curve, shift, spread, distance, farther and seeds."""
    rows = [
        [
            row["choice"],
            row["value"],
            _curve(*(row[column] for column in CURVE)),
            _pm(row["shift"], row["shift_error"]),
            _arrow(row["spread"], row["spread_otherwise"]),
            _arrow(row["distance"], row["distance_otherwise"]),
            _pm(row["farther"], row["farther_error"]),
            str(row["seeds"]) + (f", {row['diverged']} diverged" if row["diverged"] else ""),
        ]
        for _, row in table.iterrows()
    ]
    return pd.DataFrame(
        rows, columns=["choice", "otherwise", "curve", "shift", "spread", "distance", "farther", "seeds"]
    )


def format_choices(table: pd.DataFrame) -> str:
    """The table for print, a section for each alternative, and what it says of each choice."""
    if table.empty:
        return "No pair of runs is there yet."
    rows = cells(table)
    sections = [f"{choice}: {value}" for choice, value in zip(rows.pop("choice"), rows.pop("otherwise"), strict=True)]
    head = (
        "One choice at a time made otherwise, test bound, nats. "
        f"Shift at {scientific(table['samples'].max())} samples, otherwise − protocol, ± s.e.; spread over seeds; "
        "distance (RMS) of the seeds' mean from the paper's curve; by "
        "how much runs are farther from it (energy score), ± s.e. of seeds, the paper's too."
    )
    return "\n".join([paragraph(head), format_sections(sections, rows, ["seeds"]), *map(paragraph, verdicts(table))])


def _arrow(ours: float, otherwise: float) -> str:
    if math.isnan(ours) or math.isnan(otherwise):
        return "–"
    return f"{_short(ours)} → {_short(otherwise)}"


def _short(value: float) -> str:
    return f"{value:.1f}" if abs(value) < 1e3 else f"{value:.0f}" if abs(value) < 1e5 else f"{value:.0e}"


def verdicts(table: pd.DataFrame) -> list[str]:
    """A sentence on each choice: on which curves the paper's decide it, by the rule of all verdicts."""
    sentences = []
    measured = table[table["farther"].notna() & table["farther_error"].notna()]
    for choice in CHOICES:
        found: dict[int, list[str]] = {1: [], -1: [], 0: []}
        for _, row in measured[measured["choice"] == choice].iterrows():
            far = row["farther"], row["farther_error"]
            curve = f"{_curve(*(row[column] for column in CURVE))} against {row['value']} ({_pm(*far)})"
            found[decided(*far, row["seeds"])].append(curve)
        lost = table[(table["choice"] == choice) & (table["diverged"] > 0)]
        if not any(found.values()) and lost.empty:
            continue
        parts = [
            f"{text} {', '.join(found[side])}"
            for side, text in ((1, "the paper's curves speak for the protocol on"), (-1, "they speak against it on"))
            if found[side]
        ]
        if found[0]:
            n = sum(map(len, found.values()))
            parts.append(f"undecided on {len(found[0])} of {n} curves" if parts else f"undecided on all {n} curves")
        for _, row in lost.iterrows():
            curve = _curve(*(row[column] for column in CURVE))
            parts.append(
                f"{row['diverged']} of {row['seeds'] + row['diverged']} runs of {curve} diverge at {row['value']}"
            )
        sentences.append(f"{choice}: {'; '.join(parts)}.")
    return sentences


def _curve(dataset: str, method: str, n_latent: int) -> str:
    return f"{label(dataset).removesuffix(' Face')} {label(method)} {n_latent}"


def _pm(mean: float, error: float) -> str:
    if math.isnan(mean):
        return "–"
    value = f"{'+' if mean >= 0 else '−'}{_short(abs(mean))}"
    return value if math.isnan(error) else f"{value} ± {_short(error)}"
