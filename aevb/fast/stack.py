"""Equal runs as one: their parameters get a leading axis of runs, and one batched product does the work of many.

One run of the paper's size leaves most of a GPU idle; a stack of them takes hardly longer.
"""

import copy
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import nn

from aevb.ascent import Ascent
from aevb.encoder import GaussianEncoder
from aevb.learner import Batch, Learner, Noise, StepInfo
from aevb.model import GenerativeModel


class Stackable(Learner, Protocol):
    """A learner whose steps take a leading axis of runs, such as `aevb.fast.aevb.FastAEVB`."""

    @property
    def ascents(self) -> Sequence[Ascent]:
        """All that moves its parameters."""
        ...

    def remade(self, model: GenerativeModel, encoder: GaussianEncoder) -> "Stackable":
        """A fresh learner of the same settings for these modules."""
        ...


class Stack:
    """Learners that differ in their parameters only, taken a step further together.

    The learners live on: their parameters and accumulators become views of the stack's, so that each can be evaluated,
    saved and restored on its own between steps. They must not step on their own while they are stacked.

    Args:
        learners: of one class, with equal settings, shapes and numbers of steps; on one device.

    Attributes:
        model: of all runs; its parameters have a leading axis of them.

    Raises:
        ValueError: they have not taken equally many steps.
    """

    def __init__(self, learners: Sequence[Stackable]) -> None:
        steps = {ascent.steps for learner in learners for ascent in learner.ascents}
        if len(steps) > 1:
            raise ValueError(f"stacked learners must have taken equally many steps, got {sorted(steps)}: restart some")
        self._learners = learners
        self.model: GenerativeModel = _stacked([learner.model for learner in learners])
        encoder = _stacked([learner.encoder for learner in learners])
        self._joint = learners[0].remade(self.model, encoder)
        for n, joint in enumerate(self._joint.ascents):
            joint.steps = steps.copy().pop()
            for i, learner in enumerate(learners):
                learner.ascents[n].become_part(joint, i)

    @property
    def ascents(self) -> list[Ascent]:
        """Its own and those of its learners, which count together."""
        return [*self._joint.ascents, *(ascent for learner in self._learners for ascent in learner.ascents)]

    def step(self, batch: Batch, generator: torch.Generator, noise: Noise | None = None) -> StepInfo:
        """One step of every run: x (run, batch, pixel), noise likewise; the bounds have shape (run, batch)."""
        info = self._joint.step(batch, generator, noise)
        for learner in self._learners:
            for own, joint in zip(learner.ascents, self._joint.ascents, strict=True):
                own.steps = joint.steps
        return info


def _stacked(modules: Sequence[Any]) -> Any:
    """A module whose parameters are those of the modules with a leading axis of runs; theirs become views of it."""
    joint = copy.deepcopy(modules[0])
    for name, _ in list(joint.named_parameters()):
        owners = [module.get_submodule(name.rpartition(".")[0]) for module in (joint, *modules)]
        leaf = name.rpartition(".")[2]
        values = torch.stack([getattr(owner, leaf).detach() for owner in owners[1:]])
        setattr(owners[0], leaf, nn.Parameter(values))
        for i, owner in enumerate(owners[1:]):
            getattr(owner, leaf).data = values[i]
    return joint
