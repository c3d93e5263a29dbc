"""A base commit and the working tree, measured in turns: which cases are slower, faster, or not to be told apart.

On a shared machine no time says much, but two processes that take turns every few hundredths of a second share
whatever happens to it: the ratio of neighbouring times is what is looked at, and the median of many.
"""

import json
import math
import random
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from aevb import shipped
from harness.store.checkout import ROOT, find_commit, worktree
from harness.store.columns import fold, format_table
from harness.store.environment import describe
from harness.store.files import check_writable, write_text
from harness.store.machine import fingerprint, title
from harness.timing.intervals import of_ratio
from harness.timing.journal import NAME as UNFINISHED
from harness.timing.journal import Journal, alone, measured_with
from harness.timing.trees import Tree
from harness.timing.verdict import MARGIN, SEEN, is_known, judge
from harness.workers.progress import duration

SECONDS_OF_A_BLOCK = 0.04
ROUNDS = 8  # of a launch
FEWEST_LAUNCHES, MOST_LAUNCHES = 10, 30
MOST_SECONDS = 300.0  # after which no launch begins, once there are the fewest

Times = dict[str, list[list[tuple[float, float]]]]
"""For each case and launch, each round's seconds for one piece of work: of the base, and of the tree."""


def show_against(commit: str, results: Path) -> bool:
    """Measure, print the table, and write it to `benchmarks/against` in the results.

    Returns:
        No case is slower than at the commit.

    Raises:
        UserError: this is no checkout, or has no such commit, one of the trees cannot be measured, or another command
            measures for the folder.
    """
    shipped.need_checkout("--benchmark")
    name = find_commit(ROOT, commit)
    folder = results / "benchmarks" / "against"
    check_writable(folder)
    with alone(folder):
        with ExitStack() as stack:
            base = stack.enter_context(Tree(stack.enter_context(worktree(ROOT, name)), f"commit {name[:12]}"))
            tree = stack.enter_context(Tree(ROOT, "this tree"))
            journal = Journal(folder / f".{name[:12]}{UNFINISHED}", {"base": name, **measured_with("cpu")})
            stack.callback(journal.close)
            told = filter(None, [f"{len(journal.lines)} launches are done", journal.anew])
            if journal.lines or journal.anew:
                print("; ".join(told), file=sys.stderr)
            times = measure(base, tree, journal=journal)
        table = compare(times)
        environment = describe(torch.device("cpu")) | {"base": name, "machine": fingerprint()}
        print("\n" + fold(f"time of this tree over that of commit {name[:12]}, one core of {title(environment)}"))
        print(format_comparison(table))
        stem = folder / name[:12]
        content = {"environment": environment, "compared": table.to_dict("records")}
        write_text(stem.with_suffix(".json"), json.dumps(content, indent=1))
        write_text(stem.with_suffix(".csv"), table.to_csv(index=False))
        journal.remove()
        print(f"wrote {stem.with_suffix('.json')}\nwrote {stem.with_suffix('.csv')}")
    return "slower" not in set(table["verdict"])


def measure(
    base: Tree,
    tree: Tree,
    *,
    fewest: int = FEWEST_LAUNCHES,
    most: int = MOST_LAUNCHES,
    only: Sequence[str] = (),
    journal: Journal | None = None,
) -> Times:
    """Launch after launch of both, each of the cases that are not known well enough, until there have been many.

    Args:
        base: what is compared with.
        tree: what is compared.
        fewest: launches of every case.
        most: launches at most.
        only: cases to measure; all where none is named.
        journal: of launches; those that it has need not be made.
    """
    launches: list[Mapping[str, Any]] = [*journal.lines] if journal else []
    sizes: dict[str, int] = {}
    while len(launches) < fewest or (len(launches) < most and (only := _left(launches))):
        launches.append(_launch(base, tree, sizes, only, random.Random(len(launches))))
        if journal:
            journal.add(launches[-1])
        told = f"[{len(launches)}/{fewest} to {most}] launches, {duration(_spent(launches))}"
        print(told, file=sys.stderr, flush=True)
    return _by_case(launches)


