"""Ascent with Adagrad on an objective in nats, and the prior on what climbs."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from aevb import checks
from aevb.errors import ArgumentError


@dataclass(frozen=True)
class AscentOptions:
    """How parameters climb.

    Attributes:
        step_size: Adagrad's η.
        warm_up: first steps, in which Adagrad only accumulates and nothing moves.
        prior_weight: factor of (M/N) · log N(θ; 0, I), the prior at minibatch scale; 0 leaves it out.
        prior_on_biases: the prior covers biases too, which are the parameters whose name ends in "bias".
        prior_on_encoder: it covers φ as well as θ.

    Raises:
        ArgumentError: a number is negative, or not finite, or a flag is none.
    """

    step_size: float = 0.02
    warm_up: int = 100
    prior_weight: float = 1.0
    prior_on_biases: bool = False
    prior_on_encoder: bool = False

    def __post_init__(self) -> None:
        """Check the numbers."""
        checks.number(0, step_size=self.step_size, prior_weight=self.prior_weight)
        checks.whole(0, warm_up=self.warm_up)
        checks.flag(prior_on_biases=self.prior_on_biases, prior_on_encoder=self.prior_on_encoder)


class Ascent:
    """Adagrad ascent on an objective in nats: G += g²; θ += η·g / √(G + 1e-8).

    Source: Kingma & Welling 2013, section 5, with the details of its first author's library.

    Args:
        options: step size, warm-up and prior.
        theta: the model, whose parameters carry the prior; None if it stays as it is.
        phi: the encoder, which carries it only if the options say so; None if it stays as it is.
    """

    def __init__(self, options: AscentOptions, *, theta: nn.Module | None = None, phi: nn.Module | None = None) -> None:
        checks.kind(AscentOptions, "make them with AscentOptions(step_size=…)", options=options)
        for name, module in {"theta": theta, "phi": phi}.items():
            if module is not None:
                checks.kind(nn.Module, "give the network whose parameters climb, or None", **{name: module})
        prior: list[Tensor] = []
        free: list[Tensor] = []
        for module, has_prior in ((phi, options.prior_on_encoder), (theta, True)):
            for name, parameter in module.named_parameters() if module is not None else ():
                covered = has_prior and (options.prior_on_biases or not name.endswith("bias"))
                (prior if covered else free).append(parameter)
        self._options = options
        self._groups = [(group, [torch.full_like(p, 1e-8) for p in group]) for group in (prior, free)]
        self.steps = 0

    @property
    def parameters(self) -> list[Tensor]:
        """All that climb."""
        return [parameter for group, _ in self._groups for parameter in group]

    @property
    def accumulators(self) -> list[Tensor]:
        """G + 1e-8 of each parameter."""
        return [accumulator for _, accumulators in self._groups for accumulator in accumulators]

    def step(self, objective: Float[Tensor, ""], prior_scale: float = 0.0) -> None:
        """One step up the gradient of objective + `prior_scale` · log N(θ; 0, I).

        Args:
            objective: sum over the minibatch, in nats.
            prior_scale: M/N, the minibatch's share of the training set.

        Raises:
            ArgumentError: the objective is no single number, or has no gradient, or does not depend on a parameter.
        """
        checks.kind(Tensor, "give a number in nats", objective=objective)
        if objective.ndim or not objective.requires_grad:
            got = f"shape {tuple(objective.shape)}" if objective.ndim else "one without a gradient"
            raise ArgumentError(
                f"`objective` must be one number with a gradient, got {got}: sum it, and step where gradients are on"
            )
        gradients = torch.autograd.grad(objective, self.parameters, allow_unused=True)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        self.climb(prior_scale)

    @torch.no_grad()
    def climb(self, prior_scale: float = 0.0) -> None:
        """One step up the gradients that stand in the parameters' ``grad``, and up the prior's.

        Raises:
            ArgumentError: a parameter has none.
        """
        step_size = 0.0 if self.steps < self._options.warm_up else self._options.step_size
        # The gradient of log N(θ; 0, I) is −θ.
        for (parameters, accumulators), decay in zip(
            self._groups, (prior_scale * self._options.prior_weight, 0.0), strict=True
        ):
            if parameters:
                _adagrad(parameters, accumulators, step_size, decay)
        self.steps += 1

    def become_part(self, joint: "Ascent", i: int) -> None:
        """From now on the accumulators are the i-th of another's, which have a leading axis; they keep their values."""
        for (_, own), (_, joined) in zip(self._groups, joint._groups, strict=True):
            for n, accumulator in enumerate(joined):
                accumulator[i] = own[n]
                own[n] = accumulator[i]

    def state_dict(self) -> dict[str, Any]:
        """Accumulators, its own, and the number of steps."""
        return {"accumulators": self.accumulators, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over another's accumulators and number of steps."""
        for own, other in zip(self.accumulators, state["accumulators"], strict=True):
            own.copy_(other)
        self.steps = state["steps"]


def _adagrad(parameters: list[Tensor], accumulators: list[Tensor], step_size: float, decay: float) -> None:
    """G += g²; θ += η·g / √G with g the gradient − decay·θ."""
    gradients = [_gradient(parameter) for parameter in parameters]
    device = parameters[0].device
    # One pass over memory instead of four, through numbers as they lie there, whatever the strides.
    if _is_fused_on(device.type) and all(
        parameter.stride() == accumulator.stride()
        for parameter, accumulator in zip(parameters, accumulators, strict=True)
    ):
        torch._fused_adagrad_(
            parameters, gradients, accumulators, _ones(device, len(parameters)),
            lr=step_size, lr_decay=0.0, weight_decay=decay, eps=0.0, maximize=True,
        )  # fmt: skip
        return
    if decay:
        gradients = list(torch._foreach_sub(gradients, parameters, alpha=decay))
    torch._foreach_addcmul_(accumulators, gradients, gradients)
    torch._foreach_addcdiv_(parameters, gradients, torch._foreach_sqrt(accumulators), value=step_size)


def _gradient(parameter: Tensor) -> Tensor:
    """Its gradient, laid out in memory as it is; autograd's may be one number for all, or a transposed matrix."""
    gradient = parameter.grad
    if gradient is None:
        raise ArgumentError(
            f"every parameter must have a gradient, got none for one of shape {tuple(parameter.shape)}: let the "
            "objective depend on it, or take it out of the network"
        )
    return gradient if gradient.stride() == parameter.stride() else torch.empty_like(parameter).copy_(gradient)


@cache
def _is_fused_on(kind: str) -> bool:
    """This torch has a kernel of Adagrad's for this kind of device; older ones have none for CUDA."""
    return torch._C._dispatch_has_kernel_for_dispatch_key("aten::_fused_adagrad_", kind.upper())


@cache
def _ones(device: torch.device, n: int) -> list[Tensor]:
    """Counts of steps, which matter only where the step size decays."""
    return [torch.ones((), device=device)] * n
