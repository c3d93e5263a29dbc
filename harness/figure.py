"""From a request to a figure: plan, compute what is missing, tabulate, compare with the paper, draw."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import torch

from aevb.data import NAMES, DatasetUnavailable, load_dataset
from aevb.errors import UserError
from harness.compare import compare, format_comparison, read_published
from harness.config import Config
from harness.experiments import FIGURE2, Experiment, Scale
from harness.plot_figure2 import plot_figure2
from harness.plot_figure3 import plot_figure3
from harness.progress import Display
from harness.reestimate import collect_estimates, format_bias
from harness.schedule import Failure, execute, worker_processes
from harness.store import RunFolder, collect, stored_configs, write_text
from harness.train import Job

ARRAY_SUFFIXES = (".npy", ".npz")

Plot = Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame, Mapping[str, str], Path], list[Path]]
PLOTS: Mapping[int, Plot] = {2: plot_figure2, 3: plot_figure3}


@dataclass(frozen=True)
class Request:
    """What a user asks for; None and () mean all that there is.

    Attributes:
        experiment: the figure.
        scale: how far to go.
        datasets: names, or paths of arrays.
        sizes: of the panels, N_z in figure 2.
        methods: algorithms.
        protocol: "author" or "paper", with changes as `harness.protocols.protocol_config` reads them.
        seeds: one run of each curve for each.
        device: "auto", "cpu" or "cuda".
        workers: parallel processes; None for one on each core.
        results: root of the store.
        data: folder to look for datasets in.
        force: compute finished runs again.
    """

    experiment: Experiment = FIGURE2
    scale: Scale = FIGURE2.scales["quick"]
    datasets: Sequence[str] = ()
    sizes: Sequence[int] = ()
    methods: Sequence[str] = ()
    protocol: str = "author"
    seeds: Sequence[int] = (0,)
    device: str = "auto"
    workers: int | None = None
    results: Path = Path("results")
    data: Path | None = None
    force: bool = False

    @property
    def folder(self) -> Path:
        """Where this scale's figure is kept."""
        return self.results / self.scale.name / f"figure{self.experiment.figure}"

    @property
    def runs(self) -> Path:
        """Where its runs are kept."""
        return self.folder / "runs"


@dataclass(frozen=True)
class Plan:
    """The jobs of a request, and what it cannot have: each missing dataset, and why."""

    jobs: list[Job]
    missing: Mapping[str, DatasetUnavailable] = field(default_factory=dict)

    def unfinished(self) -> list[Job]:
        """Jobs whose runs are not final yet."""
        statuses = [(job, RunFolder(job.root, job.config).status()) for job in self.jobs]
        return [job for job, status in statuses if status is None or not status.final]


def make_plan(request: Request) -> Plan:
    """Look for the data and lay out the runs.

    Raises:
        UserError: a dataset that was asked for by name is not to be had, or an option is wrong.
    """
    device, experiment = choose_device(request.device), request.experiment
    if others := set(request.methods) - set(experiment.methods):
        known, got = ", ".join(experiment.methods), ", ".join(sorted(others))
        raise UserError(f"figure {experiment.figure} has the methods {known}, got {got}")
    jobs: list[Job] = []
    missing: dict[str, DatasetUnavailable] = {}
    for wanted in request.datasets or [name for name in NAMES if name in experiment.panels]:
        path = Path(wanted) if wanted.endswith(ARRAY_SUFFIXES) else None
        try:
            dataset = load_dataset(wanted, data_dir=request.data if path is None else None)
        except DatasetUnavailable as error:
            if wanted in request.datasets:
                raise
            missing[wanted] = error
            continue
        # Sizes that the paper does not have are welcome where a dataset is named.
        allowed = request.sizes if request.datasets else experiment.sizes(dataset.name)
        sizes = [
            size for size in request.sizes or experiment.sizes(dataset.name) if size in allowed or not request.sizes
        ]
        jobs += [
            Job(config, request.runs, path or request.data, device)
            for config in experiment.configs(
                request.scale,
                request.protocol,
                [dataset.name] if sizes else [],
                request.seeds,
                methods=request.methods,
                sizes=sizes,
                data_sha256=dataset.sha256 if path else "",
            )
        ]
    if not jobs and not missing:
        got = ", ".join(map(str, request.sizes))
        raise UserError(
            f"figure {experiment.figure} has no panel with {experiment.size} {got}; name a --dataset for other sizes"
        )
    return Plan(jobs, missing)


