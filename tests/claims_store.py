"""A store whose curves, studies and timings are made up, so that the answer to every claim is known."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aevb import shipped
from harness.claims.measure import Measured, measure_claims
from harness.claims.results import Results
from harness.experiments.config import Config
from harness.experiments.paper import EXPERIMENTS
from harness.store.run_folder import RunFolder
from harness.store.shelves import Shelves
from harness.store.status import Status

Curve = Callable[..., float]
SPLITS = {2: ("test", "train_eval", "train"), 3: ("test", "train")}
END, RATE, EVALUATION = 1e7, 1e4, 60.0  # training samples of a run, samples a second, seconds
TIMES = {
    ("aevb", "fast"): 40.0, ("wake_sleep", "fast"): 56.0, ("mcem", "fast"): 20.0, ("aevb", "plain PyTorch"): 1500.0,
}  # fmt: skip
JITTER = (-1, 1, 0)  # nats of seeds 0, 1 and 2


@dataclass(frozen=True)
class MadeUp(Results):
    """Results whose curves were never written.

    Attributes:
        made: curves and runs of a figure.
    """

    made: Mapping[int, tuple[pd.DataFrame, pd.DataFrame]] = field(default_factory=dict)

    def _figure(self, number: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        return self.made.get(number) or super()._figure(number)


def make_up(results: Path, figure: int, curve: Curve, seeds: Sequence[int] = (0, 1, 2)) -> MadeUp:
    """Runs of a figure, of every panel and method, beside what the store has.

    Args:
        results: the store.
        figure: 2 or 3.
        curve: nats, called with dataset, size, method, split, seed and samples.
        seeds: of each curve.
    """
    experiment, counts = EXPERIMENTS[figure], np.unique(np.geomspace(1e4, END, 31).round().astype(int))
    rows, runs = [], []
    for config in experiment.configs("author", experiment.panels, seeds):
        names = {column: getattr(config, column) for column in (*experiment.key, "seed")}
        which = [getattr(config, column) for column in experiment.key]
        rows += [
            {**names, "split": split, "samples": int(n), "standard_error": 0.4, "seconds": n / RATE,
             experiment.measure: curve(*which, split, config.seed, float(n))}
            for n in counts for split in SPLITS[figure]
        ]  # fmt: skip
        ended = {"status": "finished", "samples": END}
        runs.append({**names, **ended, "samples_per_second": RATE, "evaluation_seconds": EVALUATION})
    protocol = {"protocol": "author"}
    made = pd.DataFrame(rows).assign(**protocol), pd.DataFrame(runs).assign(**protocol)
    return MadeUp(Shelves(results), made={figure: made})


def diverge(results: MadeUp, figure: int, method: str, seed: int, samples: float) -> MadeUp:
    """The same, but for a seed of a method that diverged after so many samples in every panel."""
    curves, runs = results.made[figure]
    lost = (curves["method"] == method) & (curves["seed"] == seed) & (curves["samples"] > samples)
    ended = runs["status"].mask((runs["method"] == method) & (runs["seed"] == seed), "diverged")
    return replace(results, made={figure: (curves[~lost], runs.assign(status=ended))})


def write_run(results: Path, config: Config, curve: pd.DataFrame) -> None:
    """A run of the store, which is done."""
    folder = RunFolder(results / "runs", config)
    folder.begin({"device": "made up", "started": ""})
    folder.write_curve(curve.to_dict("records"))
    folder.write_status(Status("finished", int(END), int(END), None, RATE, EVALUATION, 0.02))


def write_table(results: Path, study: str, name: str, rows: Sequence[dict[str, object]]) -> None:
    """A study's table."""
    folder = results / "studies" / study
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)


def time_learners(results: Path, seconds: dict[tuple[str, str], float], gemm: float = 40e9, flops: float = 4e6) -> None:
    """Benchmarks: seconds of a million samples by method and engine, with the models of both figures.

    Args:
        results: the store.
        seconds: by method and engine; half of their interval is 2 %.
        gemm: operations a second of the machine's products.
        flops: operations of a sample; wake-sleep's are 1.4 times that.
    """
    rows = [
        {
            "test": f"{method} {engine}", "suite": "learner", "method": method, "engine": engine, "device_type": "cpu",
            "precision": "float32", "hidden": hidden, "n_latent": n_latent, "n_samples": 1, "samples": 1000,
            "batch_size": 0 if method == "mcem" else 100, "samples_per_second": 1e6 / time, "seconds": time / 1e3,
            "seconds_low": 0.98e-3 * time, "seconds_high": 1.02e-3 * time, "rounds": 10, "gemm_flops_per_second": gemm,
            "flops": flops * 100 * (1.4 if method == "wake_sleep" else 1),
        }
        for (method, engine), time in seconds.items()
        for hidden, n_latent in (([500], 20), ([100], 3))
    ]  # fmt: skip
    folder = results / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    content = {"environment": {"device": "made up"}, "measured": rows}
    (folder / "made-up.json").write_text(json.dumps(content))


def measured(results: Results, name: str) -> Measured:
    """A claim on these results."""
    (claim,) = measure_claims(results, [name])
    return claim


@pytest.fixture
def nothing_published(tmp_path, monkeypatch):
    """No results come with the project."""
    monkeypatch.setattr(shipped, "RESULTS", tmp_path / "none")


def learning(dataset: str, size: int, method: str, split: str, seed: int, samples: float) -> float:
    """AEVB is 5 nats above wake-sleep and 10 times as fast; all seeds within 0.1 nats."""
    ahead = {"aevb": 10.0, "wake_sleep": 1.0, "mcem": 3.0}[method]
    return 20 * math.log10(samples * ahead) - 300 + 0.1 * JITTER[seed % 3] + size / 100


def claim(results: Path, name: str = "C1", curve: Curve = learning, figure: int = 2, **how: Any) -> Measured:
    """What a claim comes to on such a curve."""
    return measured(make_up(results, figure, curve, **how), name)
