"""The engines that benchmarks time are held to the reference, stacks of many runs too."""

import pytest
import torch

from benchmarks import engines
from benchmarks.engines import Engine, make_config
from harness.runs.build import RunData


@pytest.mark.parametrize("astray", [0, 2, 4])
def test_a_run_of_a_stack_that_goes_astray_is_seen(astray, generator, monkeypatch):
    x = torch.rand(300, 30, generator=generator)
    monkeypatch.setattr(engines, "run_data", lambda *_: RunData(x, False, x, x))
    monkeypatch.setitem(engines.STACKED, "cpu", 5)
    engine = Engine(make_config(hidden=(11,), n_latent=2), "stacked", "cpu")
    engine.advance(10)
    assert engine.distance_to_reference() < 1e-4
    with torch.no_grad():
        next(engine.learners[astray].model.parameters()).add_(0.1)
    assert engine.distance_to_reference() > 0.1
