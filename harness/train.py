"""One run from its config to its curve: resume, train, evaluate, record, and survive being stopped."""

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
from aevb.learner import Batch, Learner
from harness.build import RunData, build_learner, load, prepare, training_generator
from harness.config import STEP_SIZE_CANDIDATES, Config
from harness.curve import Progress, grid
from harness.environment import describe
from harness.evaluate import make_evaluator
from harness.store import RunFolder, Status, replacing, write_text

SECONDS_BETWEEN_REPORTS = 0.5
SECONDS_BETWEEN_CHECKPOINTS = 15.0


@dataclass(frozen=True)
class Job:
    """A run and where it finds and leaves things; can be sent to another process."""

    config: Config
    root: Path
    data: Path | None
    device: str


class Interrupted(Exception):
    """The run was asked to stop, and has saved all it computed."""


class Run:
    """A learner on its way along the grid. `step`, `record`, `save`: nothing here knows about processes or screens."""

    def __init__(self, job: Job, folder: RunFolder) -> None:
        self._folder = folder
        self._config = config = job.config
        self._device = torch.device(job.device)
        self._data = prepare(config, load(config, job.data), self._device)
        saved = self._read_checkpoint()
        step_size = saved["progress"]["step_size"] if saved else choose_step_size(config, self._data)
        self._learner = build_learner(config, self._data, step_size)
        self._evaluator = make_evaluator(config, self._data)
        self._generator = training_generator(config, self._device)
        self._progress = Progress(step_size, moments=torch.zeros(2, dtype=torch.float64, device=self._device))
        if saved:
            self._learner.load_state_dict(saved["learner"])
            self._evaluator.load_state_dict(saved["evaluator"])
            self._generator.set_state(saved["generator"].cpu())
            self._progress = Progress(**saved["progress"])
            self._progress.moments = self._progress.moments.to(self._device)

    def train(self, should_stop: Callable[[], bool]) -> Status:
        """Go on to the end of the grid.

        Raises:
            Interrupted: `should_stop` said so; the checkpoint and the status are written.
        """
        progress, config = self._progress, self._config
        next_report = next_save = 0.0
        for target in grid(config.samples, config.points_per_decade, config.first_point):
            if progress.rows and target <= progress.rows[-1]["samples"]:
                continue
            while progress.samples < target:
                self._advance(min(next_report, next_save), target)
                now = time.monotonic()
                if should_stop():
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
                message = f"the bound was no longer finite at {progress.samples:,} samples"
                status = progress.status("diverged", message)
                self._folder.write_status(status)
                return status
        self._save()
        status = progress.status("finished")
        self._folder.write_status(status)
        return status

    def _advance(self, until: float, target: int) -> None:
        """Train up to `target` samples or until the monotonic clock says so; only this is timed."""
        progress = self._progress
        begin = time.perf_counter()
        while progress.samples < target:
            batch = draw_batch(self._data, self._config.batch_size, self._generator)
            info = self._learner.step(batch, self._generator)
            progress.samples += info.samples
            if info.acceptance is not None:
                progress.acceptance = float(info.acceptance)
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
        measured = self._evaluator.measure(self._learner)
        if progress.batches and self._config.measure == "lower_bound":
            mean, error = progress.running_mean()
            measured = {"train": {"lower_bound": mean, "standard_error": error}, **measured}
        if progress.acceptance is not None:
            # Zero where the training chains are stuck or their proposals not finite.
            measured = {split: {**values, "acceptance": progress.acceptance} for split, values in measured.items()}
        if not all(math.isfinite(values[self._config.measure]) for values in measured.values()):
            return False
        progress.rows += [
            {"split": split, "samples": progress.samples, **values, "seconds": progress.seconds}
            for split, values in measured.items()
        ]
        progress.batches = 0
        progress.moments.zero_()
        if self._evaluator.pointwise:
            state = {"model": self._learner.model.state_dict(), "log_likelihood": self._evaluator.pointwise}
            with replacing(self._folder.snapshot(progress.samples)) as temporary:
                torch.save(state, temporary)
        self._folder.write_curve(progress.rows)
        return True

    def _save(self) -> None:
        state = {
            "learner": self._learner.state_dict(),
            "evaluator": self._evaluator.state_dict(),
            "generator": self._generator.get_state(),
            "progress": dict(vars(self._progress)),
        }
        with replacing(self._folder.checkpoint) as temporary:
            torch.save(state, temporary)

    def _read_checkpoint(self) -> dict[str, Any] | None:
        path = self._folder.checkpoint
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location=self._device, weights_only=True)
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"a checkpoint must be whole; {path}: {reason}; compute the run anew with --force"
            ) from error
        return state


def draw_batch(data: RunData, size: int, generator: torch.Generator) -> Batch:
    """`size` training points, uniformly with replacement, or all of them for 0; binarized here if that is dynamic."""
    n, device = len(data.train), data.train.device
    if size:
        indices = torch.randint(n, (size,), device=device, generator=generator)
        x = data.train.index_select(0, indices)
    else:
        indices, x = torch.arange(n, device=device), data.train
    return Batch(torch.bernoulli(x, generator=generator) if data.dynamic else x, indices)


def choose_step_size(config: Config, data: RunData) -> float:
    """The config's η; for "auto" the candidate with the best training bound after the first iterations.

    The mean bound of each candidate's last fifth of `auto_steps` iterations decides; what is not finite loses. These
    iterations are not counted on the axis (Kingma & Welling 2013, section 5).
    """
    if config.step_size != "auto":
        return config.step_size
    results = {}
    for step_size in STEP_SIZE_CANDIDATES:
        learner: Learner = build_learner(config, data, step_size)
        generator = training_generator(config, data.train.device)
        bounds = []
        for _ in range(config.auto_steps):
            bound = learner.step(draw_batch(data, config.batch_size, generator), generator).bound
            if bound is None:
                raise UserError(f"step_size auto compares lower bounds, which {config.method} has not; name a number")
            bounds.append(bound.mean())
        mean = float(torch.stack(bounds[-max(config.auto_steps // 5, 1) :]).mean())
        results[step_size] = mean if math.isfinite(mean) else -math.inf
    return max(results, key=lambda step_size: results[step_size])


def run(job: Job, should_stop: Callable[[], bool] = lambda: False) -> Status:
    """Compute a run, or what is missing of it; what is final is left as it is.

    Raises:
        UserError: data, checkpoint or folder are not fit for it.
        Interrupted: `should_stop` said so.
    """
    folder = RunFolder(job.root, job.config)
    with folder.lock():
        status = folder.status()
        if status is not None and status.final:
            return status
        try:
            folder.begin(describe(torch.device(job.device)))
            return Run(job, folder).train(should_stop)
        except Interrupted:
            raise
        except Exception as error:
            write_text(folder.path / "error.txt", traceback.format_exc())
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            folder.write_status(Status("failed", message=f"{type(error).__name__}: {reason}"))
            raise
