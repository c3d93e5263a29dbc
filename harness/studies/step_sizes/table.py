"""The paper's rule for the step size, as a table: what it picks, and what the protocol has."""

import math

import numpy as np
import pandas as pd

from harness.experiments.protocols import protocol_config
from harness.figures.compare import label, ranked
from harness.store.columns import paragraph
from harness.studies.verdict import above, widened

CURVE = ["measure", "dataset", "n_train", "n_latent", "method"]


def picks(table: pd.DataFrame) -> pd.DataFrame:
    """What the rule picks for each curve after each number of iterations.

    Columns: those that name a curve, iterations, pick (the step size with the highest mean bound over seeds; what is
    not finite loses), lead (of its bound over the next best, mean over pairs of equal seeds, nats) with lead_error (its
    standard error, NaN for one seed), decided (by the rule of `harness.studies.verdict`) and protocol (the author
    protocol's η).
    """
    rows = []
    for name, curve in table.groupby([*CURVE, "iterations"]):
        bounds = curve.pivot_table(index="seed", columns="step_size", values="bound", dropna=False)
        bounds = bounds.where(np.isfinite(bounds), -np.inf)
        order = bounds.mean().sort_values(ascending=False).index
        lead = (bounds[order[0]] - bounds[order[1]]).to_numpy()
        lead = lead[np.isfinite(lead)] if np.isfinite(lead).any() else np.array([math.inf])
        error = float(lead.std(ddof=1) / math.sqrt(len(lead))) if len(lead) > 1 else math.nan
        fields = dict(zip(CURVE, name, strict=False))
        dataset = str(fields.pop("dataset"))
        protocol = protocol_config("author", dataset, seed=0, **fields).step_size
        mean = float(lead.mean())
        sure = above(mean, widened(error, len(lead) - 1), 0.0) is True or math.isinf(float(bounds[order[1]].mean()))
        rows.append((*name, order[0], mean, error, sure, protocol))
    columns = [*CURVE, "iterations", "pick", "lead", "lead_error", "decided", "protocol"]
    return pd.DataFrame(rows, columns=columns).sort_values([*CURVE, "iterations"], key=ranked, ignore_index=True)


def format_step_sizes(table: pd.DataFrame) -> str:
    """A row for each curve: what the rule picks after each number of iterations; a mark where the lead is undecided."""
    found = picks(table)
    text = [
        "The step size that leads in the training bound after so many iterations, and",
        "that of protocol author; ? where its lead is within two standard errors, which",
        "are widened for few seeds. Monte Carlo EM has no bound to compare.",
    ]
    return "\n".join([*text, cells(found).to_string(index=False), *map(paragraph, verdicts(found))])


def cells(found: pd.DataFrame) -> pd.DataFrame:
    """What `picks` found as text cells, a row for each curve."""
    rows = []
    for name, curve in found.groupby(CURVE, sort=False):
        fields = dict(zip(CURVE, name, strict=True))
        figure2 = fields["measure"] == "lower_bound"
        size = f"N_z = {fields['n_latent']}" if figure2 else f"N = {fields['n_train']:,}"
        cells = {
            f"{n:,}": f"{pick:g}{'' if sure else '?'}"
            for n, pick, sure in zip(curve["iterations"], curve["pick"], curve["decided"], strict=True)
        }
        rows.append(
            {
                "figure": 2 if figure2 else 3,
                "dataset": label(str(fields["dataset"])),
                "panel": size,
                "method": label(str(fields["method"])),
                **cells,
                "protocol": f"{curve['protocol'].iloc[0]:g}",
            }
        )
    return pd.DataFrame(rows)


def verdicts(found: pd.DataFrame) -> list[str]:
    """How often the rule picks what the protocol has: of all curves, and of those whose lead is decided."""
    return [
        f"After {n:,} iterations it picks the protocol's η for {_hits(part)} of {len(part)} curves; of the "
        f"{len(sure)} without ?, for {_hits(sure)}."
        for n in sorted(found["iterations"].unique())
        for part in [found[found["iterations"] == n]]
        for sure in [part[part["decided"]]]
    ]


def _hits(found: pd.DataFrame) -> int:
    return int((found["pick"] == found["protocol"]).sum())
