"""A step taken apart: its parts are no longer than the step, and its products take what those products take alone."""

from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.conftest import Meter
from benchmarks.engines import make_config
from benchmarks.parts import Parts, Steps
from benchmarks.test_learners import FIGURE2, FIGURE3
from benchmarks.work import flops, step_products
from harness.experiments.config import Config
from harness.runs.steps import samples_per_step
from harness.timing.step import REST, STEP

FLOPS_OF_A_CALL = 2e9
NEAR = 1.5  # the step's products are at other places in memory than those that are timed alone


def cases() -> Iterator[Any]:
    for size in (FIGURE2, FIGURE3):
        for method in ("aevb", "wake_sleep"):
            yield make_config(method=method, **size)
    yield make_config(method="mcem", batch_size=0, n_train=1000, **FIGURE3)


@pytest.mark.parametrize(
    "config", [*cases()], ids=lambda config: f"{config.method}-{config.hidden[0]}/{config.n_latent}"
)
def test_parts(config: Config, device: str, meter: Meter) -> None:
    if device == "cuda":
        pytest.skip("a GPU's steps are one launch, whose parts do not wait for each other")
    products = step_products(config, n_train=config.n_train)
    steps = Steps(config, max(1, int(FLOPS_OF_A_CALL / flops(products))))
    parts = Parts(steps)
    meter(
        steps.take,
        samples=steps.n_steps * samples_per_step(config, steps.data),
        products=products,
        library=steps.library,
        steps=steps.n_steps,
        parts=parts,
        suite="step",
        method=config.method,
        engine="fast",
        batch_size=config.batch_size,
        hidden=list(config.hidden),
        n_latent=config.n_latent,
        n_samples=config.n_samples,
    )
    if (info := meter.info) is None:
        return
    found = info["parts"]
    assert found[REST]["high"] > -0.02 * found[STEP]["seconds"]
    alone = flops(products) / info["gemm_flops_per_second"]
    assert alone / NEAR < found["products"]["seconds"] < alone * NEAR
