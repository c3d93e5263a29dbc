"""What noise and parameters must be."""

import torch
from torch import Tensor

from aevb.errors import ArgumentError


def uniform(eps: Tensor) -> None:
    """Noise lies in the open interval (0, 1).

    Raises:
        ArgumentError: it does not.
    """
    require("eps", eps, (eps > 0) & (eps < 1), "in the open interval (0, 1); `uniform_noise` draws it")


def positive(**parameters: Tensor) -> None:
    """Each parameter is finite and above 0.

    Raises:
        ArgumentError: one is not.
    """
    for name, value in parameters.items():
        require(name, value, (value > 0) & torch.isfinite(value), "positive and finite")


def finite(**parameters: Tensor) -> None:
    """Each parameter is finite.

    Raises:
        ArgumentError: one is not.
    """
    for name, value in parameters.items():
        require(name, value, torch.isfinite(value), "finite")


def require(name: str, value: Tensor, holds: Tensor, rule: str) -> None:
    """All of `holds` is true.

    Raises:
        ArgumentError: not so; the message shows the first value at fault.
    """
    if not bool(holds.all()):
        wrong = value.detach().broadcast_to(holds.shape)[~holds].flatten()[0].item()
        raise ArgumentError(f"`{name}` must be {rule}, got {wrong:g}")
