"""What is each unstated choice worth? Runs of figure 2's curves, with one choice of the protocol at a time changed.

All runs lie in the pool that figure 2 takes its own from, so that neither computes what the other has.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import pandas as pd
import torch

from harness.experiments.config import Config
from harness.experiments.paper import FIGURE2
from harness.experiments.paper_curves import read_published
from harness.figures.compute import compute
from harness.figures.plan import Plan, choose_device
from harness.figures.request import Request
from harness.runs.job import Job
from harness.store.collect import collect
from harness.store.environment import describe
from harness.store.files import write_text
from harness.studies.choices.plot import plot_choices
from harness.studies.choices.roster import ALTERNATIVES, CURVES
from harness.studies.choices.table import CURVE, format_choices, tabulate
from harness.studies.data import with_data
from harness.studies.show import show
from harness.workers.parts import PartsFailed, study_folder
from harness.workers.progress import Display

NAME = "choices"


@dataclass(frozen=True)
class ChoicesStudy:
    """Size of the study.

    Attributes:
        samples: training samples of each run.
        seeds: of each curve.
        since: distances from the paper's curves are taken from here on.
    """

    samples: int = 1_000_000
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    since: float = 3e5


STUDIES: Mapping[str, ChoicesStudy] = {
    "smoke": ChoicesStudy(20_000, (0, 1), 1e4),
    "quick": ChoicesStudy(),
    "paper": ChoicesStudy(10_000_000),
}


def show_study(request: Request) -> None:
    """Run the study at the request's scale, print its table and verdicts and draw its figure."""
    study = STUDIES[request.scale]
    show(request, NAME, [NAME], lambda: [run_study(study, request)], format_choices, plot_choices)


def configs_of(study: ChoicesStudy) -> Iterator[Config]:
    """All runs: of the protocol itself first, then of each alternative."""
    for curve in CURVES:
        yield from curve.configs("author", study.seeds)
    for alternative in ALTERNATIVES:
        for curve in alternative.curves:
            yield from curve.configs(alternative.protocol, study.seeds)


def run_study(study: ChoicesStudy, request: Request) -> pd.DataFrame:
    """Compute the runs that the pool does not have, write runs.csv, curves.csv and choices.csv; return the latter.

    Columns of choices.csv: see `harness.studies.choices.table.tabulate`. curves.csv has every test bound it is made of,
    runs.csv how each run ended. What lacks its dataset is left out, and told.

    Raises:
        PartsFailed: a run could not be computed; the tables are of those that could.
    """
    device = choose_device(request.device)
    jobs = [
        Job(config, study.samples, request.shelves.runs, request.data, device, request.engine, request.command)
        for config in with_data(configs_of(study), lambda config: config.dataset, request.data)
    ]
    computes = request.force or not all(job.is_done() for job in jobs)
    failures = compute(Plan(jobs), request, Display())
    folder, key = study_folder(request.results, NAME), [*CURVE]
    curves, runs = collect([job.folder for job in jobs], key, FIGURE2.measure)
    curves = curves[(curves["split"] == "test") & (curves["samples"] <= study.samples)]
    table = tabulate(curves, runs, read_published(2), study.seeds, study.samples, study.since)
    order = ["protocol", *key, "seed"]
    write_text(folder / "config.json", json.dumps(asdict(study), indent=1))
    if computes or not (folder / "environment.json").exists():
        write_text(folder / "environment.json", json.dumps(describe(torch.device(device)), indent=1))
    write_text(folder / "runs.csv", runs.sort_values(order).to_csv(index=False))
    kept = curves[[*order, "split", "samples", "lower_bound"]].sort_values([*order, "samples"])
    write_text(folder / "curves.csv", kept.to_csv(index=False, float_format="%.3f"))
    write_text(folder / f"{NAME}.csv", table.to_csv(index=False))
    if failures:
        raise PartsFailed(failures)
    return table
