"""Better estimates of log p(x) of figure 3's models, and how biased appendix D's were beside them."""

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from aevb.errors import UserError
from aevb.marginal.ais import ais_log_likelihood
from aevb.marginal.chains import posterior_gaussian, start_chains
from aevb.marginal.estimate import MarginalEstimate, UntrustedEstimateWarning
from aevb.marginal.importance import importance_log_likelihood
from aevb.model import GenerativeModel
from harness.figures.compare import label, scientific
from harness.runs.build import build_model, load, prepare
from harness.runs.job import Job
from harness.runs.streams import stream
from harness.store.checksums import Damaged
from harness.store.columns import format_table, paragraph
from harness.store.notices import tell_once
from harness.store.run_folder import RunFolder
from harness.store.tensors import load_saved
from harness.workers.parts import PartsFailed, compute_parts, read_part, write_part
from harness.workers.schedule import Failure, Place

IMPORTANCE_POINTS, IMPORTANCE_SAMPLES = 200, 500
NEEDED = (  # columns that are shown; `worst` is younger
    *("split", "samples", "estimator", "datapoints", "bias", "bias_standard_error", "largest_deficit"),
    *("without_estimate", "untrusted"),
)
AIS_POINTS = 20
BIAS_HEADING = (
    "appendix D minus a better estimate, nats, of the last model of each run that has one, at {at} samples; its curve "
    "may go farther. worst: the datapoint farthest off, in older results farthest below (a chain in a wrong mode shows "
    "nowhere else); rest: the mean without it; untrusted: better estimates that do not count as trusted, of how many "
    "datapoints"
)


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
        """Estimate, and keep what is found."""
        reestimate(self)


def snapshots(jobs: Iterable[Job]) -> list[Snapshot]:
    """All models that these runs have kept."""
    return [Snapshot(job, samples) for job in jobs for samples in job.folder.model_samples()]


def reestimate_all(jobs: Sequence[Job], place: Place) -> list[Failure]:
    """Estimate what has no better estimates yet, in parallel; every finished snapshot is kept.

    Returns:
        What could not be estimated.
    """
    try:
        compute_parts(snapshots(jobs), place)
    except PartsFailed as error:
        return [*error.failures]
    return []


def reestimate(snapshot: Snapshot) -> None:
    """Importance sampling and AIS on the first evaluated points, beside appendix D's estimates of the same points.

    The proposal is a Gaussian fitted to a chain that starts at the best of 500 prior draws: the same for all three
    algorithms, with encoder or without.
    """
    config = snapshot.job.config
    try:
        saved = load_saved(snapshot.job.folder.model(snapshot.samples), snapshot.job.device)
    except Damaged as error:
        raise UserError(f"a kept model must be whole; {error}; compute the run anew with --force") from error
    data = prepare(config, load(config, snapshot.job.data), torch.device(snapshot.job.device))
    model = build_model(config, data.train.shape[1], torch.Generator()).to(data.train.device)
    try:
        model.load_state_dict(saved["model"])
        pointwise = saved["log_likelihood"]
    except (KeyError, RuntimeError, TypeError) as error:
        raise UserError(
            f"a kept model must be of its run; {snapshot.job.folder.model(snapshot.samples)} is of another: compute "
            "the run anew with --force"
        ) from error
    generator = stream("re-estimation", device=data.train.device)
    rows = []
    for split, points in (("train", data.train_points), ("test", data.test_points)):
        appendix_d = pointwise[split]
        for name, x, estimate in (
            ("importance", points[:IMPORTANCE_POINTS], _importance),
            ("ais", points[:AIS_POINTS], _ais),
        ):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UntrustedEstimateWarning)  # counted in the column `untrusted`
                better = estimate(model, x, generator)
            rows.append(
                {"split": split, "samples": snapshot.samples, "estimator": name, **_compare(better, appendix_d)}
            )
    write_part(*snapshot.files, rows)


def _importance(model: GenerativeModel, x: Tensor, generator: torch.Generator) -> MarginalEstimate:
    proposal, _ = posterior_gaussian(model, x, start_chains(model, x, generator), generator)
    return importance_log_likelihood(model, x, proposal, generator, n_samples=IMPORTANCE_SAMPLES)


def _ais(model: GenerativeModel, x: Tensor, generator: torch.Generator) -> MarginalEstimate:
    return ais_log_likelihood(model, x, generator)


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


def collect_estimates(folders: Iterable[RunFolder], key: Sequence[str]) -> pd.DataFrame:
    """All better estimates of these runs as one tidy table; empty where nobody asked for any."""
    tables = []
    for folder in folders:
        config = folder.config
        names = {column: getattr(config, column) for column in ("protocol", *key)} | {"seed": config.seed}
        for samples in folder.estimated_samples():
            try:
                table = read_part(folder.estimates(samples))
                if absent := sorted({*NEEDED} - {*table.columns}):
                    raise Damaged(f"{folder.estimates(samples)}: no column {', '.join(absent)}")
            except FileNotFoundError:
                continue
            except Damaged as error:
                tell_once(f"left out: {error}; the same command with --re-estimate computes it anew")
                continue
            tables.append(table.assign(**names)[[*names, *table.columns]])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["protocol"])


def format_bias(estimates: pd.DataFrame, key: Sequence[str]) -> str:
    """How far appendix D lies from the better estimates of the last model of each run that has them, nats.

    A chain in a wrong mode leaves its datapoint tens of nats low, and the mean and its normal standard error with it.
    """
    rows, curves = [], estimates.groupby([*key, "seed", "split"], sort=False)
    first, *farther = sorted({*curves["samples"].max()})
    at = scientific(first) + (f" to {scientific(farther[-1])}" if farther else "")
    for name, curve in curves:
        *names, seed, split = (label(str(part)) for part in name)
        for _, row in curve[curve["samples"] == curve["samples"].max()].iterrows():
            n, mean, worst = row["datapoints"], row["bias"], row.get("worst", -row["largest_deficit"])
            rows.append(
                {
                    "curve": f"{' '.join(names)} seed {seed} {split}",
                    "better": row["estimator"],
                    "mean": f"{mean:+.2f}",
                    "s.e.": f"{row['bias_standard_error']:.2f}",
                    "worst": f"{worst:+.1f}",
                    "rest": f"{(n * mean - worst) / (n - 1):+.2f}" if n > 1 else "–",
                    "untrusted": f"{row['untrusted']}/{n + row['without_estimate']}",
                }
            )
    return f"{paragraph(BIAS_HEADING.format(at=at), 80)}\n{format_table(pd.DataFrame(rows), 80)}"
