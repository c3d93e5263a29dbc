"""The task: measure the claims, write them, print the table and what is behind it."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from aevb.errors import UserError
from harness.claims.measure import Measured, from_json, measure_claims, to_json
from harness.claims.results import Results
from harness.claims.roster import AEVB_ITSELF, of_method
from harness.claims.text import (
    RULE,
    WIDTH,
    decided_by,
    format_details,
    format_table,
    hours,
    seeds,
)
from harness.experiments.paper import EXPERIMENTS
from harness.store.columns import fold
from harness.store.files import write_text
from harness.store.shelves import Shelves

FOLDER, STORED = "claims", "claims.json"


def show_claims(shelves: Shelves, protocol: str, names: Sequence[str], method: str = AEVB_ITSELF) -> None:
    """Measure these claims, or all, on what is stored and published, and print them; all are also written.

    With another method in AEVB's place they are those that are about AEVB among methods, and are printed alone.

    claims.json has every number, claims.csv a row for each claim.

    Args:
        shelves: where the results are, and where the files go.
        protocol: of the runs.
        names: of the claims; none for all.
        method: in AEVB's place.

    Raises:
        UserError: a claim is not about a method.
    """
    if method != AEVB_ITSELF:
        known = of_method(method)
        if others := [name for name in names if name not in known]:
            asked = f"asks {', '.join(known)}" if known else "asks no claim"
            raise UserError(
                f"--claims --method {method} {asked}, in which it can stand in AEVB's place beside the other methods, "
                f"got {', '.join(others)}: leave them out"
            )
        if not known:
            raise UserError(f"--claims asks a method in AEVB's place, got {method}, which has none: name another")
        names = names or known
    claims = measure_claims(Results(shelves, protocol, method), names)
    curves = [(figure, shelves.curves(figure, protocol, {})) for figure in EXPERIMENTS.values()]
    shorter = [fold(told, WIDTH) for figure, runs in curves if (told := shelves.outreached(figure, protocol, runs))]
    print("\n\n".join([format_table(claims), format_details(claims), fold(RULE, WIDTH), *shorter]))
    if names:
        return
    folder = shelves.own / FOLDER
    write_text(folder / STORED, to_json(claims))
    write_text(folder / "claims.csv", tabulate(claims).to_csv(index=False))
    for name in (STORED, "claims.csv"):
        print(f"wrote {folder / name}")


def tabulate(claims: Sequence[Measured]) -> pd.DataFrame:
    """As text, a row for each claim: verdict, id, claim, where, criterion, decided by, seeds, core-hours, GPU-hours,
    commands."""
    rows = [
        {
            "verdict": claim.verdict,
            "id": claim.id,
            "claim": claim.title,
            "where": claim.where,
            "criterion": claim.criterion,
            "decided by": decided_by(claim),
            "seeds": seeds(claim),
            "core-hours": hours(claim.core_hours),
            "GPU-hours": hours(claim.gpu_hours),
            "commands": "; ".join(claim.commands),
        }
        for claim in claims
    ]
    return pd.DataFrame(rows)


def published_claims(results: Path) -> list[Measured]:
    """What was written to these results.

    Raises:
        UserError: the file is damaged, or not there.
    """
    return from_json(results / FOLDER / STORED)
