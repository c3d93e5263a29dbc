"""Steps of the methods that `--methods` names, anybody's too, beside those of the paper's.

By autograd, which is like for like, and where a method has gradients by hand by those too.
"""

from typing import Any

import pytest

from aevb.places import short_name
from benchmarks.conftest import Meter
from benchmarks.engines import make_config
from benchmarks.steps import time_steps
from benchmarks.test_learners import FIGURE2, FIGURE3
from harness.experiments.methods import method_of

PAPERS = ("aevb", "wake_sleep", "mcem")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Both sizes of network; Monte Carlo EM with figure 3's alone."""
    names = dict.fromkeys([*metafunc.config.getoption("--methods").split(), *PAPERS])
    cases = [
        (name, size, engine)
        for size in (FIGURE2, FIGURE3)
        for name in names
        for engine in ("reference", *(["fast"] if method_of(name).fast else []))
        if name != "mcem" or size is FIGURE3
    ]
    ids = [f"{short_name(name)}-{size['hidden'][0]}/{size['n_latent']}-{engine}" for name, size, engine in cases]
    metafunc.parametrize(("method", "size", "engine"), cases, ids=ids)


def test_steps(method: str, size: dict[str, Any], engine: str, device: str, meter: Meter) -> None:
    whole: dict[str, Any] = {"batch_size": 0, "n_train": 1000} if method == "mcem" else {}
    fields = method_of(method).fields
    config = make_config(method=method, **size, **whole, **fields)
    time_steps(config, engine, device, meter)
