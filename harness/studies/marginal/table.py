"""The marginal-likelihood study as a table, and what it says of the paper's claim."""

import math
from collections.abc import Mapping

import pandas as pd

from harness.store.columns import format_sections, paragraph
from harness.studies.estimate import Estimate, mean
from harness.studies.verdict import every, holds

CELL = ("bias", "spread", "without_estimate")
PAPERS_OWN, PAPER_SAMPLES = "appendix D", 50  # the estimator and the number of posterior samples of its figure 3
EACH_HALF = 2 * PAPER_SAMPLES  # the text can be read as so many to fit q, and as many new ones to plug in
NATS = 1.0  # what the paper's noise limit is taken to be
# Those that are drawn, a panel each; AIS with both of its bounds.
ESTIMATORS = (PAPERS_OWN, "appendix D, shrunk KDE", "appendix D, Gaussian", "importance sampling", "AIS")
LINEAR, LIMIT = 0.1, 40.0  # nats, up to which the axis is linear, and where it ends


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


def rows_of(table: pd.DataFrame, data: str, estimator: str) -> pd.DataFrame:
    """Those of one of `ESTIMATORS` on one kind of data."""
    names = table["estimator"]
    its = names.str.startswith(estimator) if estimator == "AIS" else names == estimator
    return table[(table["data"] == data) & its]


def with_spread(bias: float, spread: float) -> str:
    """Mean ± spread over datapoints, nats, for the page; powers of ten where one is of a thousand or more."""
    form = "{:+z.2f} ± {:.2f}" if max(abs(bias), spread) < 1000 else "{:+.0e} ± {:.0e}"
    return form.format(bias, spread)


def _cell(bias: float, spread: float, without_estimate: int) -> str:
    largest = max(abs(bias), spread)
    places = 2 if largest < 2 else 1 if largest < 10 else 0
    form = f"{{:+.{places}f}} ± {{:.{places}f}}" if largest < 1000 else "{:+.0e} ± {:.0e}"
    value = "–" if math.isnan(bias) else form.format(bias, spread)
    return f"{value} [{without_estimate}]" if without_estimate else value


def worst_errors(table: pd.DataFrame, effort: int = PAPER_SAMPLES) -> dict[int, Estimate]:
    """Bias or spread, whichever is larger, of the paper's own estimator with so many samples, nats, for each N_z.

    The worse kind of data counts, and no estimate is the worst.

    Returns:
        With several seeds the mean over them. With one, the standard error is the bias's, or the spread's: from the
        fourth moment if the table has it (`spread_error`), else as if errors were normal, spread/√(2n).
    """
    paper = table[(table["estimator"] == PAPERS_OWN) & (table["effort"] == effort)]
    worst: dict[int, Estimate] = {}
    for size, kinds in paper.groupby("n_latent"):
        of_kinds = [_over_seeds(rows) for _, rows in kinds.groupby("data")] if "data" in kinds else [_over_seeds(kinds)]
        worst[int(str(size))] = max(of_kinds, key=lambda kind: kind.value)
    return worst


def _over_seeds(rows: pd.DataFrame) -> Estimate:
    found = [_off(row) for _, row in rows.iterrows()]
    if len(found) == 1:
        return found[0]
    values = [each.value for each in found]
    return Estimate(math.inf, math.nan, math.nan, len(found)) if math.inf in values else mean(values)


def _off(row: pd.Series) -> Estimate:
    bias, spread, bias_error = (float(row[column]) for column in ("bias", "spread", "standard_error"))
    if math.isnan(bias) or math.isnan(spread):
        return Estimate(math.inf, math.nan, math.inf, 1)
    if abs(bias) > spread:
        return Estimate(abs(bias), bias_error, math.inf, 1)
    return Estimate(spread, float(row.get("spread_error", bias_error / math.sqrt(2))), math.inf, 1)


def claim_holds(worst: Mapping[int, Estimate]) -> bool | None:
    """Appendix D's estimator is off by less than 1 nat below five latent dimensions, and by more above.

    None: undecided.
    """
    few = [off.below(NATS) for size, off in worst.items() if size < 5]
    many = [off.above(NATS) for size, off in worst.items() if size > 5]
    return every(few + many)


def verdict(table: pd.DataFrame) -> str:
    """What `worst_errors` says of the paper's claim, in words."""
    worst, each_half = worst_errors(table), worst_errors(table, EACH_HALF)
    other = (
        f" With as many samples for each half, as the text can be read too: {_by_size(each_half)}; the claim then "
        f"{holds(claim_holds(each_half))}."
    )
    return (
        "Claim: with enough samples appendix D's estimator is good below 5 latent dimensions, and unreliable above. "
        f"Bias or spread, whichever is larger, with the {PAPER_SAMPLES} samples of figure 3, mean over seeds, nats ± "
        f"standard error: {_by_size(worst)}. With {NATS:g} nat as the limit the claim {holds(claim_holds(worst))}."
    ) + (other if each_half else "")


def _by_size(worst: Mapping[int, Estimate]) -> str:
    return ", ".join(f"{_with_error(off)} at N_z = {size}" for size, off in worst.items())


def _with_error(off: Estimate) -> str:
    return f"{off.value:.3g}" if math.isnan(off.standard_error) else f"{off.value:.3g} ± {off.standard_error:.1g}"
