"""What can be reproduced, how far each run is, and what the rest would cost."""

from collections.abc import Iterable, Sequence

import pandas as pd

from harness.command.costs import Speeds
from harness.experiments.config import Config
from harness.experiments.paper import EXPERIMENTS, PICTURES
from harness.figures.compare import label, scientific
from harness.figures.request import Request
from harness.store.columns import fold, format_table
from harness.store.run_folder import RunFolder
from harness.store.shelves import state_of
from harness.store.status import Status
from harness.studies.choices import study as study_choices
from harness.studies.gaps import study as study_gaps
from harness.studies.marginal import study as study_marginal
from harness.studies.models import study as study_models
from harness.studies.reparameterization import study as study_reparameterization
from harness.studies.spent import seconds_at
from harness.studies.step_sizes import study as study_step_sizes
from harness.workers.parts import Part, is_done, study_folder

MORE = 1_000_000  # training samples, unless the user says
HOURS = (
    "core_hours: of what is left, on a CPU, from your own runs on a CPU, else from published ones, which shared their "
    "cores with other work: a free core is faster, and so is a GPU"
)


def show_catalogue(request: Request) -> None:
    """Print the catalogue, and how far each run is: figures, studies, then the runs of each protocol."""
    speeds = Speeds(request)
    known = catalogue(request, speeds)
    studies = known["what"].str.startswith("study")
    tables = [known[~studies], known[studies].drop(columns=["samples", "published"])]
    print("\n\n".join(format_table(_in_print(table)) for table in tables if len(table)))
    print(fold(HOURS))
    more = request.samples or MORE
    runs = runs_table(speeds, more)
    if len(runs):
        print(f"\nruns, and the core-hours of {more:,} samples more")
    for protocol, own in runs.groupby("protocol", sort=False):
        names = own["run"].str.rpartition("-")[0]  # less the id, where it tells nothing
        own = own.assign(run=names.where(~names.duplicated(keep=False), own["run"]))
        print(f"protocol {protocol}\n{format_table(_in_print(own.drop(columns='protocol')))}")


def _in_print(table: pd.DataFrame) -> pd.DataFrame:
    hours = table["core_hours"].map(lambda value: "not measured" if pd.isna(value) else f"{value:.2g}")
    return table.assign(core_hours=hours)


def catalogue(request: Request, speeds: Speeds) -> pd.DataFrame:
    """What can be reproduced at each scale, what of it is done, and what the rest would cost.

    Columns: what (a figure or study), scale, samples (for each curve), dataset, runs, done (the reader's own),
    published (runs that come with the project and reach as far), and core_hours for what is not done, from the speed
    of like runs on a CPU; NaN where none was measured.
    """
    rows: list[dict[str, object]] = []
    for experiment in (*EXPERIMENTS.values(), *PICTURES.values()):
        methods = [method for method in request.methods or experiment.methods if experiment.takes(method)]
        for scale, samples in experiment.scales.items() if methods else ():
            for dataset in experiment.panels:
                configs = experiment.configs(request.protocol, [dataset], request.seeds, methods=methods)
                rows.append(_runs_row(f"figure {experiment.figure}", scale, samples, dataset, configs, request, speeds))
    for name, study in study_choices.STUDIES.items():
        every = [*study_choices.configs_of(study)]
        for dataset in dict.fromkeys(config.dataset for config in every):
            configs = [config for config in every if config.dataset == dataset]
            rows.append(_runs_row("study choices", name, study.samples, dataset, configs, request, speeds))
    return pd.DataFrame([*rows, *_studies(request)])


def _runs_row(
    what: str, scale: str, samples: int, dataset: str, configs: Sequence[Config], request: Request, speeds: Speeds
) -> dict[str, object]:
    folders = [request.shelves.own_run(config) for config in configs]
    left = [folder for folder in folders if not folder.is_done(samples)]
    reached = {folder.config: _completed(folder.status()) for folder in speeds.published}
    return {
        "what": what,
        "scale": scale,
        "samples": f"{samples:,}",
        "dataset": dataset,
        "runs": len(configs),
        "done": len(configs) - len(left),
        "published": sum(reached.get(config, 0) >= samples for config in configs),
        "core_hours": sum(speeds.core_hours(f.config, _there(f), samples) for f in left),
    }


def runs_table(speeds: Speeds, more: int) -> pd.DataFrame:
    """A row for each run of the reader's or of the project's, of any protocol.

    Columns: run, protocol, state and samples (the reader's own), published (samples of the published run), core_hours
    of so many samples more.
    """
    own = {folder.config: folder for folder in speeds.own}
    published = {folder.config: folder for folder in speeds.published}
    rows = []
    for config in sorted({**published, **own}, key=_order):
        folder = own.get(config)
        there = _there(folder) if folder else 0
        rows.append(
            {
                "run": (folder or published[config]).path.name,
                "protocol": label(config.protocol, 40),
                "state": state_of(folder) if folder else "–",
                "samples": f"{there:,}" if there else "–",
                "published": scientific(_completed(published[config].status())) if config in published else "–",
                "core_hours": speeds.core_hours(config, there, there + more),
            }
        )
    return pd.DataFrame(rows)


def _order(config: Config) -> tuple[object, ...]:
    return config.measure, config.dataset, config.n_train, config.n_latent, config.method, config.protocol, config.seed


def _there(folder: RunFolder) -> int:
    """How far a run is, finished or not."""
    status = folder.status()
    return 0 if status is None or folder.is_stale() else status.samples


def _completed(status: Status | None) -> int:
    return 0 if status is None else status.completed


def _studies(request: Request) -> Iterable[dict[str, object]]:
    """Rows of the studies, which have sizes of their own and are the same for all protocols."""
    both = "mnist, frey_face"
    folder = study_folder(request.results, "marginal")
    for name, marginal in study_marginal.STUDIES.items():
        parts: list[Part] = [
            study_marginal.Part(marginal, data, size, folder)
            for data in study_marginal.DATA
            for size in marginal.n_latent
        ]
        yield _study_row("marginal", name, "mnist, simulated", parts, marginal, request)
    folder = study_folder(request.results, "gaps")
    for name, gaps in study_gaps.STUDIES.items():
        parts = [*study_gaps.parts_of(gaps, folder, request)]
        if parts:
            yield _study_row("gaps", name, both, parts, gaps, request)
    folder = study_folder(request.results, "models")
    for name, models in study_models.STUDIES.items():
        parts = [*study_models.parts_of(models, folder, request)]
        if parts:
            yield _study_row("models", name, both, parts, models, request)
    folder = study_folder(request.results, "reparameterization")
    for name, noise in study_reparameterization.STUDIES.items():
        parts = [*study_reparameterization.parts_of(noise, folder)]
        yield _study_row("reparameterization", name, "mnist", parts, noise, request)
    folder = study_folder(request.results, "step-sizes")
    for name, steps in study_step_sizes.STUDIES.items():
        parts = [*study_step_sizes.parts_of(steps, folder, request.data)]
        yield _study_row("step-sizes", name, both, parts, steps, request)


def _study_row(
    study: str, scale: str, dataset: str, parts: Sequence[Part], size: object, request: Request
) -> dict[str, object]:
    """A study's parts, and the share of its time that is left for those that are not done; known of a stored size."""
    done = sum(is_done(part) for part in parts)
    return {
        "what": f"study {study}",
        "scale": scale,
        "samples": "–",
        "dataset": dataset,
        "runs": len(parts),
        "done": done,
        "published": "–",
        "core_hours": seconds_at(request.shelves, study, size) / 3600 * (1 - done / len(parts)),
    }
