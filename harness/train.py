"""One run from its config to its curve: resume, train, evaluate, record, and survive being stopped."""

import io
import math
import pickle
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from aevb.errors import UserError
from harness import schedule
from harness.batches import choose_step_size, draw_batch
from harness.build import build_learner, load, prepare, training_generator
from harness.config import Config
from harness.curve import Progress, grid
from harness.environment import describe
from harness.evaluate import make_evaluator
from harness.files import write_bytes, write_text
from harness.schedule import Interrupted
from harness.store import RunFolder, Status

SECONDS_BETWEEN_REPORTS = 0.5
SECONDS_BETWEEN_CHECKPOINTS = 15.0


@dataclass(frozen=True)
class Job:
    """A run and where it finds and leaves things; can be sent to another process."""

    config: Config
    root: Path
    data: Path | None
    device: str

    @property
    def folder(self) -> RunFolder:
        """The run's files."""
        return RunFolder(self.root, self.config)


class Run:
    """A learner on its way along the grid; nothing here knows about processes or screens."""

    def __init__(self, job: Job, should_stop: Callable[[], bool]) -> None:
        self._should_stop = should_stop
        self._folder = job.folder
        self._config = config = job.config
        self._device = torch.device(job.device)
        self._data = prepare(config, load(config, job.data), self._device)
        saved = self._read_checkpoint()
        step_size = saved["progress"]["step_size"] if saved else choose_step_size(config, self._data, should_stop)
        self._learner = build_learner(config, self._data, step_size)
        self._evaluator = make_evaluator(config, self._data)
        self._generator = training_generator(config, self._device)
        self._progress = Progress(step_size, moments=torch.zeros(2, dtype=torch.float64, device=self._device))
        if saved:
            self._learner.load_state_dict(saved["learner"])
            self._evaluator.load_state_dict(saved["evaluator"])
            self._generator.set_state(saved["generator"].cpu())
            self._progress = Progress(**saved["progress"])

    def train(self) -> Status:
        """Go on to the end of the grid.

        Raises:
            Interrupted: it was told to stop; the checkpoint and the status are written.
        """
        progress, config = self._progress, self._config
        next_report = next_save = 0.0
        for target in grid(config.samples, config.points_per_decade, config.first_point):
            if progress.rows and target <= progress.rows[-1]["samples"]:
                continue
            while progress.samples < target:
                self._advance(min(next_report, next_save), target)
                now = time.monotonic()
                if self._should_stop():
                    self._save()
                    self._folder.write_status(progress.status("interrupted"))
                    raise Interrupted
                if now >= next_save:
                    self._save()
                    next_save = now + SECONDS_BETWEEN_CHECKPOINTS
                if now >= next_report:
                    self._folder.write_status(progress.status("running"))
                    next_report = now + SECONDS_BETWEEN_REPORTS
            if not self._record():
                measure = config.measure.replace("_", " ")
                message = f"the {measure} was no longer finite at {progress.samples:,} samples"
                status = progress.status("diverged", message)
                self._folder.write_status(status)
                return status
        self._save()
        status = progress.status("finished")
        self._folder.write_status(status)
        return status

    def _advance(self, until: float, target: int) -> None:
        """Train up to `target` samples or until the monotonic clock says so; only this counts as training time."""
        progress = self._progress
        begin = time.perf_counter()
        while progress.samples < target:
            batch = draw_batch(self._data, self._config.batch_size, self._generator)
            info = self._learner.step(batch, self._generator)
            progress.samples += info.samples
            if info.bound is not None:
                mean = info.bound.mean(dtype=torch.float64)
                progress.moments += torch.stack((mean, mean * mean))
                progress.batches += 1
            if time.monotonic() >= until:
                break
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        progress.seconds += time.perf_counter() - begin

    def _record(self) -> bool:
        """Log a point and start the next running mean; False, and nothing logged, where it is not finite."""
        progress = self._progress
        begin = time.perf_counter()
        measured = self._evaluator.measure(self._learner)
        progress.evaluation_seconds += time.perf_counter() - begin
        if progress.batches and self._config.measure == "lower_bound":
            mean, error = progress.running_mean()
            measured = {"train": {"lower_bound": mean, "standard_error": error}, **measured}
        if not all(math.isfinite(values[self._config.measure]) for values in measured.values()):
            return False
        chains = self._learner.diagnostics()
        progress.rows += [
            {"split": split, "samples": progress.samples, **values, **chains, "seconds": progress.seconds}
            for split, values in measured.items()
        ]
        progress.batches = 0
        progress.moments.zero_()
        if self._evaluator.pointwise:
            state = {"model": self._learner.model.state_dict(), "log_likelihood": self._evaluator.pointwise}
            save(state, self._folder.snapshot(progress.samples))
        self._folder.write_curve(progress.rows)
        return True

    def _save(self) -> None:
        state = {
            "device": self._device.type,
            "learner": self._learner.state_dict(),
            "evaluator": self._evaluator.state_dict(),
            "generator": self._generator.get_state(),
            "progress": dict(vars(self._progress)),
        }
        save(state, self._folder.checkpoint)

    def _read_checkpoint(self) -> dict[str, Any] | None:
        path = self._folder.checkpoint
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location=self._device, weights_only=True)
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise UserError(
                f"a checkpoint must be whole; {path}: {reason}; compute the run anew with --force"
            ) from error
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


def run(job: Job, should_stop: Callable[[], bool] = lambda: False) -> Status:
    """Compute a run, or what is missing of it; what is final is left as it is.

    Raises:
        UserError: data, checkpoint or folder are not fit for it.
        Interrupted: `should_stop` said so.
    """
    folder = job.folder
    with folder.lock(should_stop) as held:
        if not held:
            raise Interrupted
        if folder.is_stale():
            folder.clear()
        status = folder.status()
        if status is not None and status.final:
            return status
        try:
            folder.begin(describe(torch.device(job.device)))
            return Run(job, should_stop).train()
        except Interrupted:
            raise
        except Exception as error:
            write_text(folder.path / "error.txt", traceback.format_exc())
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            folder.write_status(Status("failed", message=f"{type(error).__name__}: {reason}"))
            raise


def work(job: Job) -> Status:
    """`run` in a worker process."""
    return run(job, schedule.should_stop)
