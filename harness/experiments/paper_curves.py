"""The paper's own curves of figures 2 and 3, and the sample counts of their points."""

import numpy as np
import pandas as pd

from aevb import shipped
from aevb.errors import UserError
from harness.experiments.config import Config

COLUMNS = {
    2: ("dataset", "n_latent", "method", "split", "samples", "lower_bound"),
    3: ("dataset", "n_train", "method", "split", "samples", "marginal_log_likelihood"),
}


def read_published(figure: int) -> pd.DataFrame:
    """The paper's own curves of figure 2 or 3.

    Columns: dataset, n_latent or n_train, method, split, samples (training samples evaluated), and lower_bound or
    marginal_log_likelihood (nats per datapoint). Raises `UserError` when the file is missing or malformed.
    """
    if figure not in COLUMNS:
        raise UserError(f"The paper's curves exist for figures {sorted(COLUMNS)}, got figure {figure!r}.")
    path = shipped.PAPER / f"figure{figure}.csv"
    remedy = f"{shipped.restore('results/published')}."
    try:
        table = pd.read_csv(path)
    except FileNotFoundError as error:
        raise UserError(f"The paper's curves must be in {path}, but there is no such file: {remedy}") from error
    except (OSError, ValueError) as error:
        raise UserError(f"The paper's curves in {path} must be a readable CSV table, got {error}: {remedy}") from error
    if tuple(table.columns) != COLUMNS[figure]:
        expected, got = ", ".join(COLUMNS[figure]), ", ".join(map(str, table.columns))
        raise UserError(f"The paper's curves in {path} must have the columns {expected}, got {got}: {remedy}")
    numbers = table[[COLUMNS[figure][1], *COLUMNS[figure][-2:]]].apply(pd.to_numeric, errors="coerce").astype(float)
    bad = table.isna().any(axis=1) | ~np.isfinite(numbers).all(axis=1) | ~(numbers["samples"] > 0)
    if table.empty or bad.any():
        what = "no rows" if table.empty else f"{bad.sum()} incomplete, first on line {int(np.argmax(bad)) + 2}"
        raise UserError(
            f"The paper's curves in {path} must have complete rows with positive samples, got {what}: {remedy}"
        )
    return table


def paper_counts(config: Config) -> list[int]:
    """The sample counts at which the paper has a point of this run's curve; none where it has no such curve.

    With chains by the paper's timer, its points are continued to the left at the distance of the first two.

    Raises:
        UserError: the paper's curves are not there.
    """
    figure = 2 if config.measure == "lower_bound" else 3
    table = read_published(figure)
    for column in COLUMNS[figure][:3]:
        table = table[table[column] == getattr(config, column)]
    drawn = sorted({round(samples) for samples in table["samples"]})
    if config.posterior_chains != "paper_timer" or len(drawn) < 2:
        return drawn
    first, second = drawn[:2]
    return [*reversed(range(2 * first - second, 0, first - second)), *drawn]