def _launch(
    base: Tree, tree: Tree, sizes: dict[str, int], only: Sequence[str], order: random.Random
) -> Mapping[str, Any]:
    """One of both trees: each case's pairs of seconds, round by round, and the seconds of it all."""
    began = time.monotonic()
    known, there = base.launch(), tree.launch()
    cases = [case for case in known if case in there and (not only or case in only)]
    times: dict[str, list[tuple[float, float]]] = {case: [] for case in cases}
    for case in cases:
        if case not in sizes:
            sizes[case] = _size(base, case)
        for side in (base, tree):
            side.run(case, sizes[case])  # warm-up
    for _ in range(ROUNDS):
        for case in cases:
            turns = [base, tree] if order.random() < 0.5 else [tree, base]
            seconds = {side: side.run(case, sizes[case]) / sizes[case] for side in turns}
            times[case].append((seconds[base], seconds[tree]))
    for side in (base, tree):
        side.end()
    return {"times": times, "seconds": time.monotonic() - began}


def _by_case(launches: Sequence[Mapping[str, Any]]) -> Times:
    times: Times = {}
    for launch in launches:
        for case, rounds in launch["times"].items():
            times.setdefault(case, []).append([(base, tree) for base, tree in rounds])
    return times


def _spent(launches: Sequence[Mapping[str, Any]]) -> float:
    return sum(launch["seconds"] for launch in launches)


def _left(launches: Sequence[Mapping[str, Any]]) -> list[str]:
    """Cases that are to be measured further."""
    if _spent(launches) > MOST_SECONDS:
        return []
    return [case for case, rounds in _by_case(launches).items() if not is_known(_ratio(rounds))]


def _size(tree: Tree, case: str) -> int:
    """How often a block does a case's work; the first time is not like the others."""
    tree.run(case, 1)
    return max(1, round(SECONDS_OF_A_BLOCK / tree.run(case, 1)))


def _ratio(launches: Sequence[Sequence[tuple[float, float]]]) -> Any:
    return of_ratio([[math.log(tree / base) for base, tree in rounds] for rounds in launches])


def compare(times: Mapping[str, Sequence[Sequence[tuple[float, float]]]]) -> pd.DataFrame:
    """A row for each case: seconds, their ratio with its 95 % interval, and what that says."""
    rows = []
    for case, launches in times.items():
        ratio = _ratio(launches)
        pairs = [pair for rounds in launches for pair in rounds]
        base, tree = (statistics.median(side) for side in zip(*pairs, strict=True))
        rows.append({"case": case, "base_seconds": base, "seconds": tree, "ratio": ratio.median, "low": ratio.low,
                     "high": ratio.high, "verdict": judge(ratio), "launches": len(launches), "rounds": len(pairs),
                     "noisy": ratio.half_width > SEEN})  # fmt: skip
    return pd.DataFrame(rows)


def format_comparison(table: pd.DataFrame) -> str:
    """The table as it is printed, and what to know of it."""
    shown = pd.DataFrame(
        {
            "case": table["case"],
            "base, ms": table["base_seconds"].mul(1e3).map("{:.2f}".format),
            "now, ms": table["seconds"].mul(1e3).map("{:.2f}".format),
            "ratio": table["ratio"].map("{:.3f}".format),
            "95 % interval": [f"{low:.3f}–{high:.3f}" for low, high in zip(table["low"], table["high"], strict=True)],
            "": table["verdict"] + table["noisy"].map({True: " !", False: ""}),
        }
    )
    told = [
        f"medians of {_range(table['rounds'])} pairs in {_range(table['launches'])} launches",
        "500/20: hidden units and N_z",
        f"slower, faster: all of the interval is more than {100 * MARGIN:g} % from 1",
        "seconds in which other processes had the core are not counted",
    ]
    if table["noisy"].any():
        told += ["! noisy: 5 % might not be seen; measure again when the machine does less"]
    return "\n".join([format_table(shown), *told])


def _range(counts: pd.Series) -> str:
    least, most = counts.min(), counts.max()
    return f"{least}" if least == most else f"{least} to {most}"
