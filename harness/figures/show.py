"""From the store to a figure: tabulate, compare with the paper, draw."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from aevb.data import DatasetUnavailable
from aevb.errors import UserError
from harness.experiments.paper import PICTURES, Experiment
from harness.experiments.paper_curves import read_published
from harness.figures.agreement import agreement
from harness.figures.bias import collect_estimates, format_bias
from harness.figures.compare import compare, scientific
from harness.figures.costs import method_costs
from harness.figures.plan import Plan, stored_configs_of
from harness.figures.plot2 import plot_figure2
from harness.figures.plot3 import plot_figure3
from harness.figures.plot_methods import plot_methods
from harness.figures.request import Request
from harness.figures.summary import format_summary, on_the_whole, too_short, unexplained
from harness.figures.trust import format_trust
from harness.store.collect import collect
from harness.store.columns import fold
from harness.store.files import write_text

Plot = Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame, Mapping[str, str], Path], list[Path]]
PLOTS: Mapping[int, Plot] = {2: plot_figure2, 3: plot_figure3}


class NothingToDraw(UserError):
    """No run of what was asked for is stored."""


def publish(request: Request, missing: Mapping[str, DatasetUnavailable], arrays: Mapping[str, str]) -> None:
    """Write the tables and the figure from what the store holds, and print the comparison.

    figureN.csv has every logged point, runs.csv how each run ended, comparison.csv the differences and agreement.csv
    the distances: of all runs of the reader's, whoever asked for them, and of published ones for curves of this
    protocol that the reader has not.
    What is printed and drawn is the request's protocol, the paper's methods and those that were asked for, in the
    paper's panels and those that were asked for. Where there are others, all of figure 2's methods are drawn once more,
    beside each other, at equal samples and in equal time.

    Args:
        request: what to show.
        missing: datasets that are not to be had, and why.
        arrays: SHA-256 of users' arrays by name; of those that are not here, the last one that was worked on counts.

    Raises:
        NothingToDraw: the store has no such run.
    """
    experiment, name = request.experiment, f"figure{request.experiment.figure}"
    folders = request.shelves.curves(experiment, request.protocol, arrays)
    curves, runs = collect(folders, experiment.key, experiment.measure)
    drawn = runs[runs["protocol"] == request.protocol]
    asked = {
        "dataset": [Path(dataset).name for dataset in request.datasets],
        experiment.size: request.sizes,
        "method": request.methods,
    }
    for column, values in asked.items():
        drawn = drawn[drawn[column].isin(values)] if values else drawn
    if drawn.empty:
        named = [", ".join(map(str, values)) for values in asked.values() if values]
        of = f" for {'; '.join(named)}" if named else ""
        raise NothingToDraw(
            f"there must be runs to draw; {request.shelves.runs} has none of protocol {request.protocol}{of}: "
            "compute some, without --plot-only, or wait for a command that computes them anew"
        )
    order, key = ["protocol", *experiment.key, "seed"], (*experiment.key, "split")
    published = read_published(experiment.figure)
    comparison = compare(curves, published, experiment.compared_at, key, experiment.measure)
    distances = agreement(curves, published, experiment.compared_from, key, experiment.measure)
    estimates = collect_estimates(folders, experiment.key)
    write_text(request.folder / "runs.csv", runs.sort_values(order).to_csv(index=False))
    write_text(request.folder / f"{name}.csv", curves.sort_values([*order, "samples", "split"]).to_csv(index=False))
    write_text(request.folder / "comparison.csv", comparison.to_csv(index=False))
    write_text(request.folder / "agreement.csv", distances.to_csv(index=False))
    if len(estimates):
        ordered = estimates.sort_values([*order, "samples", "split"])
        write_text(request.folder / "reestimates.csv", ordered.to_csv(index=False))

    tables = [
        in_panels(table, experiment, request.protocol, request.sizes)
        for table in (curves, runs, comparison, distances, estimates)
    ]
    of_all_methods = tables[0]
    curves, runs, comparison, distances, estimates = (
        by_methods(table, experiment, request.methods) for table in tables
    )
    remedies = {dataset: error.remedy for dataset, error in missing.items()}
    # The protocol that fits the paper's curves is the figure; another's has its name.
    stem = request.folder / request.name
    paths = PLOTS[experiment.figure](curves, published, runs, remedies, stem)
    if experiment.measure == "lower_bound" and _later_are_wanted(of_all_methods, experiment, request):
        beside = stem.with_name(f"{stem.name}-methods")
        paths += plot_methods(of_all_methods, experiment.methods, *method_costs(request.shelves), beside)
    first = min(experiment.compared_at)
    if comparison.empty:  # once all is drawn, for who reads may go away
        print(fold(f"no table yet: its first row is at {scientific(first)} samples, which no run has reached"))
    else:
        print(in_print(comparison, distances, key))
    if told := unexplained(distances):
        print(fold(told))
    if len(comparison) and (told := too_short(curves, comparison, first, key)):
        print(fold(told))
    if told := request.shelves.outreached(experiment, request.protocol, folders):
        print(fold(told))
    if experiment.measure == "marginal_log_likelihood":
        print(format_trust(curves, experiment.key))
    if len(estimates):
        print(format_bias(estimates, experiment.key))
    for path in paths:
        print(f"wrote {path}")


def _later_are_wanted(curves: pd.DataFrame, experiment: Experiment, request: Request) -> bool:
    """The reader has runs of later methods, asks for one, or has no runs at all and sees what is published."""
    own = curves[~curves["published"].astype(bool)]
    return own.empty or not {*own["method"], *request.methods} <= {*experiment.methods}


def in_print(comparison: pd.DataFrame, distances: pd.DataFrame, key: Sequence[str]) -> str:
    """The line on the whole and the table, with headings, which name protocols of any length, broken."""
    lines = [on_the_whole(distances), *format_summary(comparison, distances, key).splitlines()]
    return "\n".join(
        fold(line) if k == 0 or line.startswith("protocol ") else line for k, line in enumerate(lines) if k or line
    )


def in_panels(
    table: pd.DataFrame, experiment: Experiment, protocol: str = "author", sizes: Sequence[int] = ()
) -> pd.DataFrame:
    """Rows of one protocol, in the paper's panels, those of these sizes, and those of users' arrays.

    Figure 4's models are no panel of figure 2.
    """
    if table.empty:
        return table
    pairs = zip(table["dataset"], table[experiment.size], strict=True)
    shown = [name not in experiment.panels or size in (*experiment.sizes(name), *sizes) for name, size in pairs]
    return table[(table["protocol"] == protocol) & pd.Series(shown, table.index)]


def by_methods(table: pd.DataFrame, experiment: Experiment, methods: Sequence[str] = ()) -> pd.DataFrame:
    """Rows of the paper's methods, and of these."""
    return table[table["method"].isin([*experiment.methods, *methods])] if len(table) else table


