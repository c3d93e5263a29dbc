"""Grey pixels to black and white, or not."""

import torch
from jaxtyping import Float
from torch import Tensor

from aevb.checks import shown, source
from aevb.data.dataset import data_error
from aevb.errors import ArgumentError

BINARIZATIONS = ("none", "threshold", "static", "dynamic")


def binarize(
    pixels: Float[Tensor, "*shape"], binarization: str, generator: torch.Generator | None = None
) -> Float[Tensor, "*shape"]:
    """Return pixels in [0, 1] as they are ("none"), as x > 0.5 ("threshold"), or as Bernoulli(x) draws.

    "static" and "dynamic" draw alike, from `generator`. The difference is the caller's: static draws once, before
    training; dynamic draws anew for every minibatch. Raises DataError for an unknown binarization, ArgumentError for
    draws without a generator, and for pixels that are no floats, or are to be changed and not in [0, 1].
    """
    if not isinstance(pixels, Tensor) or not pixels.is_floating_point():
        got = str(pixels.dtype) if isinstance(pixels, Tensor) else shown(pixels)
        raise ArgumentError(f"`pixels` must be a tensor of floats, got {got}: make one with torch.as_tensor")
    if binarization not in BINARIZATIONS:
        known = ", ".join(BINARIZATIONS)
        raise data_error("binarization", "it must be known", f"one of {known}", repr(binarization), "use one of those")
    if binarization == "none":
        return pixels
    if pixels.numel():
        low, high = (value.item() for value in torch.aminmax(pixels))
        if not (low >= 0 and high <= 1):
            raise ArgumentError(f"`pixels` must lie in [0, 1], got {low:g} to {high:g}: rescale them")
    if binarization == "threshold":
        return (pixels > 0.5).to(pixels.dtype)
    if generator is None:
        raise ArgumentError(f"`generator` must be given for binarization {binarization!r}, got None: make one")
    source(generator, pixels)
    return torch.bernoulli(pixels, generator=generator)
