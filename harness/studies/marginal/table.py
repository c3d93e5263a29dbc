"""The marginal-likelihood study as a table, and what it says of the paper's claim."""

import math

import pandas as pd

CELL = ("bias", "spread", "without_estimate")
PAPERS_OWN, PAPER_SAMPLES = "appendix D", 50  # the estimator and the number of posterior samples of its figure 3


def format_study(table: pd.DataFrame) -> str:
    """Bias ± spread over datapoints in nats, for each estimator, effort and N_z; and a verdict on the paper's claim.

    In brackets, how many datapoints have no estimate and are left out.
    """
    sections = []
    for data, part in table.groupby("data", sort=False):
        cells = part.assign(cell=[_cell(*values) for values in zip(*(part[column] for column in CELL), strict=True)])
        wide = cells.pivot_table(
            index=["estimator", "effort"], columns="n_latent", values="cell", aggfunc="first", sort=False
        )
        wide.columns = pd.Index([f"N_z = {size}" for size in wide.columns])
        source = "MNIST test images" if data == "mnist" else "data simulated from the model"
        sections.append(f"estimate − exact log p(x), nats, mean ± spread over datapoints; {source}\n{wide.to_string()}")
    return "\n\n".join([*sections, verdict(table)])


def _cell(bias: float, spread: float, without_estimate: int) -> str:
    form = "{:+.2f} ± {:.2f}" if max(abs(bias), spread) < 1000 else "{:+.0e} ± {:.0e}"
    value = "–" if math.isnan(bias) else form.format(bias, spread)
    return f"{value} [{without_estimate}]" if without_estimate else value


def worst_errors(table: pd.DataFrame) -> pd.Series:
    """Bias or spread, whichever is larger, of the paper's own estimator with its 50 samples, nats, for each N_z.

    The worse kind of data counts, and no estimate is the worst.
    """
    paper = table[(table["estimator"] == PAPERS_OWN) & (table["effort"] == PAPER_SAMPLES)]
    off = paper[["bias", "spread"]].abs().max(axis=1, skipna=False).fillna(math.inf)
    return off.groupby(paper["n_latent"]).max()


def claim_holds(worst: pd.Series) -> bool:
    """Appendix D's estimator is off by less than 1 nat below five latent dimensions, and by more above."""
    below, above = worst[worst.index < 5], worst[worst.index > 5]
    return bool((below < 1).all() and (above >= 1).all())


def verdict(table: pd.DataFrame) -> str:
    """What `worst_errors` says of the paper's claim, in words."""
    worst = worst_errors(table)
    numbers = ", ".join(f"{off:.3g} at N_z = {size}" for size, off in worst.items())
    return (
        f"Claim: appendix D's estimator is good below 5 latent dimensions, unreliable above. Bias or spread, whichever "
        f"is larger, with {PAPER_SAMPLES} samples, nats: {numbers}. With 1 nat as the limit the claim "
        f"{'holds' if claim_holds(worst) else 'does not hold as stated'}."
    )
