"""Steps that autograd does not see."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, TypeVar, cast

import torch

from aevb.learner import Batch, Learner, Noise, StepInfo

Step = TypeVar("Step", bound=Callable[..., StepInfo])


def without_autograd(step: Step) -> Step:
    """A learner's step that autograd does not see; on a CPU nor does it keep what autograd needs, which costs time too.

    The bound is an ordinary tensor all the same, but within `unseen`.
    """

    @wraps(step)
    def one(learner: Any, batch: Batch, generator: torch.Generator, noise: Noise | None = None) -> StepInfo:
        if torch.is_inference_mode_enabled():
            return step(learner, batch, generator, noise)
        mode = _mode(learner)
        with mode or torch.no_grad():
            info = step(learner, batch, generator, noise)
        return StepInfo(info.bound.clone(), info.samples) if mode and info.bound is not None else info

    one.is_unseen = True  # type: ignore[attr-defined]
    return cast(Step, one)


def unseen(learner: Learner) -> AbstractContextManager[object]:
    """A block for many steps of a learner: if autograd sees none of them, what they leave out is left out but once.

    To enter and leave torch's mode, and to copy the bound, takes a thirtieth of a small step.
    """
    return (_mode(learner) if getattr(learner.step, "is_unseen", False) else None) or nullcontext()


def _mode(learner: Any) -> AbstractContextManager[object] | None:
    return torch.inference_mode() if learner.model.output.bias.is_cpu else None
