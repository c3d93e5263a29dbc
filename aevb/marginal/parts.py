"""Decoder evaluations by so many at a time that a core's cache holds them; all at once they wait for memory."""

import torch
from jaxtyping import Float
from torch import Tensor

from aevb.model import GenerativeModel

_NUMBERS, _NUMBERS_ON_A_GPU = 2**19, 2**24


def rows_at_a_time(width: int, like: Tensor) -> int:
    """How many rows of so many numbers to have at a time, on the device of `like`."""
    return max(1, (_NUMBERS if like.is_cpu else _NUMBERS_ON_A_GPU) // width)


def log_joint(
    model: GenerativeModel, x: Float[Tensor, "batch pixel"], z: Float[Tensor, "draw batch latent"]
) -> Float[Tensor, "draw batch"]:
    """`model.log_joint` of each draw, some at a time; without gradients, or memory would grow as if all were."""
    rows = rows_at_a_time(x.shape[-1], x)
    if len(x) > rows:
        parts = zip(x.split(rows), z.split(rows, 1), strict=True)
        return torch.cat([log_joint(model, *part) for part in parts], 1)
    return torch.cat([model.log_joint(x, part) for part in z.split(max(1, rows // len(x)))])
