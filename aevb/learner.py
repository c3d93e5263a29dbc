"""What the three algorithms share: a batch, what a step reports, and ascent with Adagrad."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from aevb.model import GenerativeModel


@dataclass(frozen=True)
class Batch:
    """Datapoints and their places in the training set (an algorithm may keep a state for each point)."""

    x: Float[Tensor, "batch pixel"]
    indices: Int[Tensor, " batch"]


@dataclass(frozen=True)
class StepInfo:
    """What one step did.

    Attributes:
        bound: lower bound of each datapoint before the update, nats, shape (batch,); None without an encoder.
        samples: training samples evaluated, as the paper's x axes count them.
    """

    bound: Float[Tensor, " batch"] | None
    samples: int


class Learner(Protocol):
    """An algorithm that fits a model, and perhaps an encoder, to data."""

    model: GenerativeModel
    encoder: nn.Module | None

    def step(self, batch: Batch, generator: torch.Generator) -> StepInfo:
        """Update the parameters once."""
        ...

    def diagnostics(self) -> dict[str, float]:
        """Numbers by which to judge the steps since the last call; empty where an algorithm has none."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on bit for bit."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the state of an equal learner."""
        ...


@dataclass(frozen=True)
class AscentOptions:
    """How parameters climb.

    Attributes:
        step_size: Adagrad's η.
        warm_up: first steps, in which Adagrad only accumulates and nothing moves.
        prior_weight: factor of (M/N) · log N(θ; 0, I), the prior on θ at minibatch scale; 0 leaves it out.
        prior_on_biases: the prior covers biases too, not weight matrices only.
    """

    step_size: float = 0.02
    warm_up: int = 100
    prior_weight: float = 1.0
    prior_on_biases: bool = False


class Ascent:
    """Adagrad ascent on an objective in nats: G += g²; θ += η·g / √(G + 1e-8).

    Source: Kingma & Welling 2013, section 5, with the details of its first author's library.

    Args:
        options: step size, warm-up and prior.
        theta: the model, whose parameters carry the prior; None if it stays as it is.
        phi: the encoder, which has no prior; None if it stays as it is.
    """

    def __init__(self, options: AscentOptions, *, theta: nn.Module | None = None, phi: nn.Module | None = None) -> None:
        prior: list[nn.Parameter] = []
        free: list[nn.Parameter] = list(phi.parameters()) if phi is not None else []
        for parameter in theta.parameters() if theta is not None else ():
            (prior if parameter.ndim > 1 or options.prior_on_biases else free).append(parameter)
        self._options = options
        self._parameters = prior + free
        self._steps = 0
        # G starts at 1e-8, so that the optimiser's own eps, which stands outside the root, can be 0.
        self._optimizer = torch.optim.Adagrad(
            [{"params": group} for group in (prior, free) if group],
            lr=options.step_size,
            initial_accumulator_value=1e-8,
            eps=0.0,
            maximize=True,
            fused=all(p.device.type == "cpu" for p in self._parameters),
        )
        self._prior_group = self._optimizer.param_groups[0] if prior else None

    def step(self, objective: Float[Tensor, ""], prior_scale: float = 0.0) -> None:
        """One step up the gradient of objective + `prior_scale` · log N(θ; 0, I).

        Args:
            objective: sum over the minibatch, in nats.
            prior_scale: M/N, the minibatch's share of the training set.
        """
        gradients = torch.autograd.grad(objective, self._parameters)
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        step_size = 0.0 if self._steps < self._options.warm_up else self._options.step_size
        for group in self._optimizer.param_groups:
            group["lr"] = step_size
        if self._prior_group is not None:
            # The gradient of log N(θ; 0, I) is −θ, which is just what the optimiser calls weight decay.
            self._prior_group["weight_decay"] = prior_scale * self._options.prior_weight
        self._optimizer.step()
        self._steps += 1

    def state_dict(self) -> dict[str, Any]:
        """Accumulators and the number of steps."""
        return {"optimizer": self._optimizer.state_dict(), "steps": self._steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over another's accumulators and number of steps."""
        # The optimiser would go on in the very tensors it is given.
        self._optimizer.load_state_dict(deepcopy(state["optimizer"]))
        self._prior_group = self._optimizer.param_groups[0] if self._prior_group is not None else None
        self._steps = state["steps"]


class LearnerState:
    """`state_dict` and `load_state_dict` for a learner made of modules and ascents, which `_parts` names."""

    def _parts(self) -> dict[str, Any]:
        raise NotImplementedError

    def diagnostics(self) -> dict[str, float]:
        """None, unless a learner has some of its own."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """State of every part."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Give every part its state."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
