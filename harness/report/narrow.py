"""A decoder's last layer where z has two dimensions: few combinations of the hidden units are all that it needs.

Over the plane, 500 hidden units move along a surface that a few dozen directions hold. The layer is then two layers
without anything between them, hidden units → those directions → pixels, which weigh a tenth of it.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from harness.report.packing import in_steps

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
    for n in range(1, min(weight.shape)):
        outer = directions[:, :n]
        if (outputs @ outer @ outer.T - outputs).abs().max() <= tolerance / 2:
            break
    else:
        return None
    if n * sum(weight.shape) >= weight.numel():
        return None
    inner = outer.T @ weight
    share = (inner.norm(dim=1) / outer.norm(dim=0)).sqrt()  # so that both factors are as large, direction by direction
    outer, inner = outer * share, inner / share[:, None]
    exact = outputs + layer.bias.double() + weight @ middle
    for step in STEPS:
        rounded = [(factor / step).round() * step for factor in (outer, inner)]
        bias = layer.bias.double() + weight @ middle - rounded[0] @ (rounded[1] @ middle)
        if (h @ rounded[1].T @ rounded[0].T + bias - exact).abs().max() <= tolerance:
            break
    return in_steps(outer, bias, step) | {"inner": in_steps(inner, inner.new_zeros(n), step)}
