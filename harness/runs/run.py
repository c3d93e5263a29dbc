"""One run's files, learner and curve."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aevb.encoder import GaussianEncoder
from aevb.errors import UserError
from aevb.fast.products import openblas_kernels
from aevb.places import short_name
from aevb.trained import describe, is_described
from harness.runs.build import RunData, build_learner
from harness.runs.checkpoint import other_version, read_checkpoint
from harness.runs.curve import Progress, passes_power_of_ten
from harness.runs.divergence import explain
from harness.runs.evaluate import encode, make_evaluator
from harness.runs.job import Job
from harness.runs.learners import engine_of
from harness.runs.steps import choose_step_size, library, samples_per_step
from harness.runs.streams import stream
from harness.runs.tape import Tape
from harness.store.files import remove
from harness.store.locks import Hold
from harness.store.status import State, Status
from harness.store.tensors import is_whole, save

ENCODED = 3_000  # test points on the map of a model with two latent variables


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
        before = self.folder.status() or Status("running")
        notes = [f"{name} was damaged and is mended" for name in damaged]
        self._remove_damaged_models(notes)
        saved = read_checkpoint(self.folder, config.id, self._device, notes)
        if not saved:
            self._begin_anew(before, damaged, notes)
        multiplied = saved["progress"].get("library", "") if saved else job.library
        self.library = library(config, data, job.engine, multiplied)
        self._environment = environment | {"products": self.library}
        if self.library == "openblas":
            self._environment["kernels"] = openblas_kernels()
        if not before.completed:  # else it is left as it is until all is ready
            self._open(saved)
        step_size = (
            saved["progress"]["step_size"]
            if saved
            else choose_step_size(config, data, job.engine, should_stop, self.library)
        )
        self.learner = build_learner(config, data, step_size, job.engine)
        self.tape = Tape(config, data, self.learner)
        self.generator = stream("training", config.seed, self._device)
        self.progress = Progress(step_size)
        self._evaluator = make_evaluator(config, data)
        if saved:
            self._restore(saved)
        self.progress.library = self.library
        if before.completed:
            self._open(saved)
        # What an earlier end had beyond the checkpoint is computed again.
        self._completed = min(before.completed, self.progress.samples)
        self._saved = self.progress.samples, len(self.progress.rows)
        self.steps = 0  # that this process takes
        if not saved and job.engine != engine_of(config, job.engine):
            own = ", ".join(map(short_name, config.places))
            notes.append(f"gradients from autograd, since there are none by hand for {own}")
        encoder = self.learner.encoder
        if not saved and encoder is not None and not is_described(encoder):
            notes.append(
                f"models are kept without the {type(encoder).__name__}, as encoders other than ours are not kept"
            )
        self.progress.notes += notes
        if "curve.csv" in damaged or (self.progress.rows and not self.folder.curve.exists()):
            self.folder.write_curve(self.progress.rows, durable=True)
        self.report("running")

    def _begin_anew(self, before: Status, damaged: Sequence[str], notes: list[str]) -> None:
        """There is no checkpoint: what a whole curve holds is not thrown away for that; what was kept of others is."""
        if before.completed and not {"curve.csv", "status.json"} & {*damaged}:
            why = f" ({', '.join(notes)})" if notes else ""
            raise UserError(
                f"a run must have its checkpoint to go on; {self.config.name} has {before.completed:,} samples and "
                f"none{why}: compute it anew with --force, or choose another --results DIR"
            )
        for samples in {*self.folder.model_samples(), *self.folder.estimated_samples()}:
            self.folder.forget_model(samples)
        if notes:
            notes.append("began anew, for want of a whole checkpoint")

    def _open(self, saved: Mapping[str, Any]) -> None:
        self.folder.reopen()
        self._earlier = self.folder.environments_or(saved.get("environments", []))
        self._environments = self.folder.begin(self._environment, self._earlier)

    def share(self, runs: int) -> None:
        """Note in its record how many runs its stack has, itself among them; only then is that known."""
        self._hold.check()
        environment = self._environment | {"runs_in_stack": runs}
        self._environments = self.folder.write_environments(self._earlier, environment)

    def record(self) -> None:
        """Log a point of the grid, and keep the model at a power of ten; where it is not finite the run is over."""
        rows = self._measure()
        if rows is None:
            return
        before, least = self.progress.last_point, self.config.first_point
        self.progress.log(rows)
        if passes_power_of_ten(max(before, least - 1), self.progress.samples):
            self._keep()
            self.progress.kept.append(self.progress.samples)
        self.folder.write_curve(self.progress.rows)

    def finish(self) -> None:
        """It is as far as it was to go.

        An end off the grid is logged too, and leaves no trace in what goes on from here: the checkpoint is written
        before that point is measured, which moves chains and counters.
        """
        progress = self.progress
        rows: list[dict[str, Any]] = []
        on_grid = progress.last_point == progress.samples
        if on_grid:
            self._keep()
        if self._saved != (progress.samples, len(progress.rows)):
            self.save()
        if not on_grid:
            measured = self._measure()
            if measured is None:
                return
            rows = measured
            self._keep()
        self.folder.write_curve([*progress.rows, *rows], durable=True)
        for samples in self.folder.model_samples():
            if samples not in (*progress.kept, progress.samples):  # the end of a shorter run
                self.folder.forget_model(samples)
        self._completed = progress.samples
        self._end("finished")

    def _measure(self) -> list[dict[str, Any]] | None:
        """Rows of the curve as of now; None where they are not finite, and the run has diverged and is over."""
        progress, config = self.progress, self.config
        self._hold.check()
        begin = time.perf_counter()
        measured = self._evaluator.measure(self.learner, progress.samples)
        progress.evaluation_seconds += time.perf_counter() - begin
        if progress.batches and config.measure == "lower_bound":
            mean, error = progress.running_mean()
            measured = {"train": {"lower_bound": mean, "standard_error": error}, **measured}
        if not all(math.isfinite(values[config.measure]) for values in measured.values()):
            measure = config.measure.replace("_", " ")
            if progress.rows:
                self.folder.write_curve(progress.rows, durable=True)
            per_step = samples_per_step(config, self.data)
            why = explain(config, self.data, self.learner, progress, per_step)
            self._end("diverged", f"the {measure} was no longer finite at {progress.samples:,} samples: {why}")
            return None
        chains = self.learner.diagnostics()
        return [
            {"split": split, "samples": progress.samples, **values, **chains, "seconds": progress.seconds}
            for split, values in measured.items()
        ]

    def _keep(self) -> None:
        """Leave the model as it is now."""
        model, encoder = self.learner.model, self.learner.encoder
        content = describe(model, encoder if is_described(encoder) else None)
        for name in ("model", "encoder"):
            if content[name] is not None:  # of a stack, parameters are parts of larger tensors
                content[name] = {key: tensor.cpu().clone() for key, tensor in content[name].items()}
        content |= {"run": self.config.id, "samples": self.progress.samples, "image_shape": self.data.image_shape}
        content |= {"log_likelihood": {split: nats.cpu() for split, nats in self._evaluator.pointwise.items()}}
        if isinstance(encoder, GaussianEncoder) and model.n_latent == 2:
            points = self.data.test_points[:ENCODED]
            content["encoded"] = encode(model, encoder, points)
        save(content, self.folder.model(self.progress.samples))

    def _end(self, state: State, message: str = "") -> None:
        """Nothing more is computed now."""
        self._hold.check()
        self.status = self._status(state, message)
        self.folder.write_status(self.status)

    def _status(self, state: State, message: str = "") -> Status:
        return replace(self.progress.status(state, self._completed, message), steps=self.steps)

    def report(self, state: State) -> None:
        """Say how far it is."""
        self._hold.check()
        self.folder.write_status(self._status(state))

    def save(self) -> None:
        """Write a checkpoint."""
        self._hold.check()
        state = {
            "run": self.config.id,
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

    def _remove_damaged_models(self, notes: list[str]) -> None:
        """A model that is not whole goes, lest it be shown; that of the end is kept anew, for others later ones do."""
        for samples in self.folder.model_samples():
            if not is_whole(self.folder.model(samples)):
                remove(self.folder.model(samples))
                notes.append(f"the model at {samples:,} samples was damaged")

    def _restore(self, saved: Mapping[str, Any]) -> None:
        try:
            self.learner.load_state_dict(saved["learner"])
            self._evaluator.load_state_dict(saved["evaluator"])
            self.progress = Progress(**saved["progress"])
            if not isinstance(self.progress.rows, list):
                raise TypeError("no rows")
            self.tape.load_state_dict(saved["tape"])
            self.generator.set_state(saved["generator"].cpu())
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise other_version(self.folder.checkpoint) from error
