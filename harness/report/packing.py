"""Numbers as text for the page: weights in fixed point and deflated, others as they are."""

import base64
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from harness.report.deflate import deflated
from harness.report.rounding import multiples_of

LARGEST = 2**15 - 1
FEW = 4_000  # weights; so few are brought as they are
NARROW = 50_000  # weights; what a layer of fewer weighs in the page is not worth a coarse step


def packed_layer(
    layer: nn.Linear, step: float, factor: float = 1.0, inputs: Float[Tensor, "example in"] | None = None
) -> dict[str, Any]:
    """A layer, its weights multiples of the step; of a small one, or of large weights, of the finest of 16 bits.

    Args:
        layer: W and b.
        step: of the weights.
        factor: W is multiplied by.
        inputs: examples of what it is applied to, which a layer with a coarse step is to answer as before.
    """
    weight = layer.weight * factor if layer.weight is not None else layer.bias.new_empty(len(layer.bias), 0)
    if weight.numel() <= FEW:
        return _sizes(weight) | {"exact": floats(weight), "bias": floats(layer.bias)}
    if weight.numel() < NARROW:
        return in_steps(weight, layer.bias, 0.0)
    return in_steps(multiples_of(step, weight, inputs) * step, layer.bias, step)


def in_steps(weight: Float[Tensor, "out in"], bias: Tensor, step: float) -> dict[str, Any]:
    """A layer, its weights multiples of the step, of none of the smallest one that 16 bits allow."""
    step = step or float(weight.abs().max()) / LARGEST or 1.0
    return _sizes(weight) | {"step": step, "weight": _packed(weight, step), "bias": floats(bias)}


def _sizes(weight: Float[Tensor, "out in"]) -> dict[str, int]:
    return {"nIn": weight.shape[1], "nOut": weight.shape[0]}


def _packed(weight: Float[Tensor, "out in"], step: float) -> str:
    """Multiples of the step, signs folded into the lowest bit, all high bytes before all low ones, deflated.

    Of as many bytes as the largest needs, two at the least.
    """
    multiples = multiples_of(step, weight).numpy().astype(np.int32)
    folded = (multiples << 1) ^ (multiples >> 31)
    n_bytes = max(2, (int(folded.max(initial=0)).bit_length() + 7) // 8)
    return deflated(b"".join((folded >> 8 * k & 255).astype(np.uint8).tobytes() for k in reversed(range(n_bytes))))


def floats(values: Tensor) -> str:
    """Float32, little-endian, in base 64."""
    return encoded(values.float().numpy().astype("<f4").tobytes())


def encoded(content: bytes) -> str:
    """Bytes in base 64."""
    return base64.b64encode(content).decode()
