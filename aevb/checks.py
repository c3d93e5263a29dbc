"""What the arguments of public functions must be. Shapes, types and devices cost nothing to check; values, a wait."""

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from aevb.errors import ArgumentError
from aevb.layers import ACTIVATIONS


class Decoder(Protocol):
    """What is asked of a generative model here."""

    n_latent: int
    n_pixels: int
    unit_interval: bool
    output: nn.Linear


class Positions(Protocol):
    """What is asked of chains here."""

    @property
    def z(self) -> Tensor:
        """Shape (batch, latent)."""

    @property
    def step_size(self) -> Tensor:
        """One for all, or shape (batch,)."""


def whole(least: int, **numbers: int) -> None:
    """Each is a whole number of at least `least`.

    Raises:
        ArgumentError: one is not.
    """
    for name, value in numbers.items():
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            raise ArgumentError(f"`{name}` must be a whole number, at least {least}, got {value!r}: choose another")


def number(least: float, most: float = math.inf, **numbers: float) -> None:
    """Each is a finite number from `least` to `most`.

    Raises:
        ArgumentError: one is not.
    """
    for name, value in numbers.items():
        if not isinstance(value, Real) or isinstance(value, bool) or not (least <= value <= most and value < math.inf):
            raise ArgumentError(f"`{name}` must be finite, from {least:g} to {most:g}, got {value!r}: choose another")


def network(n_latent: int, n_pixels: int, hidden: Sequence[int], init_std: float, activation: str) -> None:
    """Sizes of a decoder or an encoder are positive, its first weights' spread too, and its activation is known.

    Raises:
        ArgumentError: not so.
    """
    whole(1, n_latent=n_latent, n_pixels=n_pixels, **{f"hidden[{n}]": width for n, width in enumerate(hidden)})
    number(0, init_std=init_std)
    if activation not in ACTIVATIONS:
        raise ArgumentError(f"`activation` must be one of {', '.join(ACTIVATIONS)}, got {activation!r}: choose one")


def last_axis(name: str, value: Tensor, size: int, like: Tensor) -> None:
    """A tensor has the last axis, the type and the device that a network takes.

    Raises:
        ArgumentError: it has not.
    """
    if not isinstance(value, Tensor):
        raise ArgumentError(f"`{name}` must be a tensor, got {type(value).__name__}: use torch.as_tensor")
    if not value.ndim or value.shape[-1] != size:
        raise ArgumentError(
            f"`{name}` must have shape (..., {size}), got {tuple(value.shape)}: give what the model was made for"
        )
    same(name, value, like)


def same(name: str, value: Tensor, like: Tensor) -> None:
    """A tensor has the type and the device of another.

    Raises:
        ArgumentError: it has not.
    """
    if value.dtype != like.dtype:
        raise ArgumentError(f"`{name}` must be {like.dtype}, got {value.dtype}: convert it with .to({like.dtype})")
    if value.device != like.device:
        raise ArgumentError(f"`{name}` must be on {like.device}, got {value.device}: move it with .to")


def datapoints(model: Decoder, x: Tensor) -> None:
    """X has shape (batch, pixel) for this model, at least one row, and the model's type and device.

    Raises:
        ArgumentError: it has not.
    """
    last_axis("x", x, model.n_pixels, model.output.weight)
    if x.ndim != 2 or not len(x):
        raise ArgumentError(f"`x` must have shape (batch, {model.n_pixels}), got {tuple(x.shape)}: give rows of pixels")


def pixels(model: Decoder, x: Tensor) -> None:
    """`datapoints`, and values are finite, and in [0, 1] where the model's pixels are.

    Raises:
        ArgumentError: not so.
    """
    datapoints(model, x)
    low, high = (value.item() for value in torch.aminmax(x))  # NaN where there is one
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ArgumentError("`x` must be finite, got NaN or infinity: remove or replace those values")
    if model.unit_interval and not (low >= 0 and high <= 1):
        raise ArgumentError(f"`x` must lie in [0, 1], got {low:g} to {high:g}: rescale it, or use a GaussianModel")


def positions(model: Decoder, x: Tensor, chains: Positions) -> None:
    """There is a chain for each datapoint, with one step size for all or for each.

    Raises:
        ArgumentError: not so.
    """
    expected = (len(x), model.n_latent)
    if chains.z.shape != expected:
        raise ArgumentError(
            f"`chains` must have positions of shape {expected}, got {tuple(chains.z.shape)}: "
            "start them for these datapoints"
        )
    if (got := tuple(chains.step_size.shape)) not in ((), (1,), expected[:1]):
        raise ArgumentError(f"`chains` must have one step size for all or for each, got shape {got}: start anew")
    same("chains", chains.z, x)


def learner(model: Decoder, encoder: Any, n_datapoints: int, n_samples: int) -> None:
    """A decoder and an encoder are of one size, and N and L are at least 1.

    Raises:
        ArgumentError: not so.
    """
    whole(1, n_datapoints=n_datapoints, n_samples=n_samples)
    for size in ("n_latent", "n_pixels"):
        if (own := getattr(encoder, size, None)) not in (None, expected := getattr(model, size)):
            raise ArgumentError(f"`encoder` must have {size} {expected} as `model`, got {own}: make it anew")
