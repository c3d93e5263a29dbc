"""The data pipeline: minibatches and noise, drawn in bulk and gathered step by step."""

from dataclasses import replace

import pytest
import torch

from benchmarks.conftest import Meter
from benchmarks.engines import make_config, run_data
from harness.runs.build import build_learner
from harness.runs.tape import GRAPH_STEPS, Block, Tape


@pytest.mark.parametrize("binarization", ["none", "dynamic"])
@pytest.mark.parametrize("method", ["aevb", "wake_sleep"])
@pytest.mark.parametrize("batch_size", [100, 1000])
def test_tape(batch_size: int, method: str, binarization: str, device: str, meter: Meter) -> None:
    config = make_config(method=method, batch_size=batch_size, binarization=binarization)
    data = run_data(device, 0, binarization)
    learner = build_learner(config, data, 0.02)
    tape = Tape(config, data, learner)

    def steps(tape: Tape = tape) -> list[Block]:
        blocks, left = [], GRAPH_STEPS
        while left:
            blocks.append(tape.take(left))
            left -= blocks[-1].n_steps
            for _ in blocks[-1].batches(data):
                pass
        return blocks

    meter(
        steps,
        samples=GRAPH_STEPS * batch_size,
        suite="data",
        method=f"{method}, binarization {binarization}",
        engine="fast",
        batch_size=batch_size,
        hidden=list(config.hidden),
        n_latent=config.n_latent,
        n_samples=1,
    )
    block = steps()[0]
    batch, noise = next(block.batches(data))
    assert noise is not None
    rows = data.train[batch.indices]
    if binarization == "none":
        assert batch.x.equal(rows)
    else:
        assert ((batch.x == 0) | (batch.x == 1)).all()
        assert (batch.x.mean() - rows.mean()).abs() < 5 * 0.5 / batch.x.numel() ** 0.5
    n = noise.normal.numel()
    assert abs(float(noise.normal.mean())) < 5 / n**0.5
    assert abs(float(noise.normal.square().mean()) - 1) < 5 * (2 / n) ** 0.5
    again, other = (Tape(replace(config, seed=seed), data, learner).take(1).indices for seed in (0, 1))
    first = Tape(config, data, learner).take(1).indices
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.equal(again)
    assert not first.equal(other)
    assert torch.all((first >= 0) & (first < len(data.train)))