def choose_device(name: str) -> str:
    """ "cpu" or "cuda"; "auto" takes CUDA where there is one.

    Raises:
        UserError: CUDA was asked for and is not there.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UserError("--device cuda needs a CUDA device, and torch finds none; use --device cpu")
    return "cuda" if name != "cpu" and available else "cpu"


def compute(plan: Plan, request: Request, display: Display) -> list[Failure]:
    """Compute what the store does not have; what could not be completed comes back."""
    if request.force:
        for job in plan.jobs:
            folder = RunFolder(job.root, job.config)
            with folder.lock():
                folder.clear()
    jobs = plan.unfinished()
    if not jobs:
        return []
    try:
        with worker_processes(min(worker_count(request), len(jobs))) as executor:
            return execute(jobs, executor, display)
    finally:
        display.stop()


def worker_count(request: Request) -> int:
    """As asked for, or one on each core that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return request.workers or cores


def publish(plan: Plan, request: Request) -> None:
    """Write the tables and the figure from what the store holds, and print the comparison.

    figureN.csv has every logged point, runs.csv how each run ended: of all runs of this scale, whoever asked for them.
    comparison.csv and the figure show one protocol.

    Raises:
        UserError: the store has nothing to draw.
    """
    experiment, name = request.experiment, f"figure{request.experiment.figure}"
    asked = {job.config.dataset: job.config.data_sha256 for job in plan.jobs}
    configs = [config for config in stored_configs(request.runs) if _current(config, request, asked)]
    curves, runs = collect(request.runs, configs, experiment.key)
    if runs.empty:
        raise UserError(f"there must be runs to draw; {request.runs} has none: leave out --plot-only")
    order = ["protocol", *experiment.key, "seed"]
    write_text(request.folder / "runs.csv", runs.sort_values(order).to_csv(index=False))
    write_text(request.folder / f"{name}.csv", curves.sort_values([*order, "samples", "split"]).to_csv(index=False))
    curves = curves[curves["protocol"] == request.protocol]
    runs = runs[runs["protocol"] == request.protocol]
    published = read_published(experiment.figure)
    key = (*experiment.key, "split")
    comparison = compare(curves, published, experiment.compared_at, key, experiment.measure)
    write_text(request.folder / "comparison.csv", comparison.to_csv(index=False))
    print(format_comparison(comparison, key))
    estimates = collect_estimates(request.runs, configs, experiment.key)
    if len(estimates):
        write_text(
            request.folder / "reestimates.csv", estimates.sort_values([*order, "samples", "split"]).to_csv(index=False)
        )
        print(format_bias(estimates[estimates["protocol"] == request.protocol], experiment.key))
    remedies = {dataset: error.remedy for dataset, error in plan.missing.items()}
    for path in PLOTS[experiment.figure](curves, published, runs, remedies, request.folder / name):
        print(f"wrote {path}")


def _current(config: Config, request: Request, asked: Mapping[str, str]) -> bool:
    """The run is the figure's as this version defines it, and on the present content of a user's array."""
    same = request.experiment.configs(
        request.scale,
        config.protocol,
        [config.dataset],
        [config.seed],
        methods=[config.method],
        sizes=[getattr(config, request.experiment.size)],
        data_sha256=config.data_sha256,
    )
    return same == [config] and config.data_sha256 == asked.get(config.dataset, config.data_sha256)


def show_plan(plan: Plan, request: Request) -> int:
    """Print what would be computed."""
    left = {job.config for job in plan.unfinished()}
    for job in plan.jobs:
        state = "to compute" if job.config in left or request.force else "in the store"
        print(f"{state}: {job.config.name}, {job.config.samples:,} samples, protocol {job.config.protocol}")
    show_missing(plan)
    return 0


def show_missing(plan: Plan) -> None:
    """Print which panels are missing, and how to get them."""
    for dataset, error in plan.missing.items():
        print(f"missing: the {dataset} panels. {error}")
