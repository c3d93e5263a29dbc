"""The suite in `benchmarks/`: run, kept under the device's name, tabulated and drawn."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from aevb import shipped
from aevb.data import load_dataset
from aevb.errors import UserError
from aevb.places import is_place, short_name
from harness.experiments.methods import method_of
from harness.experiments.paper import FIGURE2
from harness.experiments.protocols import protocol_config
from harness.figures.costs import METHODS_FOLDER
from harness.figures.plan import choose_device
from harness.runs.learners import learner_class
from harness.runs.trial import try_learner
from harness.store.checkout import ROOT
from harness.store.columns import fold, format_table
from harness.store.files import check_writable, write_text
from harness.store.shelves import Shelves
from harness.store.tables import read_table
from harness.timing.contest import format_contests
from harness.timing.devices import keep, read, read_contests, read_roofs, read_steps
from harness.timing.history import compare_commits, format_changes, read_history, remember
from harness.timing.plot import plot_benchmarks
from harness.timing.roofline import format_roofs, plot_roofline
from harness.timing.step import format_steps, plot_steps
from harness.timing.suite import measured
from harness.timing.tables import format_benchmarks, format_times, sample_costs, tabulate, time_to_bound


def show_benchmarks(devices: Sequence[str], results: Path, methods: Sequence[str] = (), *, anew: bool = False) -> bool:
    """Run the suite, then write JSON, tables and figures to the folder `benchmarks` of the results; print the tables.

    Where methods are named, their steps alone are timed, beside those of the paper's methods, and go to the folder
    `methods` there.

    Args:
        devices: "cpu", "cuda" or "auto", one or several.
        results: folder of the store.
        methods: to time instead of the suite.
        anew: also what a stopped command has timed already.

    Returns:
        All that was timed is right.

    Raises:
        UserError: CUDA alone was asked for and is not there, a method is no learner or fails on one batch, or the suite
            cannot be run.
    """
    shipped.need_checkout("--benchmark")
    for name in methods:  # what cannot be a learner is told now
        learner_class(method_of(name).learner)
        if is_place(name):
            try_learner(protocol_config("author", "mnist", method=name, n_latent=3, seed=0), load_dataset("mnist"))
    kinds = _kinds(devices)
    folder = results / "benchmarks"
    if methods:
        return _show_methods(methods, kinds, folder / METHODS_FOLDER, anew)
    check_writable(folder)
    with measured(kinds, folder, anew=anew) as (records, right):
        remember(folder)  # what is written over now
        for path in keep(records, folder):
            print(f"wrote {path}")
        show_measured(results)
    return right


def show_measured(results: Path) -> None:
    """Tables and figures of all devices that the folder `benchmarks` of the results knows, and its history.

    Raises:
        UserError: it knows none.
    """
    folder = results / "benchmarks"
    table, roofs, steps, contests = read(folder), read_roofs(folder), read_steps(folder), read_contests(folder)
    curves, source = _figure2(results)
    times = time_to_bound(curves, sample_costs(table, contests))
    remember(folder)
    print(format_benchmarks(table))
    for device, rows in contests.groupby("device", sort=False):
        print("\n" + fold(f"learners in turns: {device}") + f"\n{format_contests(rows)}")
    for device, rows in roofs.groupby("device", sort=False):
        print(f"\nwhat bounds {device}\n{format_table(format_roofs(rows))}")
    for device, rows in steps.groupby("device", sort=False):
        print("\n" + fold(f"where a step's time goes: {device}") + f"\n{format_steps(rows)}")
    if len(changes := compare_commits(read_history(folder))):
        print(f"\nsamples a second over commits\n{format_changes(changes)}")
    print("\n" + fold(f"time to a bound ({source}), in millions of AEVB's samples") + f"\n{format_times(times)}")
    write_text(folder / "time_to_bound.csv", times.to_csv(index=False))
    drawn = plot_benchmarks(table, times, source, folder)
    for path in [*drawn, *plot_roofline(table, roofs, folder), *plot_steps(steps, folder)]:
        print(f"wrote {path}")


def _show_methods(methods: Sequence[str], kinds: Sequence[str], folder: Path, anew: bool) -> bool:
    check_writable(folder)
    with measured(kinds, folder, methods, anew=anew) as (records, right):
        for path in keep(records, folder, "-".join(map(short_name, methods))):
            print(f"wrote {path}")
        table = tabulate(records)
        print(format_benchmarks(table.assign(method=table["method"].map(short_name))))
    return right


def _kinds(devices: Sequence[str]) -> list[str]:
    """ "cpu", "cuda" or both; where several are asked for, a CUDA device may be missing."""
    if list(devices) == ["cuda"]:
        return [choose_device("cuda")]
    wanted = ["cpu", "cuda"] if "auto" in devices else sorted({*devices})
    if "cuda" in wanted and not torch.cuda.is_available():
        print("no CUDA device: the CPU's benchmarks only", flush=True)
        wanted.remove("cuda")
    return wanted


def _figure2(results: Path) -> tuple[pd.DataFrame, str]:
    """Figure 2 of the store, or the project's own, and where that is: the paper's methods, protocol "author"."""
    place = Shelves(results).place("figure2", "figure2.csv")
    if place is None:
        raise UserError(f"there must be a figure 2; {results} has none, nor has the project: compute one")
    curves = read_table(place, "protocol")
    name = place.parent.relative_to(ROOT) if place.is_relative_to(ROOT) else place.parent
    curves = curves[(curves["protocol"] == "author") & curves["method"].isin(FIGURE2.methods)]
    return curves, str(name)
