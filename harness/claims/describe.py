"""docs/claims.md: every published claim with its criterion and all its numbers."""

import sys
from collections.abc import Sequence

from aevb import shipped
from harness.claims.item import Item
from harness.claims.measure import Measured
from harness.claims.show import published_claims
from harness.claims.text import RULE, cost, hours, number, on_the_whole, place, seeds, value, wanted


def document(claims: Sequence[Measured]) -> str:
    """The whole file."""
    heads = ("verdict", "claim", "", "seeds", "core-hours", "GPU-hours")
    rows = [
        (claim.verdict, f"[{claim.id}](#{_anchor(claim)})", claim.title, seeds(claim), hours(claim.core_hours),
         hours(claim.gpu_hours))
        for claim in claims
    ]  # fmt: skip
    parts = [
        "# What the paper claims, and whether it holds",
        f"{RULE} A claim holds where all of its numbers are where it wants them, and does not where one is not, even "
        "if its error is widened for its being one of so many (Bonferroni's bound). ± is one standard error. Numbers "
        "in *italics* are told and decide nothing. Seeds are the fewest of the curves behind a number. Where the same "
        "can be read from the paper's own curves, it stands beside ours. Core-hours are those of the runs as they are "
        "stored and a CPU computed them, GPU-hours those of the others, which on a CPU would take far more. Criteria "
        "were written down before the numbers; where one was not, its claim says so.",
        f"{on_the_whole(claims)}.",
        _table(heads, rows),
        *(_section(claim) for claim in claims),
        "This file is written by `python -m harness.claims.describe`, from what `python reproduce.py --claims "
        "--results results/reference` has measured.",
    ]
    return "\n\n".join(parts) + "\n"


def _section(claim: Measured) -> str:
    commands = "; ".join(f"`python reproduce.py {options}`" for options in claim.commands)
    return "\n\n".join(
        [
            f"## {_heading(claim)}",
            f"**{claim.verdict}.** {claim.sentence} ({claim.where})",
            f"Holds if: {claim.criterion}",
            *([claim.note] if claim.note else []),
            _table(
                ("number", "at", "measured", "seeds", "wanted", "verdict", "paper's curves", ""),
                [_row(item) for item in claim.items],
            ),
            f"Measured by {commands}; {cost(claim)}.",
        ]
    )


def _row(item: Item) -> tuple[str, ...]:
    style = "{}" if item.decides else "*{}*"
    return (
        style.format(item.name),
        place(item).strip().removeprefix("at "),
        value(item),
        str(item.seeds or "–"),
        wanted(item) if item.decides else "",
        item.verdict if item.decides else "",
        "" if item.paper != item.paper else number(item.paper),
        item.note,
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _heading(claim: Measured) -> str:
    return f"{claim.id} {claim.title}"


def _anchor(claim: Measured) -> str:
    """As GitHub makes it of the heading."""
    kept = "".join(letter for letter in _heading(claim).lower() if letter.isalnum() or letter in " -_")
    return kept.replace(" ", "-")


if __name__ == "__main__":
    sys.stdout.write(document(published_claims(shipped.RESULTS)))
