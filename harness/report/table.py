"""Tables of studies and benchmarks for the page."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from harness.figures.compare import scientific
from harness.report.charts.axis import MINUS
from harness.report.digits import tidy
from harness.store.tables import read_table
from harness.studies.marginal.table import with_spread
from harness.studies.reparameterization.table import (
    BASELINE,
    LARGE,
    NAIVE,
    PAPER_BATCH,
    PAPER_SAMPLES,
    A,
    B,
    at,
    with_error,
)
from harness.timing.tables import readable

MAX_ROWS, MAX_COLUMNS = 100, 14


@dataclass(frozen=True)
class Table:
    """Text cells.

    Attributes:
        title: what its caption names.
        columns: names.
        rows: text.
        source: id of where their numbers come from.
        left_out: rows that are not shown.
        caption: key of the caption in the page's text, where a section has several kinds of tables.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    source: str
    left_out: int = 0
    caption: str = ""

    @cached_property
    def words(self) -> list[bool]:
        """Which columns hold words, most of their cells; they may be names that the page has in both languages.

        A dash is neither: there is no value.
        """
        columns = [[cell for cell in column if cell != "–"] for column in zip(*self.rows, strict=True)]
        return [2 * sum(map(_numeric, cells)) < len(cells) for cells in columns] or [True] * len(self.columns)


def csv_table(path: Path, source: str, title: str = "") -> Table:
    """A CSV file as it is, numbers to four digits."""
    return _table(title or path.name, read_table(path), source)


def benchmark_table(cases: pd.DataFrame, source: str) -> Table:
    """What was timed on one device: see `harness.timing.devices.read_device`."""
    return _table(cases["device"].iloc[0], readable(cases), source)


def marginal_tables(table: pd.DataFrame, source: str) -> list[Table]:
    """Bias ± spread (nats) of each estimator of log p(x) and effort, against the size of z; one for each kind of data.

    In brackets, how many datapoints have no estimate.
    """
    tables = []
    for data, part in sorted(table.groupby("data")):
        cells = part.assign(cell=[_bias(*row) for row in part[["bias", "spread", "without_estimate"]].to_numpy()])
        wide = cells.pivot_table(
            index=["estimator", "effort"], columns="n_latent", values="cell", aggfunc="first", sort=False
        )
        rows = [
            [str(name), f"{effort:,}", *map(str, row)]
            for (name, effort), row in zip(wide.index, wide.to_numpy(), strict=True)
        ]
        columns = ["estimator", "effort", *(f"N_z = {size}" for size in wide.columns)]
        tables.append(Table(str(data), columns, rows, source))
    return tables


def variance_table(table: pd.DataFrame, source: str) -> Table:
    """Variance ± standard error of each estimator's gradient at each stage of training, for the paper's M and L."""
    return _by_stage(
        table, ("variance", "standard_error"), lambda variance, error: tidy(f"{variance:.3g} ± {error:.1g}"), source
    )


def ratio_table(table: pd.DataFrame, source: str) -> Table | None:
    """How many times estimator B's variance the others' are, ± standard error, at each stage of training.

    For the paper's M and L; None where the study has no ratios.
    """
    if "ratio_to_b" not in table:
        return None
    return _by_stage(
        table[table["estimator"].isin([NAIVE, BASELINE, A])], ("ratio_to_b", "ratio_error"), _times, source
    )


def noise_of_b(table: pd.DataFrame) -> tuple[str, str] | None:
    """Estimator B's variance at the first stage and at the last, for the paper's M and L.

    None where the score function's ratio to it is not first one of those that are printed as powers of ten.
    """
    ours, naive = (at(table, name, PAPER_SAMPLES, PAPER_BATCH) for name in (B, NAIVE))
    if "ratio_to_b" not in table or len(ours) < 2 or not naive["ratio_to_b"].iloc[0] >= LARGE:
        return None
    first, last = (scientific(float(f"{ours['variance'].iloc[k]:.0e}")) for k in (0, -1))
    return first, last


def _by_stage(table: pd.DataFrame, columns: tuple[str, str], text: Callable[[float, float], str], source: str) -> Table:
    """A number and its error as text, a row for each estimator and a column for each stage."""
    rows = table[(table["batch_size"] == PAPER_BATCH) & (table["n_samples"] == PAPER_SAMPLES)]
    cells = rows.assign(cell=[text(value, error) for value, error in rows[[*columns]].to_numpy()])
    wide = cells.pivot_table(index="estimator", columns="stage", values="cell", aggfunc="first", sort=False)
    content = [[str(name), *map(str, row)] for name, row in zip(wide.index, wide.to_numpy(), strict=True)]
    return Table("", ["estimator", *(f"{stage:,}" for stage in wide.columns)], content, source)


def _times(ratio: float, error: float) -> str:
    if ratio >= LARGE:
        return f"{scientific(ratio)} ± {scientific(float(f'{error:.0e}'))}"
    return with_error(ratio, error)


def text_table(title: str, content: pd.DataFrame, source: str, caption: str = "") -> Table:
    """Cells that are text already."""
    rows = [[tidy(str(cell)) for cell in row] for row in content.to_numpy()]
    return Table(title, [*content.columns], rows, source, caption=caption)


def _numeric(cell: str) -> bool:
    return cell.lstrip(f"+{MINUS}~")[:1].isdigit()


def number(value: Any) -> str:
    """A value as the page shows it."""
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return "–"
    text = f"{value:,}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"
    return text.removesuffix(".0").replace("-", MINUS)


def _table(title: str, content: pd.DataFrame, source: str) -> Table:
    shown = content.iloc[:MAX_ROWS, :MAX_COLUMNS]
    rows = [[tidy(number(value)) for value in row] for row in shown.itertuples(index=False)]
    return Table(title, [str(name) for name in shown.columns], rows, source, max(len(content) - MAX_ROWS, 0))


def _bias(bias: float, spread: float, without_estimate: float) -> str:
    if pd.isna(bias):
        return f"– [{without_estimate:.0f}]"
    value = tidy(with_spread(bias, spread))
    return f"{value} [{without_estimate:.0f}]" if without_estimate else value
