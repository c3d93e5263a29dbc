"""A run, how far it is to go, and where."""

import os
from dataclasses import dataclass
from pathlib import Path

from aevb.errors import UserError
from aevb.places import is_place
from harness.experiments.config import Config
from harness.store.run_folder import RunFolder
from harness.store.tensors import is_whole

MOST_SAMPLES = 10**18


def source(dataset: str) -> Path:
    """Where a user's data come from: the absolute path of a file; the place of a loader stays as it is."""
    return Path(dataset) if is_place(dataset) else Path(os.path.expanduser(dataset)).absolute()


@dataclass(frozen=True)
class Job:
    """A run, how far it is to go, and where it finds and leaves things; can be sent to another process.

    Attributes:
        config: of the run.
        samples: training samples to evaluate at least, as the paper's x axes count them.
        root: folder of runs.
        data: folder to look for datasets in, or the `source` of the user's own.
        device: "cpu" or "cuda".
        engine: "fast" or "reference".
        command: that asked for it.
        library: what is to multiply on a CPU, for a run that begins; "" for what is fastest.
        for_model: the model is wanted, not the curve alone.

    Raises:
        UserError: the number of samples is not one.
    """

    config: Config
    samples: int
    root: Path
    data: Path | None
    device: str
    engine: str = "fast"
    command: str = ""
    library: str = ""
    for_model: bool = False

    def __post_init__(self) -> None:
        """Check the length."""
        if not 1 <= self.samples <= MOST_SAMPLES:
            raise UserError(f"samples must be from 1 to {MOST_SAMPLES:g}, got {self.samples}: choose another")

    @property
    def folder(self) -> RunFolder:
        """The run's files."""
        return RunFolder(self.root, self.config)

    def is_done(self) -> bool:
        """Nothing is left to compute or to mend."""
        folder = self.folder
        if not folder.is_done(self.samples):
            return False
        status = folder.status()
        if not self.for_model or status is None or status.state == "diverged":
            return True
        kept = [n for n in folder.model_samples() if n >= self.samples]  # whichever of them is to be shown
        return bool(kept) and all(is_whole(folder.model(n)) for n in kept)

    def lacks_records_alone(self) -> bool:
        """All is there that computing gives, but no checkpoint to mend the rest from: config or environments."""
        folder, status = self.folder, self.folder.status()
        if self.for_model or folder.is_stale() or status is None or not status.reaches(self.samples):
            return False
        checkpoints = (folder.checkpoint, folder.previous_checkpoint)
        return not {"curve.csv", "status.json"} & {*folder.damaged()} and not any(map(is_whole, checkpoints))
