"""Grey pixels to black and white, or not."""

import torch
from jaxtyping import Float
from torch import Tensor

from aevb.data.dataset import data_error

BINARIZATIONS = ("none", "threshold", "static", "dynamic")


def binarize(
    pixels: Float[Tensor, "*shape"], binarization: str, generator: torch.Generator | None = None
) -> Float[Tensor, "*shape"]:
    """Return pixels in [0, 1] as they are ("none"), as x > 0.5 ("threshold"), or as Bernoulli(x) draws.

    "static" and "dynamic" draw alike, from `generator`. The difference is the caller's: static draws once, before
    training; dynamic draws anew for every minibatch. Raises DataError for an unknown binarization, ValueError for draws
    without a generator.
    """
    if binarization == "none":
        return pixels
    if binarization == "threshold":
        return (pixels > 0.5).to(pixels.dtype)
    if binarization in ("static", "dynamic"):
        if generator is None:
            raise ValueError(f"binarization {binarization!r} draws at random and must be given a generator, got None")
        return torch.bernoulli(pixels, generator=generator)
    known = ", ".join(BINARIZATIONS)
    raise data_error("binarization", "it must be known", f"one of {known}", repr(binarization), "use one of those")
