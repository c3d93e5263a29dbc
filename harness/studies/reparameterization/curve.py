"""A learning curve of the reparameterization study."""

import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from aevb.data import load_dataset
from aevb.estimators import evaluate_lower_bound
from harness.runs.curve import points_up_to
from harness.runs.streams import stream
from harness.studies.reparameterization.training import Study, draw_batch, fresh_learner
from harness.workers.parts import folder_of_parts, write_part

POINTS_PER_DECADE = 5


@dataclass(frozen=True)
class Curve:
    """A learning curve: θ and φ from scratch with one estimator of φ's gradient."""

    study: Study
    folder: Path
    estimator: str
    batch_size: int
    n_samples: int
    step_size: float
    seed: int

    @property
    def name(self) -> str:
        """For people."""
        sizes = f"M = {self.batch_size}, L = {self.n_samples}"
        return f"{self.estimator}, {sizes}, step size {self.step_size:g}, seed {self.seed}"

    @property
    def files(self) -> tuple[Path]:
        """Where its rows are kept."""
        estimator = self.estimator.replace(", ", "-").replace(" ", "-")
        sizes = f"m{self.batch_size}-l{self.n_samples}-eta{self.step_size:g}-seed{self.seed}"
        return (folder_of_parts(self.folder, self.study) / f"curve-{estimator}-{sizes}.csv",)

    def compute(self) -> None:
        """Train and keep a row for each logged point; a run ends where its bound is not finite."""
        data, noise = load_dataset("mnist"), stream("training", self.seed)
        minibatches = stream("minibatches", self.seed)  # the same ones, whichever estimator
        test = data.test[: self.study.test_points]
        learner = fresh_learner(self.study, self.estimator, self.n_samples, self.step_size, self.seed, len(data.train))
        began, samples, rows = time.perf_counter(), 0, []
        for point in points_up_to(self.study.curve_samples, POINTS_PER_DECADE, self.study.curve_samples // 20):
            bounds = []
            while samples < point:
                step = learner.step(draw_batch(data.train, self.batch_size, minibatches), noise)
                assert step.bound is not None
                bounds.append(step.bound.mean())
                samples += step.samples
            assert learner.encoder is not None
            on_test = evaluate_lower_bound(learner.model, learner.encoder, test, stream("evaluation"))
            train = float(torch.stack(bounds).mean())
            rows.append(
                {
                    "estimator": self.estimator,
                    "batch_size": self.batch_size,
                    "n_samples": self.n_samples,
                    "step_size": self.step_size,
                    "seed": self.seed,
                    "samples": samples,
                    "evaluations": samples * self.n_samples,
                    "train": train,
                    "test": float(on_test.mean()),
                    "seconds": time.perf_counter() - began,
                }
            )
            if not math.isfinite(train):
                break
        write_part(*self.files, rows)
