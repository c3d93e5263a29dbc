"""Steps that autograd does not see."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import torch

from aevb.learner import Batch, Noise, StepInfo

Step = TypeVar("Step", bound=Callable[..., StepInfo])


def without_autograd(step: Step) -> Step:
    """A learner's step that autograd does not see; on a CPU nor does it keep what autograd needs, which costs time too.

    The bound is an ordinary tensor all the same.
    """

    @wraps(step)
    def unseen(learner: Any, batch: Batch, generator: torch.Generator, noise: Noise | None = None) -> StepInfo:
        on_cpu = learner.model.output.bias.is_cpu
        with torch.inference_mode() if on_cpu else torch.no_grad():
            info = step(learner, batch, generator, noise)
        return StepInfo(info.bound.clone(), info.samples) if on_cpu and info.bound is not None else info

    return cast(Step, unseen)
