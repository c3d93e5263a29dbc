"""What the reparameterization study computes, in parts that are kept: a training run, its stages, learning curves."""

import itertools
import math
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from aevb.aevb import AEVB
from aevb.data import load_dataset
from aevb.encoder import GaussianEncoder
from aevb.estimators import evaluate_lower_bound, lower_bound_a, lower_bound_b, standard_normal
from aevb.learner import AscentOptions, Batch, Learner
from aevb.model import BernoulliModel, GenerativeModel
from baselines.score_function import ScoreFunction
from harness.curve import grid
from harness.files import write_bytes, write_text
from harness.gradient_noise import estimator_of, gradient, measure_noise, simulated_variance
from harness.gradient_table import BASELINE, ESTIMATORS, NAIVE, A, B
from harness.streams import stream

BATCH, STEP_SIZE = 100, 0.02  # of the training run, as for the paper's MNIST curves
POINTS_PER_DECADE = 5


@dataclass(frozen=True)
class Study:
    """Size of the study.

    Attributes:
        stages: training samples after which gradients are measured.
        points: training points to measure them at.
        draws: at each of these.
        replicates: minibatches in each direct simulation.
        curve_samples: datapoints visited in a learning curve.
        seeds: of the learning curves.
        n_latent: size of z.
        hidden: tanh units of encoder and decoder, as in the paper's figure 3.
        n_samples: values of L.
        batch_sizes: values of M.
        simulated: pairs (L, M) that are simulated directly too.
        step_sizes: the paper's candidates; each estimator's curve is drawn with its best.
        long_curves: pairs (M, L) of further learning curves with estimator B.
        test_points: that the learning curves are evaluated on.
    """

    stages: tuple[int, ...] = (0, 50_000, 500_000)
    points: int = 2000
    draws: int = 32
    replicates: int = 200
    curve_samples: int = 200_000
    seeds: tuple[int, ...] = (0, 1)
    n_latent: int = 10
    hidden: tuple[int, ...] = (100,)
    n_samples: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100)
    batch_sizes: tuple[int, ...] = (1, 10, 100, 1000)
    simulated: tuple[tuple[int, int], ...] = ((1, 1), (1, 100), (10, 10), (100, 1))
    step_sizes: tuple[float, ...] = (0.01, 0.02, 0.1)
    long_curves: tuple[tuple[int, int], ...] = ((100, 10), (10, 1), (10, 10))
    test_points: int = 1000


@dataclass(frozen=True)
class Training:
    """AEVB with estimator B; the learner is kept at every stage."""

    study: Study
    folder: Path

    @property
    def name(self) -> str:
        """For people."""
        return "training"

    def checkpoint(self, stage: int) -> Path:
        """Where the learner is kept."""
        return self.folder / "parts" / f"training-{stage}.pt"

    @property
    def file(self) -> Path:
        """The last of them."""
        return self.checkpoint(self.study.stages[-1])

    def compute(self) -> None:
        """Train on from the last stage that is kept."""
        train, generator = load_dataset("mnist").train, stream("training")
        learner: Any = _learner(self.study, B, 1, STEP_SIZE, 0, len(train))
        samples = 0
        for stage in self.study.stages:
            path = self.checkpoint(stage)
            if path.exists():
                kept = torch.load(path, weights_only=True)
                learner.load_state_dict(kept["learner"])
                generator.set_state(kept["generator"])
                samples = stage
                continue
            while samples < stage:
                samples += learner.step(_batch(train, BATCH, generator), generator).samples
            content = BytesIO()
            torch.save({"learner": learner.state_dict(), "generator": generator.get_state()}, content)
            write_bytes(path, content.getbuffer())


