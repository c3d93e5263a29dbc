"""The reader's results, and those that come with the project: what the former lack is taken from the latter."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aevb import shipped
from aevb.errors import UserError
from harness.experiments.config import Config
from harness.experiments.paper import Experiment
from harness.store.notices import tell_once
from harness.store.run_folder import RunFolder
from harness.store.scan import newest_array, older_runs, stored_configs


@dataclass(frozen=True)
class KeptModel:
    """The model of a run, as it was after so many training samples."""

    folder: RunFolder
    samples: int

    @property
    def path(self) -> Path:
        """Its file."""
        return self.folder.model(self.samples)

    @property
    def mark(self) -> str:
        """Whose it is, at the end of names of files that are computed from it."""
        return "-published" if self.folder.published else ""


@dataclass(frozen=True)
class Shelves:
    """The reader's own store, and the published one behind it, which is only read.

    All runs lie in one pool: figures, demos, studies and the report take from it what they need.

    Attributes:
        own: root of the reader's store.
    """

    own: Path

    @property
    def runs(self) -> Path:
        """Where the reader's runs are kept."""
        return self.own / "runs"

    def own_run(self, config: Config) -> RunFolder:
        """The reader's run, whether it is there or not."""
        return RunFolder(self.runs, config)

    def find(self, config: Config) -> RunFolder | None:
        """The reader's run, else the published one; None where there is neither."""
        own = self.own_run(config)
        if state_of(own) not in ("not run", "running", "interrupted") or own.curve.exists():
            return own
        published = _published(config)
        return published if state_of(published) != "not run" else own if state_of(own) != "not run" else None

    def own_runs(self) -> list[RunFolder]:
        """All runs of the reader's; it is told where there are runs of an older version."""
        if older := older_runs(self.own):
            tell_once(f"left out: {len(older)} run(s) of an older version in {self.own}; --migrate brings them over")
        return [RunFolder(self.runs, config) for config in stored_configs(self.runs)]

    def published_runs(self) -> list[RunFolder]:
        """All runs that come with the project; none of them where the reader's store is that of the project."""
        return [] if self._is_the_projects else [_published(config) for config in stored_configs(_published_root())]

    @property
    def _is_the_projects(self) -> bool:
        return self.own.resolve() == shipped.RESULTS.resolve()

    def check_own(self) -> None:
        """Raises UserError where the reader's store is that of the project: nothing is computed into it."""
        if self._is_the_projects:
            raise UserError(
                f"what comes with the project must stay as it is, and {self.own} is that: choose another --results DIR"
            )

    def curves(self, experiment: Experiment, protocol: str, arrays: Mapping[str, str]) -> list[RunFolder]:
        """The reader's runs that are a figure's, and for curves of a protocol that the reader has not, published ones.

        Args:
            experiment: the figure, as this version defines it.
            protocol: of the published runs; the reader's are of any.
            arrays: SHA-256 of users' arrays by name; for others the last one that was worked on counts.
        """
        own = self.own_runs()
        content = {**newest_array(own), **arrays}
        own = [f for f in own if f.config.data_sha256 == content.get(f.config.dataset, "")]
        own = [folder for folder in own if experiment.defines(folder.config)]

        def curve(folder: RunFolder) -> tuple[object, ...]:
            return folder.config.protocol, *(getattr(folder.config, column) for column in experiment.key)

        there = {curve(folder) for folder in own if self.find(folder.config) == folder}
        published = [
            folder
            for folder in self.published_runs()
            if folder.config.protocol == protocol and curve(folder) not in there and experiment.defines(folder.config)
        ]
        return [*own, *published]

    def outreached(self, experiment: Experiment, protocol: str, shown: Iterable[RunFolder]) -> str:
        """That the reader's curves stand for published ones which reach farther; empty where none does.

        Args:
            experiment: the figure.
            protocol: of the curves.
            shown: what `curves` gave.
        """

        def reach(folders: Iterable[RunFolder]) -> dict[tuple[object, ...], int]:
            longest: dict[tuple[object, ...], int] = {}
            for folder in folders:
                curve, status = tuple(getattr(folder.config, column) for column in experiment.key), folder.status()
                longest[curve] = max(status.samples if status else 0, longest.get(curve, 0))
            return longest

        ours = reach(folder for folder in shown if folder.config.protocol == protocol and not folder.published)
        published = (folder for folder in self.published_runs() if folder.config.protocol == protocol)
        theirs = reach(folder for folder in published if experiment.defines(folder.config))
        farther = [samples for curve, samples in theirs.items() if samples > ours.get(curve, math.inf)]
        if not farther:
            return ""
        return (
            f"figure {experiment.figure}: your own runs stand for {len(farther)} published curve(s) that reach "
            f"farther, {max(farther):,} samples; the published ones alone: --results {shipped.RESULTS}"
        )

    def model(self, config: Config, samples: int, *, latest: bool = True) -> KeptModel | None:
        """A model after at least so many samples: the reader's, else the published one; else the latest of either.

        Args:
            config: of the run.
            samples: at least.
            latest: the last one that there is, not the first that is far enough.
        """
        own, published = self.own_run(config), _published(config)
        shelves = [] if own.is_stale() else [own]
        shelves += [published] if state_of(own) != "diverged" else []
        found = [KeptModel(folder, n) for folder in shelves for n in folder.model_samples()]
        enough = [kept for kept in found if kept.samples >= samples]
        if not enough:
            return max(found, key=lambda kept: kept.samples, default=None)
        enough = [kept for kept in enough if kept.folder == enough[0].folder]
        return enough[-1 if latest else 0]

    def place(self, *parts: str) -> Path | None:
        """A file of the reader's store, else of the published one; None where there is neither."""
        own, published = (root.joinpath(*parts) for root in (self.own, shipped.RESULTS))
        return own if own.exists() else published if published.exists() else None

    def folder(self, *parts: str, kinds: Collection[str]) -> Path | None:
        """A folder of the reader's store, else of the published one; None where neither has such a file.

        Args:
            parts: of its path.
            kinds: endings of names, as ".json"; a folder without a file of one of these hides no other.
        """
        for root in (self.own, shipped.RESULTS):
            folder = root.joinpath(*parts)
            if any(path.suffix in kinds for path in folder.glob("*")):
                return folder
        return None

    def is_published(self, path: Path) -> bool:
        """It comes with the project, and is not of the reader's store."""
        return path.is_relative_to(shipped.RESULTS) and not self._is_the_projects


def _published_root() -> Path:
    return shipped.RESULTS / "runs"


def _published(config: Config) -> RunFolder:
    return RunFolder(_published_root(), config, published=True)


def state_of(folder: RunFolder) -> str:
    """The state that a run's status names; "not run" where there is none."""
    status = folder.status()
    if status is None or folder.is_stale():
        return "not run"
    return status.state
