"""The comparison with the paper for print: a line on the whole, a row for each curve, and what stands out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from harness.figures.compare import HEADINGS, KEY, label, ranked, scientific
from harness.store.columns import SHORTEST, columns

# Nats below which a difference is none: what a curve's own wiggles and the reading of the paper's strokes come to.
LIMITS: Mapping[str, float] = {"mnist": 1.0, "frey_face": 10.0}
LIMIT = 1.0
MARK = "!"
TOLD = 6  # curves without a row that are named
LONGEST_NAME = 12  # letters
NAMED = ("dataset", "n_latent", "n_train", "method", "split")


def limit(dataset: str) -> float:
    """Differences on this dataset up to so many nats are none."""
    return LIMITS.get(dataset, LIMIT)


def stands_out(difference: float, error: float, dataset: str) -> bool:
    """Beyond both two of its standard errors and the limit; where the error is not known, beyond the limit."""
    known = 0.0 if np.isnan(error) else error
    return bool(abs(difference) > max(2 * known, limit(dataset)))


def on_the_whole(distances: pd.DataFrame) -> str:
    """How many curves agree with the paper's, and how well; empty where there are none to compare."""
    if distances.empty:
        return ""
    agree, near = agreeing(distances)
    worst = distances.sort_values("rms").iloc[-1]
    where = " ".join(label(str(worst[column])) for column in NAMED if column in distances)
    return (
        f"{agree} of {len(distances)} curves agree with the paper's: {near} within {_limits(distances['dataset'])}, "
        f"{agree - near} more within 2 standard errors; RMS distance: median {distances['rms'].median():.1f}, "
        f"largest {worst['rms']:.1f} nats ({where})"
    )


def agreeing(distances: pd.DataFrame) -> tuple[int, int]:
    """How many curves do not stand out, and how many of those are within the limit, whatever their error."""
    rows = [*zip(distances["rms"], distances["difference_error"], distances["dataset"], strict=True)]
    return sum(not stands_out(*row) for row in rows), sum(not stands_out(rms, 0.0, dataset) for rms, _, dataset in rows)


def unexplained(distances: pd.DataFrame) -> str:
    """The curves of the author's protocol that do not agree with the paper's, as a sentence; empty where all do.

    None of them has a cause that an experiment has shown. One seed alone may be off by chance.
    """
    several = distances["difference_error"].notna() & (distances["protocol"] == "author")
    rows = distances[several].to_dict("records")
    splits: dict[str, list[str]] = {}
    for row in rows:
        if stands_out(row["rms"], row["difference_error"], row["dataset"]):
            curve = " ".join(label(str(row[column])) for column in NAMED[:-1] if column in row)
            splits.setdefault(curve, []).append(str(row["split"]))
    if not splits:
        return ""
    names = ", ".join(f"{curve} {' and '.join(found)}" for curve, found in splits.items())
    return f"Unexplained: {names}. No experiment has shown yet why these do not agree"


def _limits(datasets: pd.Series) -> str:
    """The limits of these datasets, in words."""
    other = f" ({LIMITS['frey_face']:g} on Frey Face)" if (datasets == "frey_face").any() else ""
    return f"{LIMIT:g} nat{other}"


def format_summary(comparison: pd.DataFrame, distances: pd.DataFrame, key: Sequence[str] = KEY) -> str:
    """A section for each protocol: a row for each curve, at the last sample count at which it is compared.

    Ours is the mean over seeds ± its standard error; the error of the difference is that of the paper's one seed too.
    RMS is the distance all along, in the range that the last column begins. A mark stands where `stands_out` holds; "–"
    where the paper has no value, and a star at published curves where not all are.
    """
    return "\n\n".join(
        _section(str(protocol), rows, distances[distances["protocol"] == protocol], key)
        for protocol, rows in comparison.groupby("protocol", sort=False)
    )


