"""A decoder's last layer where z has two dimensions: few combinations of the hidden units are all that it needs.

Over the plane, 500 hidden units move along a surface that a few dozen directions hold. The layer is then two layers
without anything between them, hidden units → those directions → pixels, which weigh a tenth of it.
"""

from bisect import bisect_left
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from harness.report.packing import in_steps
from harness.report.rounding import multiples_of

STEPS = [2.0**-k for k in range(4, 18)]  # of the weights, from the coarsest


def narrowed(
    layer: nn.Linear, inputs: Float[Tensor, "place in"], tolerance: float, factor: float = 1.0
) -> dict[str, Any] | None:
    """The layer as two, packed, the first within the second as `inner`; None where that is not smaller.

    Outputs W·h + b of the given inputs h move by no more than the tolerance: half of that may go with the directions
    that are left out, the rest with weights that are multiples of a step, the coarsest that keeps it.

    Args:
        layer: W and b.
        inputs: all that it is to be applied to, as densely as h changes.
        tolerance: of each output, in its units.
        factor: W is multiplied by.
    """
    weight, h = layer.weight.double() * factor, inputs.double()
    middle = h.mean(0)
    outputs = (h - middle) @ weight.T
    _, directions = torch.linalg.eigh(outputs.T @ outputs)
    directions = directions.flip(1)  # the largest first
    most = (weight.numel() - 1) // sum(weight.shape)
    n = 1 + bisect_left(range(1, most + 1), True, key=lambda n: _left_out(outputs, directions[:, :n]) <= tolerance / 2)
    if n > most:
        return None
    outer = directions[:, :n]
    inner = outer.T @ weight
    share = (inner.norm(dim=1) / outer.norm(dim=0)).sqrt()  # so that both factors are as large, direction by direction
    outer, inner = outer * share, inner / share[:, None]
    exact = outputs + layer.bias.double() + weight @ middle

    def rounded(step: float) -> tuple[Tensor, Tensor, Tensor]:
        first = multiples_of(step, inner, h - middle) * step
        second = multiples_of(step, outer, (h - middle) @ first.T) * step
        return first, second, layer.bias.double() + weight @ middle - second @ (first @ middle)

    def is_fine(step: float) -> bool:
        first, second, bias = rounded(step)
        return bool((h @ first.T @ second.T + bias - exact).abs().max() <= tolerance)

    step = STEPS[min(bisect_left(STEPS, True, key=is_fine), len(STEPS) - 1)]
    first, second, bias = rounded(step)
    return in_steps(second, bias, step) | {"inner": in_steps(first, first.new_zeros(n), step)}


def _left_out(outputs: Tensor, directions: Tensor) -> float:
    """The largest change of an output without the others; directions that are added make it smaller."""
    return float((outputs @ directions @ directions.T - outputs).abs().max())
