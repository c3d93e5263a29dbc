"""From the store to a figure: tabulate, compare with the paper, draw."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from aevb.errors import UserError
from harness.figures.compare import compare, format_comparison, read_published
from harness.figures.plan import Plan, Request, current
from harness.figures.plot2 import plot_figure2
from harness.figures.plot3 import plot_figure3
from harness.figures.reestimate import collect_estimates, format_bias
from harness.figures.trust import format_trust
from harness.store.collect import collect, stored_configs
from harness.store.files import write_text

Plot = Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame, Mapping[str, str], Path], list[Path]]
PLOTS: Mapping[int, Plot] = {2: plot_figure2, 3: plot_figure3}


def publish(plan: Plan, request: Request) -> None:
    """Write the tables and the figure from what the store holds, and print the comparison.

    figureN.csv has every logged point, runs.csv how each run ended and comparison.csv the differences: of all runs of
    this scale, whoever asked for them. What is printed and drawn is the request's protocol.

    Raises:
        UserError: the store has nothing to draw.
    """
    experiment, name = request.experiment, f"figure{request.experiment.figure}"
    configs = [config for config in stored_configs(request.runs) if current(config, request, plan)]
    curves, runs = collect(request.runs, configs, experiment.key, experiment.measure)
    if not (runs["protocol"] == request.protocol).any():
        raise UserError(
            f"there must be runs to draw; {request.runs} has none of protocol {request.protocol}: "
            "compute some, without --plot-only"
        )
    order, key = ["protocol", *experiment.key, "seed"], (*experiment.key, "split")
    published = read_published(experiment.figure)
    comparison = compare(curves, published, experiment.compared_at, key, experiment.measure)
    estimates = collect_estimates(request.runs, configs, experiment.key)
    write_text(request.folder / "runs.csv", runs.sort_values(order).to_csv(index=False))
    write_text(request.folder / f"{name}.csv", curves.sort_values([*order, "samples", "split"]).to_csv(index=False))
    write_text(request.folder / "comparison.csv", comparison.to_csv(index=False))
    if len(estimates):
        ordered = estimates.sort_values([*order, "samples", "split"])
        write_text(request.folder / "reestimates.csv", ordered.to_csv(index=False))

    curves, runs, comparison, estimates = (
        table[table["protocol"] == request.protocol] for table in (curves, runs, comparison, estimates)
    )
    remedies = {dataset: error.remedy for dataset, error in plan.missing.items()}
    # The protocol that fits the paper's curves is the figure; another's has its name.
    stem = request.folder / (name if request.protocol == "author" else f"{name}-{request.protocol}")
    paths = PLOTS[experiment.figure](curves, published, runs, remedies, stem)
    print(format_comparison(comparison, key))  # once all is drawn, for who reads may go away
    if experiment.measure == "marginal_log_likelihood":
        print(format_trust(curves, experiment.key))
    if len(estimates):
        print(format_bias(estimates, experiment.key))
    for path in paths:
        print(f"wrote {path}")


def show_plan(plan: Plan, request: Request) -> None:
    """Print what would be computed."""
    for job in plan.jobs:
        state = "to compute" if request.force or not job.is_done() else "in the store"
        print(f"{state}: {job.config.name}, {job.config.samples:,} samples, protocol {job.config.protocol}")
    show_missing(plan)


def show_missing(plan: Plan) -> None:
    """Print which panels are missing, and how to get them."""
    for dataset, error in plan.missing.items():
        print(f"missing: the {dataset} panels. {error}")
