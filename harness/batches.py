"""Minibatches, and the step size that the paper picks by their bounds."""

import math
from collections.abc import Callable

import torch

from aevb.learner import Batch, Learner
from harness.build import RunData, build_learner, training_generator
from harness.config import STEP_SIZE_CANDIDATES, Config
from harness.schedule import Interrupted


def draw_batch(data: RunData, size: int, generator: torch.Generator) -> Batch:
    """`size` training points, uniformly with replacement, or all of them for 0; binarized here if that is dynamic."""
    n, device = len(data.train), data.train.device
    if size:
        indices = torch.randint(n, (size,), device=device, generator=generator)
        x = data.train.index_select(0, indices)
    else:
        indices, x = torch.arange(n, device=device), data.train
    return Batch(torch.bernoulli(x, generator=generator) if data.dynamic else x, indices)


def choose_step_size(config: Config, data: RunData, should_stop: Callable[[], bool] = lambda: False) -> float:
    """The config's η; for "auto" the candidate with the best training bound after the first iterations.

    The mean bound of each candidate's last fifth of `auto_steps` iterations decides; what is not finite loses. These
    iterations are not counted on the axis (Kingma & Welling 2013, section 5).

    Raises:
        Interrupted: `should_stop` said so; the choice begins anew next time.
    """
    if config.step_size != "auto":
        return config.step_size
    results = {}
    for step_size in STEP_SIZE_CANDIDATES:
        learner: Learner = build_learner(config, data, step_size)
        generator = training_generator(config, data.train.device)
        bounds = []
        for _ in range(config.auto_steps):
            if should_stop():
                raise Interrupted
            bound = learner.step(draw_batch(data, config.batch_size, generator), generator).bound
            assert bound is not None, "a config with a method that has no bound names its step size"
            bounds.append(bound.mean())
        mean = float(torch.stack(bounds[-max(config.auto_steps // 5, 1) :]).mean())
        results[step_size] = mean if math.isfinite(mean) else -math.inf
    return max(results, key=lambda step_size: results[step_size])