def show_plan(plan: Plan, request: Request) -> None:
    """Print what would be computed."""
    for job in plan.jobs:
        status = None if request.force or job.folder.is_stale() else job.folder.status()
        there = f", from {status.samples:,} on" if status is not None and status.samples else ""
        state = "to compute" if request.force or not job.is_done() else "in the store"
        far = f"{job.samples:,} samples{there if state == 'to compute' else ''}"
        print(fold(f"{state}: {job.config.name}, {far}, protocol {job.config.protocol}"))
    if not plan.jobs:
        print("nothing to compute: what is to be shown comes with the project")
    show_missing(plan, request)


def show_missing(plan: Plan, request: Request) -> None:
    """Print which panels lack for want of data, or are published ones, or shorter than asked for; and the remedy."""
    for dataset, error in plan.missing.items():
        sizes = [size for size in request.sizes or request.experiment.sizes(dataset)]
        known = [size for size in sizes if size in request.experiment.sizes(dataset)]
        configs = stored_configs_of(replace(request, datasets=(dataset,), sizes=known))
        if request.experiment in PICTURES.values():
            kept = [request.model_of(config) for config in configs]
            found = [model.folder for model in kept if model is not None]
        else:
            found = [folder for config in configs if (folder := request.shelves.find(config)) is not None]
        if len(found) < len(configs):
            what = "missing"
        elif any(folder.published for folder in found):
            what = "not computed here, but published with the project"
        elif not all(folder.is_done(request.length) for folder in found):
            what = "not as far as asked for"
        else:  # computed where the data were
            continue
        print(f"{what}: the {dataset} panels. {error}")
