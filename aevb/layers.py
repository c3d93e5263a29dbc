"""Linear layers with the paper's initialisation, and stacks of tanh layers."""

from collections.abc import Sequence

import torch
from torch import nn


def linear(n_in: int, n_out: int, std: float, generator: torch.Generator | None) -> nn.Linear:
    """Linear layer, float32 on the CPU, whose weights and biases are drawn from N(0, std²); std = 0 gives zeros."""
    layer = nn.Linear(n_in, n_out, dtype=torch.float32)  # torch's skip_init would import a second's worth of modules
    with torch.no_grad():
        for parameter in (layer.weight, layer.bias):
            parameter.normal_(0, std, generator=generator) if std else parameter.zero_()
    return layer


def tanh_stack(n_in: int, hidden: Sequence[int], std: float, generator: torch.Generator | None) -> nn.Sequential:
    """Fully connected tanh layers of the given widths; an empty list is the identity."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [linear(n_in, width, std, generator), nn.Tanh()]
        n_in = width
    return nn.Sequential(*layers)
