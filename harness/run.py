"""One run's files, learner and curve."""

import io
import math
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from aevb.errors import UserError
from harness.build import RunData, build_learner
from harness.config import Config
from harness.curve import Progress
from harness.evaluate import make_evaluator
from harness.files import write_bytes
from harness.store import RunFolder, State, Status
from harness.streams import stream
from harness.tape import Tape
from harness.trainer import choose_step_size


@dataclass(frozen=True)
class Job:
    """A run and where it finds and leaves things; can be sent to another process."""

    config: Config
    root: Path
    data: Path | None
    device: str
    engine: str = "fast"

    @property
    def folder(self) -> RunFolder:
        """The run's files."""
        return RunFolder(self.root, self.config)


class Run:
    """A learner on its way along the grid; nothing here knows about processes or screens."""

    def __init__(self, job: Job, data: RunData, should_stop: Callable[[], bool]) -> None:
        self.config = config = job.config
        self.data = data
        self.folder = job.folder
        self.status: Status | None = None
        self._device = data.train.device
        saved = self._read_checkpoint()
        step_size = saved["progress"]["step_size"] if saved else choose_step_size(config, data, job.engine, should_stop)
        self.learner = build_learner(config, data, step_size, job.engine)
        self.tape = Tape(config, data, self.learner)
        self.generator = stream("training", config.seed, self._device)
        self.progress = Progress(step_size)
        self._evaluator = make_evaluator(config, data)
        if saved:
            self.learner.load_state_dict(saved["learner"])
            self.tape.load_state_dict(saved["tape"])
            self._evaluator.load_state_dict(saved["evaluator"])
            self.generator.set_state(saved["generator"].cpu())
            self.progress = Progress(**saved["progress"])

    def record(self) -> None:
        """Log a point; where it is not finite the run has diverged and is over."""
        progress, config = self.progress, self.config
        begin = time.perf_counter()
        measured = self._evaluator.measure(self.learner)
        progress.evaluation_seconds += time.perf_counter() - begin
        if progress.batches and config.measure == "lower_bound":
            mean, error = progress.running_mean()
            measured = {"train": {"lower_bound": mean, "standard_error": error}, **measured}
        if not all(math.isfinite(values[config.measure]) for values in measured.values()):
            measure = config.measure.replace("_", " ")
            self.end("diverged", f"the {measure} was no longer finite at {progress.samples:,} samples")
            return
        chains = self.learner.diagnostics()
        progress.log(
            [
                {"split": split, "samples": progress.samples, **values, **chains, "seconds": progress.seconds}
                for split, values in measured.items()
            ]
        )
        if self._evaluator.pointwise:
            state = {"model": self.learner.model.state_dict(), "log_likelihood": self._evaluator.pointwise}
            save(state, self.folder.snapshot(progress.samples))
        self.folder.write_curve(progress.rows)

    def end(self, state: State, message: str = "") -> None:
        """Nothing more will be computed."""
        if state == "finished":
            self.save()
        self.status = self.progress.status(state, message)
        self.folder.write_status(self.status)

    def report(self, state: State) -> None:
        """Say how far it is."""
        self.folder.write_status(self.progress.status(state))

    def save(self) -> None:
        """Write a checkpoint."""
        state = {
            "device": self._device.type,
            "learner": self.learner.state_dict(),
            "evaluator": self._evaluator.state_dict(),
            "tape": self.tape.state_dict(),
            "generator": self.generator.get_state(),
            "progress": dict(vars(self.progress)),
        }
        save(state, self.folder.checkpoint)

    def _read_checkpoint(self) -> dict[str, Any] | None:
        path = self.folder.checkpoint
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location=self._device, weights_only=True)
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise UserError(
                f"a checkpoint must be whole; {path}: {reason}; compute the run anew with --force"
            ) from error
        if "tape" not in state:
            raise UserError(
                f"a checkpoint must be of this version; {path} is of an older one: compute the run anew with --force"
            )
        if state["device"] != self._device.type:
            raise UserError(
                f"a run must end on the kind of device it began on; {path} is of {state['device']}, got "
                f"{self._device.type}: use --device {state['device']}, or compute the run anew with --force"
            )
        return state


def save(state: dict[str, Any], path: Path) -> None:
    """Write tensors and plain values atomically."""
    buffer = io.BytesIO()  # a full disk is then the store's to report
    torch.save(state, buffer)
    write_bytes(path, buffer.getbuffer())
