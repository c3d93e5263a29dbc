"""Numbers as text for the page: weights in fixed point and deflated, others as they are."""

import base64
import zlib
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

LARGEST = 2**15 - 1
HARMLESS = str.maketrans("<&", ",.")
NARROW = 50_000  # weights; what a layer of fewer weighs in the page is not worth a coarse step


def packed_layer(layer: nn.Linear, step: float, factor: float = 1.0) -> dict[str, Any]:
    """A layer, its weights multiples of the step; of a small one, or of large weights, of the finest of 16 bits."""
    weight = layer.weight * factor if layer.weight is not None else layer.bias.new_empty(len(layer.bias), 0)
    return in_steps(weight, layer.bias, step if weight.numel() >= NARROW else 0.0, otherwise=step)


def in_steps(weight: Float[Tensor, "out in"], bias: Tensor, step: float, *, otherwise: float = 1.0) -> dict[str, Any]:
    """A layer, its weights multiples of the step, or where they are too large for it of the smallest one they allow."""
    finest = float(weight.abs().max()) / LARGEST if weight.numel() else 0.0
    step = max(step, finest) or otherwise
    return {
        "nIn": weight.shape[1],
        "nOut": weight.shape[0],
        "step": step,
        "weight": _packed(weight, step),
        "bias": floats(bias),
    }


def _packed(weight: Float[Tensor, "out in"], step: float) -> str:
    """Multiples of the step, signs folded into the lowest bit, all high bytes before all low ones, deflated.

    In base 85, which is shorter than base 64, with signs that neither HTML nor JSON has a use for.
    """
    multiples = np.round(weight.double().numpy() / step).astype(np.int32)
    folded = (multiples << 1) ^ (multiples >> 31)
    planes = (folded >> 8).astype(np.uint8).tobytes() + (folded & 255).astype(np.uint8).tobytes()
    return base64.b85encode(zlib.compress(planes, 9)).decode().translate(HARMLESS)


def floats(values: Tensor) -> str:
    """Float32, little-endian, in base 64."""
    return encoded(values.float().numpy().astype("<f4").tobytes())


def encoded(content: bytes) -> str:
    """Bytes in base 64."""
    return base64.b64encode(content).decode()