def too_short(curves: pd.DataFrame, comparison: pd.DataFrame, at: float, key: Sequence[str] = KEY) -> str:
    """The reader's own curves that have no row, since they end before the first count `at` which curves are compared.

    Empty where there are none. A curve's splits are one here.
    """
    of_curve = [column for column in key if column != "split"]
    own = curves if "published" not in curves else curves[~curves["published"].astype(bool)]
    own = own.sort_values(["protocol", *of_curve], key=ranked)
    rows = {tuple(row) for row in comparison[["protocol", *of_curve]].to_numpy()}
    names = [name for name in dict.fromkeys(map(tuple, own[["protocol", *of_curve]].to_numpy())) if name not in rows]
    if not names:
        return ""
    told = [" ".join(label(str(part)) for part in name) for _, *name in names[:TOLD]]
    more = f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
    return f"no row yet, for they end before {scientific(at)} samples: {', '.join(told)}{more}"


def _section(protocol: str, comparison: pd.DataFrame, distances: pd.DataFrame, key: Sequence[str]) -> str:
    """Names are shortened until the table fits the terminal."""
    for letters in range(LONGEST_NAME, SHORTEST - 1, -1):
        text = _rows(protocol, comparison, distances, key, letters)
        if max(map(len, text.splitlines()[1:])) <= columns():
            break
    return text


def _rows(protocol: str, comparison: pd.DataFrame, distances: pd.DataFrame, key: Sequence[str], letters: int) -> str:
    along = {tuple(row[column] for column in key): row for row in distances.to_dict("records")}
    published = comparison["published"].astype(bool)
    starred = bool(published.any() and not published.all())
    heads = ["data" if column == "dataset" else HEADINGS.get(column, column) for column in key]
    table = [[*heads, "at", "ours", "paper", "ours − paper", "RMS", "since"]]
    for name, curve in comparison.groupby(list(key), sort=False):
        last = curve.iloc[-1]
        found = along.get(tuple(name))
        marked = pd.notna(last["difference"]) and stands_out(last["difference"], last["difference_error"], str(name[0]))
        table.append(
            [
                *(label(str(part), letters) for part in name),
                scientific(last["samples"]),
                f"{last['ours']:z.1f}{_plus_minus(last['standard_error'])}",
                _number(last["paper"], "z.1f"),
                _difference(last) + (MARK if marked else " ") + ("*" if last["published"] else " ") * starred,
                "–" if found is None else f"{found['rms']:.1f}",
                "–" if found is None else scientific(float(f"{found['begin']:.0e}")),
            ]
        )
    shown = comparison.groupby(list(key)).tail(1)
    right = {"at", "ours", "paper", "ours − paper", "RMS", "since", *HEADINGS.values()}
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    sides = [">" if head in right else "<" for head in table[0]]
    rows = [" ".join(f"{c:{s}{w}}" for c, s, w in zip(row, sides, widths, strict=True)).rstrip() for row in table]
    whose = "; published with the project, not computed here" if published.all() else ""
    notes = [f"{MARK} beyond 2 standard errors and {_limits(comparison['dataset'])}"]
    notes += ["* published with the project, not computed here"] if starred else []
    head = [f"protocol {protocol}, nats, {_mean_of(shown['seeds'])} ± standard error{whose}"]
    return "\n".join([*head, *rows, *(notes if any(MARK in row[-3] for row in table[1:]) else notes[1:])])


def _mean_of(seeds: pd.Series) -> str:
    """ "one seed", "mean of 3 seeds", "mean of 1 or 3 seeds", "mean of 1 to 5 seeds": of the rows that are shown."""
    few, *more = sorted({*seeds})
    if not more:
        return f"mean of {few} seeds" if few > 1 else "one seed"
    return f"mean of {few} {'or' if len(more) == 1 else 'to'} {more[-1]} seeds"


def _difference(last: Any) -> str:
    return "–" if pd.isna(last["difference"]) else f"{last['difference']:+z.1f}{_plus_minus(last['difference_error'])}"


def _plus_minus(error: float) -> str:
    """Nothing where the error is not known, as of one seed whose point is of one minibatch."""
    return "" if np.isnan(error) else f" ± {error:.1f}"


def _number(value: float, form: str) -> str:
    return "–" if np.isnan(value) else f"{value:{form}}"
