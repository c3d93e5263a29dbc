"""Better estimates of log p(x) of figure 3's models, beside appendix D's."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aevb.marginal.ais import ais_log_likelihood
from aevb.marginal.chains import posterior_gaussian, start_chains
from aevb.marginal.estimate import MarginalEstimate, UntrustedEstimateWarning
from aevb.marginal.importance import importance_log_likelihood
from aevb.model import GenerativeModel
from harness.runs.build import load, prepare
from harness.runs.job import Job
from harness.runs.kept import read_model
from harness.runs.streams import stream
from harness.store.shelves import KeptModel
from harness.workers.parts import PartsFailed, compute_parts, write_part
from harness.workers.schedule import Failure, Place

IMPORTANCE_POINTS, IMPORTANCE_SAMPLES = 200, 500
AIS_POINTS = 20


@dataclass(frozen=True)
class Snapshot:
    """A model that a run has kept."""

    job: Job
    samples: int

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.job.config.name}, re-estimated at {self.samples:,} samples"

    @property
    def files(self) -> tuple[Path]:
        """Its better estimates."""
        return (self.job.folder.estimates(self.samples),)

    def compute(self) -> None:
        """Importance sampling and AIS on the first evaluated points, beside appendix D's estimates of the same points.

        The proposal is a Gaussian fitted to a chain that starts at the best of 500 prior draws: the same for all three
        algorithms, with encoder or without.

        Raises:
            UserError: the file is damaged, or holds another run's model.
        """
        config, kept = self.job.config, KeptModel(self.job.folder, self.samples)
        model, _, content = read_model(kept)
        data = prepare(config, load(config, self.job.data), torch.device(self.job.device))
        model.to(data.train.device)
        generator = stream("re-estimation", device=data.train.device)
        rows = []
        for split, points in (("train", data.train_points), ("test", data.test_points)):
            appendix_d = content["log_likelihood"][split]
            for name, x, estimate in (
                ("importance", points[:IMPORTANCE_POINTS], _importance),
                ("ais", points[:AIS_POINTS], ais_log_likelihood),
            ):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UntrustedEstimateWarning)  # counted in the column `untrusted`
                    better = estimate(model, x, generator)
                rows.append(
                    {"split": split, "samples": self.samples, "estimator": name, **_compare(better, appendix_d)}
                )
        write_part(*self.files, rows)


def reestimate_all(jobs: Sequence[Job], place: Place) -> list[Failure]:
    """Estimate what has no better estimates yet, in parallel; every finished snapshot is kept.

    Returns:
        What could not be estimated.
    """
    try:
        compute_parts([Snapshot(job, samples) for job in jobs for samples in job.folder.model_samples()], place)
    except PartsFailed as error:
        return [*error.failures]
    return []


def _importance(model: GenerativeModel, x: Tensor, generator: torch.Generator) -> MarginalEstimate:
    proposal, _ = posterior_gaussian(model, x, start_chains(model, x, generator), generator)
    return importance_log_likelihood(model, x, proposal, generator, n_samples=IMPORTANCE_SAMPLES)


def _compare(better: MarginalEstimate, appendix_d: Tensor) -> dict[str, Any]:
    """Means over the points with both estimates; the bias is appendix D's, its error that of paired differences."""
    theirs = appendix_d[: len(better.log_likelihood)].to(better.log_likelihood)
    both = better.log_likelihood.isfinite() & theirs.isfinite()
    bias = (theirs - better.log_likelihood)[both]
    return {
        "datapoints": int(both.sum()),
        "marginal_log_likelihood": float(better.log_likelihood[both].mean()),
        "appendix_d": float(theirs[both].mean()),
        "bias": float(bias.mean()),
        "bias_standard_error": float(bias.std()) / math.sqrt(max(len(bias), 1)),
        "largest_deficit": float((-bias).max()) if len(bias) else math.nan,
        "worst": float(bias[bias.abs().argmax()]) if len(bias) else math.nan,
        "without_estimate": int((~both).sum()),
        "untrusted": int((~better.trusted).sum()),
    }
