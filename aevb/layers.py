"""Linear layers with the paper's initialisation, and stacks of them with an activation between."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

Activation = Literal["tanh", "softplus"]
"""What a hidden layer applies: tanh(a), the paper's, or softplus(a) = log(1 + eᵃ)."""

ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "softplus": nn.Softplus}


def linear(n_in: int, n_out: int, std: float, generator: torch.Generator | None) -> nn.Linear:
    """Linear layer, float32 on the CPU, whose weights and biases are drawn from N(0, std²); std = 0 gives zeros."""
    # Torch draws weights of its own first; its skip_init would import a second's worth of modules.
    with torch.random.fork_rng(devices=[]):
        layer = nn.Linear(n_in, n_out, dtype=torch.float32)
    with torch.no_grad():
        for parameter in (layer.weight, layer.bias):
            parameter.normal_(0, std, generator=generator) if std else parameter.zero_()
    return layer


def hidden_stack(
    n_in: int, hidden: Sequence[int], activation: Activation, std: float, generator: torch.Generator | None
) -> nn.Sequential:
    """Fully connected layers of the given widths, each followed by the activation; an empty list is the identity."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [linear(n_in, width, std, generator), ACTIVATIONS[activation]()]
        n_in = width
    return nn.Sequential(*layers)