@dataclass(frozen=True)
class Stage:
    """Variances of all gradient estimators at one stage of the training."""

    study: Study
    folder: Path
    samples: int

    @property
    def name(self) -> str:
        """For people."""
        return f"gradients after {self.samples:,} samples"

    @property
    def file(self) -> Path:
        """Where its rows are kept."""
        return self.folder / "parts" / f"stage-{self.samples}.csv"

    def compute(self) -> None:
        """Measure, simulate, and keep a row for each estimator, L and M."""
        began = time.perf_counter()
        study, train, generator = self.study, load_dataset("mnist").train, stream("gradient noise")
        model, encoder = _fresh(study, 0)
        kept = torch.load(Training(study, self.folder).checkpoint(self.samples), weights_only=True)["learner"]
        model.load_state_dict(kept["model"])
        encoder.load_state_dict(kept["encoder"])
        x, others = _batch(train, study.points, generator).x, _batch(train, study.points, generator).x
        # What the running mean over earlier minibatches would be, from points and noise of its own.
        eps = standard_normal((1, study.points, study.n_latent), others, generator)
        with torch.no_grad():
            baseline = float(lower_bound_a(model, encoder, others, eps).mean())
        noise = measure_noise(model, encoder, x, study.draws, baseline, generator)

        def simulate(estimator: str, n_samples: int, batch_size: int) -> tuple[float, float]:
            bound = estimator_of(estimator, baseline, n_samples)

            def one() -> Tensor:
                batch = _batch(train, batch_size, generator).x
                eps = standard_normal((n_samples, batch_size, study.n_latent), batch, generator)
                return gradient(bound(model, encoder, batch, eps), encoder)

            return simulated_variance(one, study.replicates)

        rows = []
        for estimator, n_samples in itertools.product(ESTIMATORS, study.n_samples):
            trace, theirs = (noise.contributions(name, n_samples) for name in (estimator, B))
            ratio = float(trace.mean() / theirs.mean())
            for batch_size in study.batch_sizes:
                wanted = (n_samples, batch_size) in study.simulated
                found = simulate(estimator, n_samples, batch_size) if wanted else (math.nan, math.nan)
                unit = batch_size * noise.n_coordinates
                rows.append(
                    {
                        "stage": self.samples,
                        "estimator": estimator,
                        "n_samples": n_samples,
                        "batch_size": batch_size,
                        "variance": float(trace.mean()) / unit,
                        "standard_error": _error(trace) / unit,
                        "simulated": found[0],
                        "simulated_error": found[1],
                        "between_datapoints": float(noise.between.mean()) / unit,
                        "ratio_to_b": ratio,
                        "ratio_error": _error(trace - ratio * theirs) / float(theirs.mean()),
                        "signal": noise.signal / noise.n_coordinates,
                        "signal_error": noise.signal_error / noise.n_coordinates,
                    }
                )
        seconds = time.perf_counter() - began
        write_text(self.file, pd.DataFrame(rows).assign(seconds=seconds).to_csv(index=False))


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
    def file(self) -> Path:
        """Where its rows are kept."""
        estimator = self.estimator.replace(", ", "-").replace(" ", "-")
        sizes = f"m{self.batch_size}-l{self.n_samples}-eta{self.step_size:g}-seed{self.seed}"
        return self.folder / "parts" / f"curve-{estimator}-{sizes}.csv"

    def compute(self) -> None:
        """Train and keep a row for each logged point; a run ends where its bound is not finite."""
        data, generator = load_dataset("mnist"), stream("training", self.seed)
        test = data.test[: self.study.test_points]
        learner = _learner(self.study, self.estimator, self.n_samples, self.step_size, self.seed, len(data.train))
        began, samples, rows = time.perf_counter(), 0, []
        for point in grid(self.study.curve_samples, POINTS_PER_DECADE, self.study.curve_samples // 20):
            bounds = []
            while samples < point:
                step = learner.step(_batch(data.train, self.batch_size, generator), generator)
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
        write_text(self.file, pd.DataFrame(rows).to_csv(index=False))


def compute_part(part: Training | Stage | Curve) -> None:
    """In a worker."""
    part.compute()


def _fresh(study: Study, seed: int) -> tuple[GenerativeModel, GaussianEncoder]:
    weights = stream("weights", seed)
    model = BernoulliModel(study.n_latent, 784, study.hidden, generator=weights)
    return model, GaussianEncoder(784, study.n_latent, study.hidden, generator=weights)


def _learner(study: Study, estimator: str, n_samples: int, step_size: float, seed: int, n: int) -> Learner:
    model, encoder = _fresh(study, seed)
    options = AscentOptions(step_size)
    if estimator in (NAIVE, BASELINE):
        return ScoreFunction(model, encoder, n, options, n_samples=n_samples, with_baseline=estimator == BASELINE)
    bound = {A: lower_bound_a, B: lower_bound_b}[estimator]
    return AEVB(model, encoder, n, options, estimator=bound, n_samples=n_samples)


def _batch(train: Tensor, size: int, generator: torch.Generator) -> Batch:
    indices = torch.randint(len(train), (size,), generator=generator)
    return Batch(train[indices], indices)


def _error(values: Tensor) -> float:
    return float(values.std()) / math.sqrt(len(values))
