"""What a user asks for."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aevb.data import NAMES
from aevb.places import is_place
from harness.experiments.config import Config
from harness.experiments.paper import FIGURE2, Experiment
from harness.experiments.values import LONGEST_NAME
from harness.runs.job import source
from harness.store.shelves import KeptModel, Shelves
from harness.workers.cluster import Cluster
from harness.workers.local import Local
from harness.workers.schedule import Place


@dataclass(frozen=True)
class Request:
    """What a user asks for; None and () mean all that there is.

    Attributes:
        experiment: the figure.
        scale: a name for how far to go, and for the size of a study.
        samples: training samples for each curve, instead of the scale's.
        datasets: names, or paths of arrays.
        sizes: of the panels, N_z in figure 2.
        methods: algorithms.
        protocol: "author" or "paper", with changes as `harness.experiments.protocols.protocol_config` reads them.
        seeds: one run of each curve for each.
        device: "auto", "cpu" or "cuda".
        engine: "fast", with gradients written by hand, or "reference", with autograd's.
        workers: parallel processes; None for one on each core.
        cluster: address of a Dask scheduler whose workers compute instead, and `results` and `data` are absolute
            paths; None for this machine.
        results: root of the store.
        data: folder to look for datasets in.
        force: compute finished runs again.
        plot_only: show what is stored, compute nothing.
        command: as the user gave it.
    """

    experiment: Experiment = FIGURE2
    scale: str = "quick"
    samples: int | None = None
    datasets: Sequence[str] = ()
    sizes: Sequence[int] = ()
    methods: Sequence[str] = ()
    protocol: str = "author"
    seeds: Sequence[int] = (0,)
    device: str = "auto"
    engine: str = "fast"
    workers: int | None = None
    cluster: str | None = None
    results: Path = Path("results")
    data: Path | None = None
    force: bool = False
    plot_only: bool = False
    command: str = ""

    @property
    def length(self) -> int:
        """Training samples for each curve at least."""
        return self.samples or self.experiment.scales[self.scale]

    @property
    def folder(self) -> Path:
        """Where the figure is kept."""
        return self.results / f"figure{self.experiment.figure}"

    @property
    def name(self) -> str:
        """Of the figure's files, less their kinds: of another protocol than "author" that one is part of it."""
        name = f"figure{self.experiment.figure}"
        return name if self.protocol == "author" else f"{name}-{shortened(self.protocol, LONGEST_NAME)}"

    @property
    def shelves(self) -> Shelves:
        """Where the results are: the reader's, and behind them those that come with the project."""
        return Shelves(self.results)

    def model_of(self, config: Config) -> KeptModel | None:
        """The model to show: the first one after as many samples as the user said; else the last that there is."""
        return self.shelves.model(config, self.length, latest=self.samples is None)

    @property
    def place(self) -> Place:
        """Where to compute: the cluster, or as many processes as asked for, or one on each core this one may use."""
        if self.cluster:
            arrays = [source(name) for name in self.datasets if name not in NAMES and not is_place(name)]
            return Cluster(self.cluster, self.results, (*arrays, *([self.data] if self.data else [])))
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return Local(self.workers or cores)


def shortened(text: str, most: int) -> str:
    """A part of a file's name: what has more bytes than that is cut, and told by its hash."""
    if len(text.encode()) <= most:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{text.encode()[: most - 9].decode(errors='ignore')}-{digest}"
