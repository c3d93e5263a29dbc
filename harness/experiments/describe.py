"""A protocol's choices as a table for people: values, how they are known, and why."""

import sys
from typing import Any

import pandas as pd

from harness.experiments.choices import EVIDENCE, PROTOCOLS, Choice

# Fields that tell runs apart, as people say it.
RUNS = {
    "dataset": {"mnist": "MNIST", "frey_face": "Frey Face"},
    "method": {"aevb": "AEVB", "wake_sleep": "wake-sleep", "mcem": "Monte Carlo EM"},
    "measure": {"lower_bound": "figure 2", "marginal_log_likelihood": "figure 3"},
}


def choices_table(protocol: str) -> pd.DataFrame:
    """A row for each choice of a protocol: runs, values, evidence and why."""
    return pd.DataFrame(
        {
            "runs": _runs(choice),
            "values": ", ".join(f"{name} = {_value(value)}" for name, value in choice.fields.items()),
            "known from": ", ".join(choice.evidence),
            "why": choice.why,
        }
        for choice in PROTOCOLS[protocol]
    )


def choices_markdown(protocol: str) -> str:
    """The same as a table in Markdown."""
    table = choices_table(protocol)
    rows = [table.columns.tolist(), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def document() -> str:
    """docs/protocol.md: every choice of both protocols, with its evidence."""
    meanings = "\n".join(f"- **{name}**: {meaning}." for name, meaning in EVIDENCE.items())
    parts = [
        "# What the paper did, and how we know",
        "The paper's text leaves much open that its curves depend on. Each choice below stands beside how it is known:",
        meanings,
        "What is known from **fit** alone was chosen to agree with the paper's curves: agreement there is no\n"
        "independent evidence. A later row wins over an earlier one. Any value can be changed by name, as in\n"
        "`--protocol author+estimator=b`; what each change is worth, `python reproduce.py --study choices` measures.",
        *(f"## Protocol `{name}`\n\n{choices_markdown(name)}" for name in PROTOCOLS),
        "This file is written by `python -m harness.experiments.describe`.",
    ]
    return "\n\n".join(parts) + "\n"


def _runs(choice: Choice) -> str:
    if not choice.where:
        return "all"
    where = dict(choice.where)
    named = [RUNS[name][where.pop(name)] for name in ("measure", "dataset", "method") if name in where]
    symbols = {"n_latent": "N_z", "n_train": "N"}
    return ", ".join([*named, *(f"{symbols[name]} = {value:,}" for name, value in where.items())])


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(list(value)) if isinstance(value, tuple) else str(value)


if __name__ == "__main__":
    sys.stdout.write(document())
