"""A small problem of the tests' own, and the command line as a user calls it."""

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from aevb.data import load_dataset
from harness.experiments.config import Config
from harness.experiments.protocols import protocol_config
from harness.runs.job import Job
from tests import head_start

ROOT = Path(__file__).resolve().parent.parent
SMALL = "author+hidden=[8]+batch_size=20+points_per_decade=5+step_size=0.05+warm_up=5"


def write_array(folder: Path, rows: int = 300, pixels: int = 16) -> Path:
    """Grey stripes of random phase, so that there is something to learn."""
    rng = np.random.default_rng(0)
    phase = rng.uniform(0, 2 * np.pi, (rows, 1))
    x = 0.5 + 0.5 * np.sin(phase + np.arange(pixels) / 2)
    path = folder / "stripes.npy"
    np.save(path, x.astype(np.float32))
    return path


def small_config(array: Path, protocol: str = SMALL, method: str = "aevb", **changes) -> Config:
    config = protocol_config(protocol, array.name, method=method, n_latent=2, seed=0)
    return replace(config, data_sha256=load_dataset(str(array)).sha256, **{"evaluation_points": 100, **changes})


def small_job(folder: Path, array: Path, protocol: str = SMALL, *, samples: int = 40_000, **changes) -> Job:
    return Job(small_config(array, protocol, **changes), samples, folder / "runs", array, "cpu")


def curve(job: Job) -> pd.DataFrame:
    """All but the clock's column."""
    return pd.read_csv(job.folder.curve).drop(columns="seconds")


def environment(**changes: str) -> dict[str, str]:
    """No network and no Frey Face but what a test gives: downloads go to a port where nobody listens."""
    ours = ("AEVB_DATA_DIR", "PYTEST_XDIST_WORKER")  # with the latter a pytest of one's own would time nothing
    kept = {k: v for k, v in os.environ.items() if k not in ours and not k.lower().endswith("_proxy")}
    nowhere = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    return kept | nowhere | changes


def reproduce(*arguments: object, cwd: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """`python reproduce.py ARGUMENTS` in a folder of its own, with an empty cache."""
    command = [str(ROOT / "reproduce.py"), *map(str, arguments)]
    env = environment(XDG_CACHE_HOME=str(cwd / "cache"), **changes)
    return head_start.run(command, cwd, env)


def wait_until(condition: Callable[[], object], seconds: float = 30, what: str = "it") -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in time"
        time.sleep(0.01)
