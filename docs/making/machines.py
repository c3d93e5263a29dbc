"""What was timed on each machine, on the docs' pages: computed from the published results."""

import json
from collections.abc import Callable

import pandas as pd

from aevb import shipped
from docs.making.markup import NONE_YET, fenced, markdown
from harness.figures.compare import label
from harness.timing import contest, race, step
from harness.timing.devices import read_contests, read_roofs, read_steps
from harness.timing.history import compare_commits, read_history
from harness.timing.roofline import format_roofs
from harness.timing.tables import format_times, readable


def times() -> str:
    """Time until a bound that all methods of a panel reach."""
    return fenced(format_times(pd.read_csv(shipped.RESULTS / "benchmarks" / "time_to_bound.csv")))


def benchmarks() -> str:
    """What was timed, for each machine that has published its times: a table of Markdown for each suite."""
    parts = []
    for path in sorted((shipped.RESULTS / "benchmarks").glob("*.json")):
        parts.append(f"### {json.loads(path.read_text())['environment']['device']}")
        table = readable(pd.read_csv(path.with_suffix(".csv"), dtype={"hidden": str}).fillna({"hidden": "–"}))
        table["method"] = table["method"].map(label)
        for suite, rows in table.groupby("suite", sort=False):
            shown = rows.drop(columns="suite").replace("nan", "–")
            shared = {name: shown[name].iloc[0] for name in shown if shown[name].nunique() == 1}
            said = ", ".join(f"{name} {value}" for name, value in shared.items() if value != "–")
            parts += [f"**{suite}** ({said})", markdown(shown.drop(columns=[*shared]))]
    return "\n\n".join(parts)


def roofs() -> str:
    """What bounds each machine that was timed."""
    found = read_roofs(shipped.RESULTS / "benchmarks")
    return _for_devices(found, lambda rows: markdown(format_roofs(rows)))


def contests() -> str:
    """Learners that took turns, for each machine on which they did."""
    return _for_devices(read_contests(shipped.RESULTS / "benchmarks"), lambda rows: markdown(contest.cells(rows)))


def steps() -> str:
    """Where a step's time goes, for each machine on which steps were taken apart."""
    return _for_devices(read_steps(shipped.RESULTS / "benchmarks"), lambda rows: markdown(step.cells(rows)))


def to_target() -> str:
    """Time to a target on each machine, and what is said of it."""
    path = shipped.RESULTS / "benchmarks" / "to_target.csv"
    if not path.exists():
        return NONE_YET
    return _for_devices(
        pd.read_csv(path), lambda rows: "\n\n".join([markdown(race.cells(rows)), *race.sentences(rows)])
    )


def history() -> str:
    """Rates of the last two commits of each machine; a sentence where none has two."""
    changes = compare_commits(read_history(shipped.RESULTS / "benchmarks"))
    return markdown(changes) if len(changes) else "No machine has published times of two commits yet."


def _for_devices(table: pd.DataFrame, form: Callable[[pd.DataFrame], str]) -> str:
    parts = [f"**{device}**\n\n{form(rows)}" for device, rows in table.groupby("device", sort=False)]
    return "\n\n".join(parts) or NONE_YET
