"""Layers that behave otherwise in training, dropout and batch norm: what is measured is to be without."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

_OTHERWISE_IN_TRAINING = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


class TrainModeWarning(UserWarning):
    """What is to be estimated has layers that behave otherwise in training."""


def demand_eval_mode(*parts: object) -> None:
    """No module in its train mode has dropout or batch norm: what it gives would be of a draw, or of its company.

    Args:
        parts: modules, or their methods.

    Warns:
        TrainModeWarning: one has.
    """
    for part in parts:
        owner = getattr(part, "__self__", part)
        for module in owner.modules() if isinstance(owner, nn.Module) else ():
            if module.training and isinstance(module, _OTHERWISE_IN_TRAINING):
                warnings.warn(
                    f"a model must be in its eval mode to be evaluated, got {type(module).__name__} of "
                    f"{type(owner).__name__} in its train mode: call .eval() first",
                    TrainModeWarning,
                    stacklevel=3,
                )
                return


@contextmanager
def in_eval_mode(*networks: nn.Module) -> Iterator[None]:
    """All of their modules are in their eval mode; then each in the mode that it had."""
    training = [module for network in networks for module in network.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
