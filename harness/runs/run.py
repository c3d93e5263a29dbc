"""One run's files, learner and curve."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aevb.errors import UserError
from harness.experiments.config import Config
from harness.runs.build import RunData, build_learner
from harness.runs.curve import Progress
from harness.runs.evaluate import make_evaluator
from harness.runs.steps import choose_step_size
from harness.runs.streams import stream
from harness.runs.tape import Tape
from harness.store.checksums import Damaged
from harness.store.locks import Hold
from harness.store.run_folder import RunFolder
from harness.store.status import State, Status
from harness.store.tensors import is_whole, load_saved, save


@dataclass(frozen=True)
class Job:
    """A run and where it finds and leaves things; can be sent to another process.

    Attributes:
        config: of the run.
        root: folder of runs.
        data: folder to look for datasets in, or the user's array.
        device: "cpu" or "cuda".
        engine: "fast" or "reference".
        for_model: the model is wanted, not the curve alone.
    """

    config: Config
    root: Path
    data: Path | None
    device: str
    engine: str = "fast"
    for_model: bool = False

    @property
    def folder(self) -> RunFolder:
        """The run's files."""
        return RunFolder(self.root, self.config)

    def is_done(self) -> bool:
        """Nothing is left to compute or to mend."""
        return self.folder.is_done() and not (self.for_model and not is_whole(self.folder.checkpoint))


class Run:
    """A learner on its way along the grid; nothing here knows about processes or screens.

    Raises:
        UserError: the checkpoint is of another version or kind of device; later, the folder was taken away.
    """

    def __init__(
        self, job: Job, data: RunData, environment: dict[str, Any], should_stop: Callable[[], bool], hold: Hold
    ) -> None:
        self.config = config = job.config
        self._hold = hold
        self.data = data
        self.folder = job.folder
        self.status: Status | None = None
        self._device = data.train.device
        damaged = self.folder.damaged()
        self.folder.reopen()
        notes = [f"{name} was damaged and is mended" for name in damaged]
        saved = self._read_checkpoint(notes)
        self._environments = self.folder.begin(environment, saved.get("environments", []))
        step_size = saved["progress"]["step_size"] if saved else choose_step_size(config, data, job.engine, should_stop)
        self.learner = build_learner(config, data, step_size, job.engine)
        self.tape = Tape(config, data, self.learner)
        self.generator = stream("training", config.seed, self._device)
        self.progress = Progress(step_size)
        self._evaluator = make_evaluator(config, data)
        if saved:
            self._restore(saved)
        self._saved = self.progress.samples, len(self.progress.rows)
        self.progress.notes += notes
        if "curve.csv" in damaged or (self.progress.rows and not self.folder.curve.exists()):
            self.folder.write_curve(self.progress.rows, durable=True)

    def record(self) -> None:
        """Log a point; where it is not finite the run has diverged and is over."""
        progress, config = self.progress, self.config
        self._hold.check()
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
        self._hold.check()
        if state == "finished" and self._saved != (self.progress.samples, len(self.progress.rows)):
            self.save()
        if self.progress.rows:
            self.folder.write_curve(self.progress.rows, durable=True)
        self.status = self.progress.status(state, message)
        self.folder.write_status(self.status)

    def report(self, state: State) -> None:
        """Say how far it is."""
        self._hold.check()
        self.folder.write_status(self.progress.status(state))

    def save(self) -> None:
        """Write a checkpoint."""
        self._hold.check()
        state = {
            "device": self._device.type,
            "learner": self.learner.state_dict(),
            "evaluator": self._evaluator.state_dict(),
            "tape": self.tape.state_dict(),
            "generator": self.generator.get_state(),
            "progress": dict(vars(self.progress)),
            "environments": self._environments,
        }
        save(state, self.folder.checkpoint, self.folder.previous_checkpoint)
        self._saved = self.progress.samples, len(self.progress.rows)

    def _read_checkpoint(self, notes: list[str]) -> dict[str, Any]:
        """The last whole one, or {}; what is damaged is removed, lest it be kept as the previous one, and noted."""
        for path in (self.folder.checkpoint, self.folder.previous_checkpoint):
            try:
                state = load_saved(path, self._device)
            except FileNotFoundError:
                continue
            except Damaged:
                path.unlink()
                notes.append(f"{path.name} was damaged")
                continue
            self._check(state, path)
            if notes and path == self.folder.previous_checkpoint:
                notes.append(f"went on from the previous checkpoint, at {state['progress']['samples']:,} samples")
            return state
        if notes:
            notes.append("began anew, for want of a whole checkpoint")
        return {}

    def _check(self, state: Mapping[str, Any], path: Path) -> None:
        if "tape" not in state:
            raise _other_version(path)
        if state["device"] != self._device.type:
            raise UserError(
                f"a run must end on the kind of device it began on; {path} is of {state['device']}, got "
                f"{self._device.type}: use --device {state['device']}, or compute the run anew with --force"
            )

    def _restore(self, saved: Mapping[str, Any]) -> None:
        try:
            self.learner.load_state_dict(saved["learner"])
            self._evaluator.load_state_dict(saved["evaluator"])
            self.progress = Progress(**saved["progress"])
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise _other_version(self.folder.checkpoint) from error
        self.tape.load_state_dict(saved["tape"])
        self.generator.set_state(saved["generator"].cpu())


def _other_version(path: Path) -> UserError:
    return UserError(
        f"a checkpoint must be of this version; {path} is of another one: compute the run anew with --force"
    )
