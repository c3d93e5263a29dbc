"""What noise and parameters must be."""

import torch
from torch import Tensor

from aevb import checks
from aevb.errors import ArgumentError


def uniform(eps: Tensor) -> None:
    """Noise lies in the open interval (0, 1).

    Raises:
        ArgumentError: it does not.
    """
    tensors(eps=eps)
    require("eps", eps, (eps > 0) & (eps < 1), "in the open interval (0, 1)", "draw it with `uniform_noise`")


def positive(**parameters: Tensor) -> None:
    """Each parameter is finite and above 0.

    Raises:
        ArgumentError: one is not.
    """
    tensors(**parameters)
    for name, value in parameters.items():
        holds = (value > 0) & torch.isfinite(value)
        require(name, value, holds, "positive and finite", "pass it through torch.nn.functional.softplus, say")


def finite(**parameters: Tensor) -> None:
    """Each parameter is finite.

    Raises:
        ArgumentError: one is not.
    """
    tensors(**parameters)
    for name, value in parameters.items():
        require(name, value, torch.isfinite(value), "finite", "look at what it is computed from")


def tensors(**values: Tensor) -> None:
    """Each is a tensor of real numbers.

    Raises:
        ArgumentError: one is not.
    """
    for name, value in values.items():
        if not isinstance(value, Tensor) or value.is_complex() or value.dtype == torch.bool:
            got = str(value.dtype) if isinstance(value, Tensor) else checks.shown(value)
            raise ArgumentError(f"`{name}` must be a tensor of real numbers, got {got}: make one with torch.tensor")


def last_axis(eps: Tensor, size: int) -> None:
    """Noise has so many variables for each draw.

    Raises:
        ArgumentError: it has not; fewer would serve twice.
    """
    tensors(eps=eps)
    if not eps.ndim or eps.shape[-1] != size:
        raise ArgumentError(f"`eps` must have shape (..., {size}), got {tuple(eps.shape)}: draw noise of that size")


def together(*arguments: Tensor) -> None:
    """Parameters and noise broadcast, and one of them at least has a floating type.

    Raises:
        ArgumentError: not so.
    """
    shapes = [tuple(each.shape) for each in arguments]
    try:
        torch.broadcast_shapes(*shapes)
    except RuntimeError as error:
        got = ", ".join(map(str, shapes))
        raise ArgumentError(f"parameters and noise must broadcast, got shapes {got}: align their last axes") from error
    if not any(each.is_floating_point() for each in arguments):
        raise ArgumentError(f"noise must have a floating type, got {arguments[-1].dtype}: convert it with .float()")


def require(name: str, value: Tensor, holds: Tensor, rule: str, remedy: str) -> None:
    """All of `holds` is true.

    Raises:
        ArgumentError: not so; the message shows the first value at fault.
    """
    if not bool(holds.all()):
        wrong = value.detach().broadcast_to(holds.shape)[~holds].flatten()[0].item()
        raise ArgumentError(f"`{name}` must be {rule}, got {wrong:g}: {remedy}")
