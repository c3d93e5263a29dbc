"""What claims are measured on: figures 2 and 3, the studies and the benchmarks, as they are stored or published."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from harness.claims.roster import AEVB_ITSELF, PROTOCOL, Source
from harness.claims.seeds import Seeds, seeds_of
from harness.experiments.paper import EXPERIMENTS, Experiment
from harness.experiments.paper_curves import read_published
from harness.figures.bias import collect_estimates
from harness.figures.compare import label
from harness.figures.costs import METHODS_FOLDER
from harness.store.collect import collect
from harness.store.run_folder import RunFolder
from harness.store.shelves import Shelves
from harness.store.tables import read_table
from harness.studies.spent import PARTS, seconds_of
from harness.timing.devices import read_cases, read_contests

HOUR = 3600.0  # seconds
CPU, GPU = "cpu", "cuda"  # as torch calls these kinds of device


@dataclass(frozen=True)
class Hours:
    """What was spent: core-hours of CPUs, hours of GPUs."""

    cores: float
    gpus: float

    def __add__(self, other: "Hours") -> "Hours":
        """Both together, each kind for itself."""
        return Hours(self.cores + other.cores, self.gpus + other.gpus)


@dataclass(frozen=True)
class Results:
    """What the reader's store holds, and for what it lacks, what comes with the project. Read once, when asked for.

    Attributes:
        shelves: where it lies.
        protocol: of the runs.
        method: that is asked in AEVB's place; AEVB itself, or another one, whose times are those of
            `--benchmark --method`.
    """

    shelves: Shelves
    protocol: str = PROTOCOL
    method: str = AEVB_ITSELF
    _figures: dict[int, tuple[pd.DataFrame, pd.DataFrame]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _papers: dict[int, pd.DataFrame] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        """Of the method in AEVB's place, in print."""
        return label(self.method)

    def actual(self, method: str) -> str:
        """The method that is asked where this one is named."""
        return self.method if method == AEVB_ITSELF else method

    def curves(self, figure: int) -> pd.DataFrame:
        """All logged points of a figure's runs; see `harness.store.collect.collect`."""
        return self._figure(figure)[0]

    def runs(self, figure: int) -> pd.DataFrame:
        """How each of a figure's runs ended; see `harness.store.collect.collect`."""
        return self._figure(figure)[1]

    def seeds(self, figure: int, **curve: object) -> Seeds:
        """A curve of each seed; `curve` has the columns and values that name it, "aevb" for the method in its place."""
        curve = {name: self.actual(str(value)) if name == "method" else value for name, value in curve.items()}
        return seeds_of(self.curves(figure), EXPERIMENTS[figure].measure, self.diverged(figure, **curve), **curve)

    def diverged(self, figure: int, **curve: object) -> set[int]:
        """Seeds whose runs did; a run has all splits of a curve."""
        runs = self.runs(figure)
        kept = runs["status"] == "diverged"
        for name, value in curve.items():
            if name != "split":
                kept &= runs[name] == (self.actual(str(value)) if name == "method" else value)
        return {*runs.loc[kept, "seed"].astype(int)}

    def paper(self, figure: int, **curve: object) -> Seeds:
        """The paper's own curve, as that of one seed."""
        return seeds_of(self._published(figure), EXPERIMENTS[figure].measure, (), **curve)

    def study(self, name: str, table: str) -> pd.DataFrame:
        """A study's table; empty where there is none."""
        path = self.shelves.place("studies", name, f"{table}.csv")
        return pd.DataFrame() if path is None else read_table(path)

    @cached_property
    def better_estimates(self) -> pd.DataFrame:
        """Of log p(x), of figure 3's kept models; see `harness.figures.bias.collect_estimates`. Empty where none is."""
        table = collect_estimates(self._folders(3), EXPERIMENTS[3].key)
        return table if table.empty else self._papers_own(table, EXPERIMENTS[3])

    @cached_property
    def contests(self) -> pd.DataFrame:
        """Learners that took turns, on every device; empty where none did, and where a method is in AEVB's place."""
        folder = self.shelves.folder("benchmarks", kinds=[".json"])
        return read_contests(folder) if folder and self.method == AEVB_ITSELF else pd.DataFrame()

    @cached_property
    def benchmarks(self) -> pd.DataFrame:
        """What was timed, on every device, a row for each case; empty where nothing was."""
        parts = ("benchmarks",) if self.method == AEVB_ITSELF else ("benchmarks", METHODS_FOLDER)
        folder = self.shelves.folder(*parts, kinds=[".json"])
        return read_cases(folder) if folder else pd.DataFrame()

    def hours(self, source: Source) -> Hours | None:
        """What a claim's measurements took, by the kind of device; None where nothing tells it.

        On a CPU each run, part of a study and benchmark computes on one core. Runs that a GPU computes together share
        its time.
        """
        if source.task == "figure" and int(source.name) not in EXPERIMENTS:
            return None
        if source.task == "benchmark":
            timed = self.benchmarks
            timed = timed[timed["device_type"] == CPU] if len(timed) else timed
            if timed.empty:
                return None
            took = _by_kind(timed["seconds"] * timed["rounds"], timed)
            turns = self.contests
            turns = turns[turns["device_type"] == CPU] if len(turns) else turns
            return took + _by_kind(turns["spent"], turns) if len(turns) else took
        if source.task == "study":
            tables = {name: self.study(source.name, name) for name in PARTS[source.name]}
            spent = [_spent(rows, PARTS[source.name][name]) for name, rows in tables.items() if len(rows)]
            return sum(spent, Hours(0.0, 0.0)) if spent else None
        runs = self.runs(int(source.name))
        methods = source.with_method(self.method).methods
        runs = runs[runs["method"].isin(methods)] if methods else runs
        return _by_kind(_run_seconds(runs), runs) if len(runs) else None

    def _published(self, figure: int) -> pd.DataFrame:
        if figure not in self._papers:
            self._papers[figure] = read_published(figure)
        return self._papers[figure]

    def _figure(self, number: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Curves and runs, of the paper's own panels and methods, and of the one in AEVB's place."""
        if number not in self._figures:
            experiment = EXPERIMENTS[number]
            curves, runs = collect(self._folders(number), experiment.key, experiment.measure)
            self._figures[number] = self._papers_own(curves, experiment), self._papers_own(runs, experiment)
        return self._figures[number]

    def _folders(self, number: int) -> list[RunFolder]:
        """Those of the protocol that hold a figure's runs."""
        folders = self.shelves.curves(EXPERIMENTS[number], self.protocol, {})
        return [folder for folder in folders if folder.config.protocol == self.protocol]

    def _papers_own(self, table: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
        names = zip(table["dataset"], table[experiment.size], table["method"], strict=True)
        methods = {*experiment.methods, self.method}
        kept = [size in experiment.panels.get(data, ()) and method in methods for data, size, method in names]
        return table[np.array(kept, dtype=bool)]


def _run_seconds(runs: pd.DataFrame) -> pd.Series:
    """Training and evaluation of each of these runs."""
    training = runs["samples"].astype(float) / runs["samples_per_second"].astype(float)
    return training.fillna(0) + runs["evaluation_seconds"].astype(float).fillna(0)


def _by_kind(seconds: pd.Series, rows: pd.DataFrame) -> Hours:
    """Rows whose kind of device is not recorded, as none was in older tables, are of a CPU."""
    on_gpu = rows["device_type"] == GPU if "device_type" in rows else pd.Series(False, rows.index)
    return Hours(float(seconds[~on_gpu].sum()) / HOUR, float(seconds[on_gpu].sum()) / HOUR)


def _spent(rows: pd.DataFrame, part: Sequence[str]) -> Hours:
    """Of a study's table: of its runs, which alone may be of a GPU, or of its parts."""
    if "samples_per_second" in rows:
        return _by_kind(_run_seconds(rows), rows)
    return Hours(seconds_of(rows, part) / HOUR, 0.0)
