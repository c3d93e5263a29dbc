"""The work of a step, in products and bytes, is that of the learner that takes it."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from aevb.learner import Batch
from benchmarks.work import flops, step_bytes, step_products
from harness.experiments.config import Config
from harness.runs.build import RunData, build_learner

PIXELS = 30


def config(**changes) -> Config:
    values = {"dataset": "x.npy", "method": "aevb", "n_latent": 4, "seed": 0, "protocol": "author"}
    return Config(**values | {"hidden": (11,), "batch_size": 7} | changes)


@pytest.mark.parametrize(
    ("method", "n_samples"), [("aevb", 1), ("aevb", 3), ("wake_sleep", 1), ("wake_sleep", 3), ("mcem", 1)]
)
@pytest.mark.parametrize("hidden", [(11,), (11, 6), ()], ids=str)
def test_the_products_are_those_that_torch_counts(method, hidden, n_samples, generator):
    settings = config(method=method, hidden=hidden, n_samples=n_samples, batch_size=0 if method == "mcem" else 7)
    x = torch.rand(7, PIXELS, generator=generator)
    learner = build_learner(settings, RunData(x, False, x, x), 0.01, "reference")
    batch = Batch(x, torch.arange(7))
    with FlopCounterMode(display=False) as counter:
        learner.step(batch, generator)
    assert flops(step_products(settings, PIXELS, n_train=7)) == counter.get_total_flops()


@pytest.mark.parametrize("method", ["aevb", "mcem"])
def test_bytes_are_those_of_parameters_accumulators_and_activations(method):
    settings = config(method=method)
    x = torch.rand(7, PIXELS)
    learner = build_learner(settings, RunData(x, False, x, x), 0.01)
    modules = [module for module in (learner.model, learner.encoder) if module is not None]
    parameters = sum(p.numel() for module in modules for p in module.parameters())
    activations = 7 * (PIXELS + 4 + 11 + PIXELS) + (7 * (11 + 8) if learner.encoder is not None else 0)
    assert step_bytes(settings, PIXELS, n_train=7) == 4 * (2 * parameters + activations)
