"""Small problems on the device that is not there, and the law of its loops: however long, they are silent."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from aevb.encoder import GaussianEncoder
from aevb.model import GenerativeModel
from harness.runs.build import RunData, build_learner
from harness.runs.steps import Trainer
from harness.runs.streams import stream
from harness.runs.tape import Tape
from tests.rehearsal import Rehearsal, traffic
from tests.support import small_config

N, PIXELS, LATENTS, WARM_UP = 24, 16, 2, 2
GRAPH_STEPS = 4  # of a recording: `tests/cuda/conftest.py` has the harness take so few
CUDA = torch.device("cuda")


def rounds_of(call: Callable[[int], object], mode: Rehearsal, *sizes: int) -> list[Any]:
    """Reads and uploads of a call for each size, by function, after one that looks at what is looked at once."""
    call(sizes[0])
    return [traffic(partial(call, size), mode) for size in sizes]


def assert_loop_is_silent(call: Callable[[int], object], mode: Rehearsal, *sizes: int) -> None:
    """However often it goes round, it reads and sends what it did when it went round less: the loop itself nothing."""
    first, *others = rounds_of(call, mode, *sizes)
    assert others
    for size, other in zip(sizes[1:], others, strict=True):
        assert other == first, f"{sizes[0]} and {size} rounds: {first} and {other}"


def run_data(dynamic: bool = False) -> RunData:
    x = torch.rand(N, PIXELS).to(CUDA)
    return RunData(x, dynamic, x, x)


def model_and_encoder(decoder: type) -> tuple[GenerativeModel, GaussianEncoder]:
    model = decoder(LATENTS, PIXELS, (4,)).to(CUDA)
    return model, GaussianEncoder(PIXELS, LATENTS, (4,)).to(CUDA)


def trainer(
    array: Path, method: str, decoder: str, batch: int, engine: str = "fast", runs: int = 1, **more: Any
) -> Trainer:
    settings = {"decoder": decoder, "batch_size": batch, "warm_up": WARM_UP, "chain_leapfrog": 2, "weight_steps": 2}
    config = replace(small_config(array, method=method), **settings, **more)
    data = run_data(config.binarization == "dynamic")
    configs = [replace(config, seed=seed) for seed in range(runs)]
    learners = [build_learner(each, data, 0.05, engine) for each in configs]
    tapes = [Tape(each, data, learner) for each, learner in zip(configs, learners, strict=True)]
    return Trainer(config, data, learners, tapes, stream("training", 0, CUDA))
