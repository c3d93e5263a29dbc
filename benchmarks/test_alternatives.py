"""What one would use instead: a plain PyTorch loop, and a jitted JAX scan where JAX is installed."""

import importlib.util
from dataclasses import replace
from typing import Any

import pytest
import torch

from benchmarks.conftest import Meter
from benchmarks.engines import Engine, make_config, run_data
from benchmarks.plain import PlainLoop
from benchmarks.work import flops, step_bytes, step_products
from harness.experiments.config import Config

STEP_SIZE = 0.02


def make_loop(name: str, config: Config, device: str) -> Any:
    train = run_data(device).train
    settings = (config.n_latent, config.hidden[0], config.batch_size, STEP_SIZE)
    if name == "plain PyTorch":
        return PlainLoop(train, *settings)
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed: pip install -c constraints.txt -e '.[test,jax]'")
    if device == "cuda":
        pytest.skip("JAX is timed on the CPU only")
    from benchmarks.jax_scan import JaxLoop

    return JaxLoop(train.numpy(), *settings)


@pytest.mark.parametrize(("n_hidden", "n_latent"), [(500, 20), (100, 3)])
@pytest.mark.parametrize("engine", ["plain PyTorch", "JAX scan"])
def test_aevb(engine: str, n_hidden: int, n_latent: int, device: str, meter: Meter) -> None:
    config = make_config(hidden=(n_hidden,), n_latent=n_latent)
    torch.manual_seed(0)
    loop = make_loop(engine, config, device)
    products = step_products(config)
    burst = max(1, int(2e9 / flops(products)))
    bounds: list[float] = []
    meter(
        lambda: bounds.extend(loop.advance(burst)),
        samples=burst * config.batch_size,
        products=products,
        steps=burst,
        state_bytes=step_bytes(config),
        suite="learner",
        method="aevb",
        engine=engine,
        batch_size=config.batch_size,
        hidden=[n_hidden],
        n_latent=n_latent,
        n_samples=1,
    )
    # The same thing is learnt, as fast as the reference does, whose initial weights are others.
    bounds.extend(loop.advance(max(100 - len(bounds), 1)))
    reference = Engine(replace(config, step_size=STEP_SIZE, warm_up=0, prior_weight=0), "reference", device)
    assert sum(bounds[90:100]) / 10 == pytest.approx(sum(reference.advance(100)[90:]) / 10, rel=0.1)
