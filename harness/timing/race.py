"""What ten seeds say of the time to a target: medians with their intervals, the ratio of two methods, and a verdict."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from harness.figures.compare import label
from harness.store.columns import fold, format_table
from harness.studies.estimate import mean
from harness.studies.verdict import holds
from harness.timing.intervals import Interval, of_median, of_ratio

COLUMNS = (
    *("device", "dataset", "n_latent", "method", "seed", "target", "samples", "seconds"),
    *("end_samples", "end_seconds", "longest", "commit"),
)
COUNTED = ("samples", "seconds")
ONE, OTHER = "aevb", "wake_sleep"


class Ratio(NamedTuple):
    """AEVB's over wake-sleep's, seed by seed: the median with its interval, and whether AEVB needs less."""

    counted: str
    median: Interval
    verdict: str


def medians(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each method: how many seeds have reached the target, and medians with their intervals.

    A seed that does not reach it counts with infinite samples and seconds; none is left out.

    Args:
        table: of one device, what `harness.timing.to_target` writes.
    """
    rows = []
    for method, runs in table.groupby("method", sort=False):
        row = {"method": method, "seeds": len(runs), "reached": int(np.isfinite(runs["samples"]).sum())}
        for name in COUNTED:
            interval = of_median(runs[name].tolist())
            row |= {name: interval.median, f"{name}_low": interval.low, f"{name}_high": interval.high}
        rows.append(row)
    return pd.DataFrame(rows)


def ratios(table: pd.DataFrame) -> list[Ratio]:
    """Of samples and of seconds; none where one of the two methods is missing.

    The verdict is by the one rule of all verdicts, on the mean logarithm over seeds: AEVB needs less where it is below
    0 by two standard errors, widened for so few seeds. A run that has not reached the target counts there with as much
    as it has spent, which is less than it needs: the verdict is undecided where more could turn it.
    """
    found = []
    for name in COUNTED:
        wide = table.pivot_table(index="seed", columns="method", values=[name, f"end_{name}"], aggfunc="last")
        if not {ONE, OTHER} <= {*table["method"]}:
            return []
        reached = wide[name]
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log((reached[ONE] / reached[OTHER]).to_numpy())
        spent = reached.where(np.isfinite(reached), wide[f"end_{name}"])
        answer = mean(np.log(spent[ONE] / spent[OTHER])).below(0.0)
        late = OTHER if answer is False else ONE
        if not np.isfinite(reached[late]).all():
            answer = None
        interval = Interval(np.nan, np.nan, np.nan) if np.isnan(logs).any() else of_ratio(logs[:, None].tolist())
        found.append(Ratio(name, interval, holds(answer)))
    return found


def cells(table: pd.DataFrame) -> pd.DataFrame:
    """Text: a row for each method, then the ratio of the two."""
    rows = [
        {"": label(row["method"]), "reached": f"{row['reached']} of {row['seeds']}",
         **{name: _told(row[name], row[f"{name}_low"], row[f"{name}_high"], form)
            for name, form in zip(COUNTED, ("{:,.0f}", "{:.1f}"), strict=True)}}
        for row in medians(table).to_dict("records")
    ]  # fmt: skip
    found = ratios(table)
    if found:
        over = f"{label(ONE)} / {label(OTHER)}"
        rows.append({"": over, "reached": "", **{each.counted: _told(*each.median, "{:.2f}") for each in found}})
    return pd.DataFrame(rows)


def _told(median: float, low: float, high: float, form: str) -> str:
    if np.isnan(median):
        return "–"
    return f"{form.format(median)} ({form.format(low)}–{form.format(high)})".replace("inf", "∞")


def sentences(table: pd.DataFrame) -> list[str]:
    """The target, and a verdict for samples and for seconds."""
    row = table.iloc[0]
    panel = f"{label(str(row['dataset']))}, N_z = {row['n_latent']}"
    target = f"test bound of {row['target']:g} nats, {panel}, within {row['longest']:,} samples"
    verdicts = [
        f"That {label(ONE)} needs fewer {each.counted} than {label(OTHER)} {each.verdict}." for each in ratios(table)
    ]
    return [f"Target: {target}; medians over seeds with 95 % intervals.", *verdicts]


def format_race(table: pd.DataFrame) -> str:
    """What is printed of one device."""
    return "\n".join([format_table(cells(table)), *map(fold, sentences(table))])
