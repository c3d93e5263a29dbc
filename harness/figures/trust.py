"""What stands behind the curves of figure 3: points without an estimate, and chains that do not move."""

from collections.abc import Sequence

import pandas as pd

from harness.store.columns import format_table

COLUMNS = {
    "without_estimate": "no estimate",
    "untrusted": "untrusted",
    "training_acceptance": "acceptance",
    "training_stuck": "stuck",
    "training_non_finite": "non-finite",
}


def format_trust(curves: pd.DataFrame, key: Sequence[str]) -> str:
    """A line for each curve at its last logged point, as a plain table.

    no estimate, untrusted: evaluated points whose log p(x) has no value, or one not to be trusted; the mean is over
    those that have one. acceptance, stuck, non-finite: Monte Carlo EM's training chains since the last logged point,
    mean accept probability, chains that never moved, proposals without a finite density.
    """
    last = curves.sort_values("samples").groupby([*key, "split", "seed"], sort=True).tail(1)
    table = last.reindex(columns=[*key, "split", "seed", "samples", *COLUMNS]).sort_values([*key, "split", "seed"])
    for column in COLUMNS:
        form = "{:.2f}" if column == "training_acceptance" else "{:.0f}"
        table[column] = [("–" if pd.isna(value) else form.format(value)) for value in table[column]]
    heading = "at the last logged point: evaluated points, and Monte Carlo EM's training chains"
    return f"{heading}\n{format_table(table.rename(columns=COLUMNS))}"
