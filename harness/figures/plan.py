"""From a request to the runs that it takes."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import torch

from aevb.data import NAMES, Dataset, DatasetUnavailable, load_dataset
from aevb.data.array import MEMORY
from aevb.errors import DataError, UserError
from aevb.fast.products import choose_library
from aevb.places import is_place
from harness.experiments.config import Config
from harness.experiments.methods import METHODS
from harness.figures.request import Request
from harness.runs.build import build_model, load
from harness.runs.decoders import check_decoder, try_decoder
from harness.runs.job import Job, source
from harness.runs.learners import check_learner
from harness.runs.trial import try_learner
from harness.store.own_code import check_own_code
from harness.store.scan import newest_array


@dataclass(frozen=True)
class Plan:
    """The jobs of a request, and what it cannot have: each missing dataset, and why."""

    jobs: list[Job]
    missing: Mapping[str, DatasetUnavailable] = field(default_factory=dict)

    def unfinished(self) -> list[Job]:
        """Jobs whose runs are not done yet."""
        return [job for job in self.jobs if not job.is_done()]


def make_plan(request: Request) -> Plan:
    """Look for the data and lay out the runs.

    Raises:
        UserError: a dataset that was asked for by name is not to be had, an option is wrong, or what is stored is of
            other code of the user's.
    """
    # A cluster's own devices are its own affair.
    elsewhere = request.cluster and request.device == "cuda"
    device, experiment = "cuda" if elsewhere else choose_device(request.device), request.experiment
    _check_methods(request)
    jobs: list[Job] = []
    missing: dict[str, DatasetUnavailable] = {}
    for wanted in request.datasets or experiment.panels:
        sizes = _sizes(wanted, request)
        if not sizes:
            continue
        own = wanted not in NAMES
        try:
            dataset = load_dataset(wanted, data_dir=None if own else request.data)
        except DataError as error:
            if request.datasets:
                raise
            missing[wanted] = _missing(error)
            continue
        if own and dataset.name in NAMES:
            raise UserError(f"an array must have a name of its own, got {wanted}: rename the file")
        where = source(wanted) if own else request.data
        jobs += [
            Job(config, request.length, request.shelves.runs, where, device, request.engine, request.command)
            for config in _configs(request, dataset.name, sizes, dataset.sha256 if own else "")
        ]
    jobs = [*{(job.config, job.data): job for job in jobs}.values()]  # a path may be written in several ways
    if not jobs and missing:
        raise next(iter(missing.values()))
    if not jobs:
        raise _no_panel(request)
    _check(jobs)
    if not request.force:
        for job in jobs:
            check_own_code(job.folder, job.config.places)
    return Plan(jobs, missing)


def _missing(error: DataError) -> DatasetUnavailable:
    """Whatever keeps a dataset away that nobody asked for by name, it is missing; the others need not wait for it."""
    if isinstance(error, DatasetUnavailable):
        return error
    return DatasetUnavailable(str(error), str(error).rpartition("; ")[2])


def stored_configs_of(request: Request) -> list[Config]:
    """Configs of what a request would show, for what reads the store alone: no data are looked for.

    A user's array is the one that is there; where it is not, of those with its name the one that was worked on last.

    Raises:
        UserError: an option is wrong.
    """
    _check_methods(request)
    arrays = newest_array(request.shelves.own_runs())
    configs: list[Config] = []
    for wanted in request.datasets or request.experiment.panels:
        name = wanted if wanted in NAMES else Path(wanted).name
        if wanted not in NAMES and (is_place(wanted) or Path(wanted).is_file()):
            with suppress(DataError):  # else it is only its name
                arrays[name] = load_dataset(wanted).sha256
        if sizes := _sizes(wanted, request):
            configs += _configs(request, name, sizes, arrays.get(name, ""))
    if not configs:
        raise _no_panel(request)
    return configs


def _configs(request: Request, dataset: str, sizes: Sequence[int], data_sha256: str) -> list[Config]:
    return request.experiment.configs(
        request.protocol, [dataset], request.seeds, methods=request.methods, sizes=sizes, data_sha256=data_sha256
    )


def _check_methods(request: Request) -> None:
    experiment = request.experiment
    if others := [name for name in request.methods if not experiment.takes(name)]:
        known = ", ".join(name for name in METHODS if experiment.takes(name))
        raise UserError(
            f"figure {experiment.figure} has the methods {known}, and learners given as package.module:Class, got "
            f"{', '.join(others)}: choose among them"
        )


def _no_panel(request: Request) -> UserError:
    got, experiment = ", ".join(map(str, request.sizes)), request.experiment
    return UserError(
        f"figure {experiment.figure} has no panel with {experiment.size} {got}; name a --dataset for other sizes"
    )


def _sizes(dataset: str, request: Request) -> list[int]:
    """The panels of a dataset; sizes that the paper does not have are welcome where a dataset is named."""
    known = request.experiment.sizes(dataset)
    return [size for size in request.sizes or known if request.datasets or size in known]


def _check(jobs: Sequence[Job]) -> None:
    """Find out now what would fail later: settings that the data do not fit, arrays that cannot be told apart."""
    paths: dict[str, Path | None] = {}
    loaded: dict[tuple[object, ...], Dataset] = {}
    tried: set[tuple[object, ...]] = set()
    for job in jobs:
        config = job.config
        if paths.setdefault(config.dataset, job.data) != job.data:
            raise UserError(f"arrays must have different file names, got two of {config.dataset}: rename one")
        if config.precision != "float32" and job.device != "cpu":
            raise UserError(f"precision {config.precision} is for CPUs; on {job.device} use float32")
        choose_library(((32, 32, 32),), config.precision)
        check_learner(config)
        check_decoder(config)
        settings = (config.dataset, config.pixel_scale, config.split, config.n_train)
        if settings not in loaded:
            loaded[settings] = load(config, job.data)
        _check_size(config, loaded[settings])
        kind = (settings, config.decoder, config.decoder_arguments, config.n_latent, config.hidden)
        if is_place(config.decoder) and kind not in tried:
            tried.add(kind)
            x = loaded[settings].train[:3]
            try_decoder(config, build_model(config, x.shape[1], torch.Generator()), x)
        learning = (*kind, config.method, config.learner, config.batch_size, config.n_samples, config.estimator)
        if is_place(config.method) and learning not in tried:
            tried.add(learning)
            try_learner(config, loaded[settings])


def _check_size(config: Config, dataset: Dataset) -> None:
    """Refuse, by a rough count, what this machine's memory cannot hold: weights thrice, a minibatch's layers twice."""
    n, n_pixels = dataset.train.shape
    widths = (config.n_latent, *config.hidden, n_pixels)
    weights = 2 * sum(above * below for above, below in pairwise(widths))  # of decoder and encoder
    rows = (config.batch_size or config.n_train or n) * config.n_samples
    needed = 4 * (3 * weights + 4 * rows * sum(widths))
    if needed > MEMORY:
        raise UserError(
            f"a run must fit in the memory of {MEMORY / 1e9:.3g} GB, {config.name} needs about {needed / 1e9:.3g} GB: "
            "take fewer latents, or smaller hidden, batch_size or n_samples"
        )


def choose_device(name: str) -> str:
    """ "cpu" or "cuda"; "auto" takes CUDA where there is one.

    Raises:
        UserError: CUDA was asked for and is not there.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UserError("--device cuda needs a CUDA device, and torch finds none; use --device cpu")
    return "cuda" if name != "cpu" and available else "cpu"
