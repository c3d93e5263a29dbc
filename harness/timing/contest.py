"""Learners that took turns: how many samples a second, and how many times that of another, whatever the machine did."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from harness.store.columns import format_table
from harness.timing.intervals import Interval, of_median, of_ratio

BEST = ("graph", "fast")  # the project's single runs by hand, on a GPU and on a CPU
COLUMNS = ["device_type", "case", "learner", "samples_per_second", "low", "high", "ratio", "ratio_low", "ratio_high",
           "spent"]  # fmt: skip


def ratio_of(rates: Mapping[str, Sequence[float]], one: str, other: str) -> Interval:
    """One's rate over the other's: the median over rounds of the ratios within a round, with a 95 % interval."""
    return of_ratio([[math.log(a / b) for a, b in zip(rates[one], rates[other], strict=True)]])


def tabulate_contests(records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A row for each learner of each size, the fastest first.

    Args:
        records: of the suite "contest", as a device's file has them: samples per second of each round, by learner.

    Returns:
        `COLUMNS`: the kind of device, the case, such as "500/20", the learner ("GEMM": the matrix products of a step of
        AEVB alone), its samples per second with a 95 % interval, the rate of the project's own AEVB over it, likewise,
        and its part of the seconds that the contest took.
    """
    rows = []
    for each in records:
        rates: dict[str, list[float]] = each["rates"]
        best = next(name for name in BEST if name in rates)
        case = f"{'-'.join(map(str, each['hidden']))}/{each['n_latent']}"
        found = {name: (of_median(values), ratio_of(rates, best, name)) for name, values in rates.items()}
        spent = each["seconds"] / len(found)
        for name in sorted(found, key=lambda name: -found[name][0].median):
            rows.append((each["device_type"], case, name, *found[name][0], *found[name][1], spent))
    return pd.DataFrame(rows, columns=COLUMNS)


def cells(table: pd.DataFrame) -> pd.DataFrame:
    """The same as text, rates and ratios with their intervals."""
    over = "AEVB by hand over it"
    return pd.DataFrame({
        "case": table["case"],
        "learner": [NAMES.get(name, name) for name in table["learner"]],
        "samples/s": [f"{rate:,.0f}" for rate in table["samples_per_second"]],
        over: ["1" if name in BEST else f"{ratio:.3f} ({low:.3f}–{high:.3f})" for name, ratio, low, high
               in table[["learner", "ratio", "ratio_low", "ratio_high"]].to_numpy()],
    })  # fmt: skip


def format_contests(table: pd.DataFrame) -> str:
    """What is printed."""
    return format_table(cells(table))


def cost(table: pd.DataFrame, learner: str, case: str = "500/20") -> pd.Series | None:
    """A learner's row, whose `ratio` is a sample's time over that of one of AEVB's; None where it took no turns.

    Of several devices' the fastest.
    """
    found = table[(table["case"] == case) & (table["learner"] == learner)]
    return found.sort_values("samples_per_second").iloc[-1] if len(found) else None


NAMES = {
    "fast": "AEVB by hand",
    "graph": "AEVB by hand, as a graph",
    "reference": "AEVB by autograd, readable",
    "wake-sleep": "wake-sleep by hand",
    "MCEM": "Monte Carlo EM by hand",
    "bfloat16": "AEVB by hand in bfloat16",
    "GEMM": "AEVB's products alone",
    "stacked": "AEVB, a stack of runs",
    "stacked GEMM": "a stack's products alone",
}
