"""The marginal-likelihood study as a table, and what it says of the paper's claim."""

import math

import numpy as np
import pandas as pd

from harness.store.columns import format_sections, paragraph
from harness.studies.verdict import above, below, every, holds, mean_and_error

CELL = ("bias", "spread", "without_estimate")
PAPERS_OWN, PAPER_SAMPLES = "appendix D", 50  # the estimator and the number of posterior samples of its figure 3
NATS = 1.0  # what the paper's noise limit is taken to be


def format_study(table: pd.DataFrame) -> str:
    """Bias ± spread over datapoints in nats, for each estimator, effort and N_z; and a verdict on the paper's claim.

    In brackets, how many datapoints have no estimate and are left out.
    """
    sections = []
    for data, part in first_seed(table).groupby("data", sort=False):
        cells = part.assign(cell=[_cell(*values) for values in zip(*(part[column] for column in CELL), strict=True)])
        wide = cells.pivot_table(
            index=["estimator", "effort"], columns="n_latent", values="cell", aggfunc="first", sort=False
        )
        wide.columns = pd.Index([f"N_z = {size}" for size in wide.columns])
        source = "MNIST test images" if data == "mnist" else "data simulated from the model"
        title = paragraph(f"estimate − exact log p(x), nats, mean ± spread over datapoints; {source}")
        rows = wide.reset_index()
        sections.append(f"{title}\n{format_sections(rows.pop('estimator').tolist(), rows)}")
    return "\n\n".join([*sections, paragraph(verdict(table))])


def first_seed(table: pd.DataFrame) -> pd.DataFrame:
    """What every estimator has; the paper's own is measured again with further seeds, for the verdict alone."""
    return table[table["seed"] == 0] if "seed" in table else table


def _cell(bias: float, spread: float, without_estimate: int) -> str:
    largest = max(abs(bias), spread)
    form = "{:+.2f} ± {:.2f}" if largest < 10 else "{:+.0f} ± {:.0f}" if largest < 1000 else "{:+.0e} ± {:.0e}"
    value = "–" if math.isnan(bias) else form.format(bias, spread)
    return f"{value} [{without_estimate}]" if without_estimate else value


def worst_errors(table: pd.DataFrame) -> pd.DataFrame:
    """Bias or spread, whichever is larger, of the paper's own estimator with its 50 samples, nats, for each N_z.

    The worse kind of data counts, and no estimate is the worst.

    Returns:
        Columns `off` and `error`, by N_z. With several seeds the mean over them and its standard error. With one, the
        standard error of the bias, or the spread's: from the fourth moment if the table has it (`spread_error`), else
        as if errors were normal, spread/√(2n).
    """
    paper = table[(table["estimator"] == PAPERS_OWN) & (table["effort"] == PAPER_SAMPLES)]
    rows = pd.DataFrame(
        [_off(row) for _, row in paper.iterrows()], columns=["n_latent", "data", "seed", "off", "error"]
    )
    kinds = [
        {"n_latent": size, "off": off, "error": error}
        for (size, _), part in rows.groupby(["n_latent", "data"])
        for off, error in [_over_seeds(part)]
    ]
    worst = pd.DataFrame(kinds, columns=["n_latent", "off", "error"]).sort_values("off", kind="stable")
    return worst.drop_duplicates("n_latent", keep="last").set_index("n_latent").sort_index()


def _off(row: pd.Series) -> tuple[object, ...]:
    bias, spread, bias_error = (float(row[column]) for column in ("bias", "spread", "standard_error"))
    if math.isnan(bias) or math.isnan(spread):
        off, error = math.inf, math.nan
    elif abs(bias) > spread:
        off, error = abs(bias), bias_error
    else:
        off, error = spread, float(row.get("spread_error", bias_error / math.sqrt(2)))
    return row["n_latent"], row.get("data", ""), row.get("seed", 0), off, error


def _over_seeds(rows: pd.DataFrame) -> tuple[float, float]:
    if len(rows) == 1:
        return float(rows["off"].iloc[0]), float(rows["error"].iloc[0])
    return (math.inf, math.nan) if np.isinf(rows["off"]).any() else mean_and_error(rows["off"])


def claim_holds(worst: pd.DataFrame) -> bool | None:
    """Appendix D's estimator is off by less than 1 nat below five latent dimensions, and by more above.

    None: undecided.
    """
    sizes, offs, errors = worst.index, worst["off"], worst["error"]
    few = [below(off, error, NATS) for size, off, error in zip(sizes, offs, errors, strict=True) if size < 5]
    many = [above(off, error, NATS) for size, off, error in zip(sizes, offs, errors, strict=True) if size > 5]
    return every(few + many)


def verdict(table: pd.DataFrame) -> str:
    """What `worst_errors` says of the paper's claim, in words."""
    worst = worst_errors(table)
    numbers = ", ".join(f"{_with_error(row['off'], row['error'])} at N_z = {size}" for size, row in worst.iterrows())
    return (
        f"Claim: appendix D's estimator is good below 5 latent dimensions, unreliable above. Bias or spread, whichever "
        f"is larger, with {PAPER_SAMPLES} samples, nats ± standard error: {numbers}. With {NATS:g} nat as the limit "
        f"the claim {holds(claim_holds(worst))}."
    )


def _with_error(off: float, error: float) -> str:
    return f"{off:.3g}" if math.isnan(error) else f"{off:.3g} ± {error:.1g}"
