"""The reparameterization study's gradients at one stage of a training run."""

import itertools
import math
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from aevb.data import load_dataset
from aevb.estimators import lower_bound_a, standard_normal
from harness.runs.streams import stream
from harness.store.tensors import load_saved
from harness.studies.reparameterization.noise import estimator_of, gradient, measure_noise, simulated_variance
from harness.studies.reparameterization.table import ESTIMATORS, B
from harness.studies.reparameterization.training import Study, Training, draw_batch, fresh
from harness.workers.parts import compute_once, folder_of_parts, write_part


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
    def files(self) -> tuple[Path]:
        """Where its rows are kept."""
        return (folder_of_parts(self.folder, self.study) / f"stage-{self.samples}.csv",)

    def compute(self) -> None:
        """Measure, simulate, and keep a row for each estimator, L and M."""
        began = time.perf_counter()
        study, train, generator = self.study, load_dataset("mnist").train, stream("gradient noise", self.samples)
        model, encoder = fresh(study, 0)
        if self.samples:
            training = Training(study, self.folder)
            compute_once(training)  # nothing, unless the stage began before the training run was done
            kept = load_saved(training.model(self.samples))
            model.load_state_dict(kept["model"])
            encoder.load_state_dict(kept["encoder"])
        x, others = draw_batch(train, study.points, generator).x, draw_batch(train, study.points, generator).x
        # What the running mean over earlier minibatches would be, from points and noise of its own.
        eps = standard_normal((1, study.points, study.n_latent), others, generator)
        with torch.no_grad():
            baseline = float(lower_bound_a(model, encoder, others, eps).mean())
        noise = measure_noise(model, encoder, x, study.draws, baseline, generator)

        def simulate(estimator: str, n_samples: int, batch_size: int) -> tuple[float, float]:
            bound = estimator_of(estimator, baseline, n_samples)

            def one() -> Tensor:
                batch = draw_batch(train, batch_size, generator).x
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
        write_part(*self.files, pd.DataFrame(rows).assign(seconds=seconds))


def _error(values: Tensor) -> float:
    return float(values.std()) / math.sqrt(len(values))
