"""What one would use instead: a plain PyTorch loop, and a jitted JAX scan where JAX is installed.

On a GPU JAX's scan is timed on its own, beside our graph, and with as many runs by `jax.vmap` as our stack has.
"""

import importlib.util
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.bursts import burst_of
from benchmarks.conftest import Meter
from benchmarks.engines import STACKED, Engine, make_config, run_data
from benchmarks.plain import PlainLoop
from benchmarks.work import flops, step_bytes, step_products
from harness.experiments.config import Config

STEP_SIZE = 0.02


def make_loop(name: str, config: Config, device: str, runs: int) -> Any:
    train = run_data(device).train
    settings = (config.n_latent, config.hidden[0], config.batch_size, STEP_SIZE)
    if name == "plain PyTorch":
        return PlainLoop(train, *settings)
    if runs > 1 and device == "cpu":
        pytest.skip("JAX vmap: a core has nothing to gain from a stack, whose runs it computes one after the other")
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed: pip install -c constraints.txt -e '.[test,jax]'")
    from benchmarks.jax_scan import SEES_CUDA, JaxLoop

    if device == "cuda" and not SEES_CUDA:
        pytest.skip("jax has no plugin for CUDA: pip install 'jax[cuda13]'")
    return JaxLoop(train.cpu().numpy(), *settings, device=device, runs=runs if runs > 1 else 0)


@pytest.mark.parametrize(("n_hidden", "n_latent"), [(500, 20), (100, 3)])
@pytest.mark.parametrize("engine", ["plain PyTorch", "JAX scan", "JAX vmap"])
def test_aevb(engine: str, n_hidden: int, n_latent: int, device: str, meter: Meter) -> None:
    config = make_config(hidden=(n_hidden,), n_latent=n_latent)
    torch.manual_seed(0)
    runs = STACKED[device] if engine == "JAX vmap" else 1
    loop = make_loop(engine, config, device, runs)
    products = step_products(config)
    burst = burst_of(engine, device, flops(products))
    bounds: list[Any] = []
    meter(
        lambda: bounds.extend(loop.advance(burst)),
        samples=runs * burst * config.batch_size,
        products=products,
        runs=runs,
        steps=burst,
        state_bytes=step_bytes(config),
        held_by_torch=engine == "plain PyTorch",
        suite="learner",
        method="aevb",
        engine=engine,
        batch_size=config.batch_size,
        hidden=[n_hidden],
        n_latent=n_latent,
        n_samples=1,
    )
    # The same thing is learnt, by every run as fast as the reference does, whose initial weights are others.
    if len(bounds) < 100:
        bounds.extend(loop.advance(100 - len(bounds)))
    learnt = np.mean(bounds[90:100], axis=0)
    reference = Engine(replace(config, step_size=STEP_SIZE, warm_up=0, prior_weight=0), "reference", device)
    assert np.atleast_1d(learnt) == pytest.approx(sum(reference.advance(100)[90:]) / 10, rel=0.1)
