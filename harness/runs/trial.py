"""A stranger's learner tried on one batch, before anything is computed with it."""

import io
from collections.abc import Mapping
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from aevb.data import Dataset
from aevb.errors import ArgumentError, UserError
from aevb.learner import Batch, draw_noise, lacking
from aevb.places import strangers_code
from harness.experiments.config import Config
from harness.runs.build import RunData, build_learner

STEP_SIZE = 0.01
TAKEN = {"split", "samples", "lower_bound", "standard_error", "seconds"}  # names of a curve's columns


def try_learner(config: Config, dataset: Dataset) -> None:
    """Find out now what would end a run: a learner that cannot be built, take a step, or be saved and gone on with.

    Nor is one taken that counts its samples otherwise than `samples_per_step` will.

    Args:
        config: of a run whose method is a place.
        dataset: that it is to learn.

    Raises:
        UserError: so it is; the message says what came, and what says more.
    """
    train = dataset.train[: config.n_train or None]
    n = len(train)
    rows = torch.arange(min(config.batch_size or n, n))
    x, generator = train[rows], torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]), strangers_code(lambda what: _broken(config, f"raised {what}")):
        learner: Any = build_learner(config, RunData(train, False, x, x), STEP_SIZE, "reference")
        if missing := lacking(learner):
            raise _broken(config, f"is without {', '.join(missing)}")
        try:
            info, numbers = _used(learner, Batch(x, rows), generator)
        except ArgumentError as error:  # of a state that it gave itself, say: the reader must be told whose
            raise _broken(config, f"raised ArgumentError: {error}") from error
    bound = getattr(info, "bound", info)
    if not isinstance(bound, Tensor) or bound.shape != (len(x),):
        got = f"shape {tuple(bound.shape)}" if isinstance(bound, Tensor) else type(bound).__name__
        raise _broken(config, f"gave {got} as the bounds of {len(x)} datapoints: step must return a StepInfo")
    if (counted := getattr(info, "samples", None)) != len(x):
        raise UserError(
            "a learner's step must count each datapoint of its batch once, as the axis of the figures does; "
            f"{config.method!r} counted {counted!r} for {len(x)} datapoints: give len(batch.x) as its samples"
        )
    if learner.encoder is None:
        raise _broken(config, "has no encoder after a step, and the bound that is drawn needs one")
    if not isinstance(numbers, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Real) for name, value in numbers.items()
    ):
        raise _broken(config, f"gave {numbers!r} as diagnostics, not a number for each name")
    if taken := sorted({*numbers} & TAKEN):
        raise _broken(config, f"gave diagnostics by names that a curve has for others, {', '.join(taken)}")


def _used(learner: Any, batch: Batch, generator: torch.Generator) -> tuple[Any, Any]:
    """What it reports of a step, and its diagnostics after it was saved and loaded."""
    noise = draw_noise(learner, batch, generator) if learner.n_normal != 0 else None
    info = learner.step(batch, generator, noise)
    buffer = io.BytesIO()
    torch.save(learner.state_dict(), buffer)
    buffer.seek(0)
    learner.load_state_dict(torch.load(buffer, weights_only=True))
    return info, learner.diagnostics()


def _broken(config: Config, what: str) -> UserError:
    return UserError(
        f"a learner must be built, take a step, and be saved and loaded; {config.method!r} {what}: mend it, "
        "aevb.testing.check_learner says more"
    )
