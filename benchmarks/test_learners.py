"""Steps of the learners: every engine, two sizes of network, and cost against each setting."""

from collections.abc import Iterator
from typing import Any

import pytest

from aevb.errors import UserError
from aevb.fast.products import choose_library
from benchmarks.conftest import Meter
from benchmarks.engines import make_config
from benchmarks.steps import time_steps
from harness.experiments.config import Config

FIGURE2: dict[str, Any] = {"hidden": (500,), "n_latent": 20}
FIGURE3: dict[str, Any] = {"hidden": (100,), "n_latent": 3}
BATCH_SIZES, HIDDEN, LATENT, SAMPLES = (10, 30, 300, 1000, 3000), (50, 200, 1000), (2, 5, 50, 200), (3, 10, 30)


def cases() -> Iterator[Any]:
    for size in (FIGURE2, FIGURE3):
        for engine in ("reference", "fast", "graph", "stacked"):
            yield case(engine, **size)
        yield case("fast", precision="bfloat16", **size)
        for engine in ("reference", "fast", "graph", "stacked"):
            yield case(engine, method="wake_sleep", **size)
    for engine in ("reference", "fast"):
        yield case(engine, method="mcem", batch_size=0, n_train=1000, **FIGURE3)
    swept = [{"batch_size": m} for m in BATCH_SIZES] + [{"hidden": (h,)} for h in HIDDEN]
    swept += [{"n_latent": n} for n in LATENT] + [{"n_samples": n} for n in SAMPLES]
    for change in swept:
        yield case("by hand", **FIGURE2 | change)


def case(engine: str, **settings: Any) -> Any:
    config = make_config(**settings)
    size = f"{'x'.join(map(str, config.hidden))}/{config.n_latent}"
    name = f"{config.method}-{size}-M{config.batch_size or 'all'}-L{config.n_samples}-{engine}-{config.precision}"
    return pytest.param(config, engine, id=name.replace(" ", "_"))


@pytest.mark.parametrize(("config", "engine"), list(cases()))
def test_steps(config: Config, engine: str, device: str, meter: Meter) -> None:
    if engine == "by hand":
        engine = "graph" if device == "cuda" else "fast"
    if engine == "graph" and device == "cpu":
        pytest.skip("CUDA graphs are for CUDA devices")
    if config.precision != "float32":
        if device == "cuda":
            pytest.skip("bfloat16 products are for CPUs here")
        try:
            choose_library(((32, 32, 32),), config.precision)
        except UserError as error:
            pytest.skip(str(error))
    time_steps(config, engine, device, meter)
