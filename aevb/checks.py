"""What the arguments of public functions must be. Shapes, types and devices cost nothing to check; values, a wait."""

import math
import reprlib
from collections.abc import Collection
from itertools import chain
from numbers import Integral, Real
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from aevb.errors import ArgumentError, did_you_mean


class Decoder(Protocol):
    """What is asked of a generative model here."""

    n_latent: int
    n_pixels: int
    unit_interval: bool


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
            raise ArgumentError(
                f"`{name}` must be a whole number, at least {least}, got {shown(value)}: choose another"
            )


def number(least: float, most: float = math.inf, **numbers: float) -> None:
    """Each is a finite number from `least` to `most`.

    Raises:
        ArgumentError: one is not.
    """
    for name, value in numbers.items():
        if not isinstance(value, Real) or isinstance(value, bool) or not (least <= value <= most and value < math.inf):
            remedy = f"take {name}.item()" if isinstance(value, Tensor) else "choose another"
            raise ArgumentError(
                f"`{name}` must be a finite number from {least:g} to {most:g}, got {shown(value)}: {remedy}"
            )


def flag(**values: bool) -> None:
    """Each is True or False.

    Raises:
        ArgumentError: one is not.
    """
    for name, value in values.items():
        if not isinstance(value, bool):
            raise ArgumentError(f"`{name}` must be True or False, got {shown(value)}: choose one")


def choice(known: Collection[str], **values: str) -> None:
    """Each is one of the known names.

    Raises:
        ArgumentError: one is not.
    """
    for name, value in values.items():
        if not (isinstance(value, str) and value in known):
            meant = did_you_mean(value, known)
            raise ArgumentError(f"`{name}` must be one of {', '.join(known)}, got {shown(value)}: choose one{meant}")


def kind(expected: type, remedy: str, **values: object) -> None:
    """Each is an object of this class.

    Raises:
        ArgumentError: one is not.
    """
    for name, value in values.items():
        if not isinstance(value, expected):
            raise ArgumentError(f"`{name}` must be {_article(expected)}, got {shown(value)}: {remedy}")


def source(generator: torch.Generator, like: Tensor | None = None) -> None:
    """Randomness comes from a generator, of the kind of device that `like` lies on; else torch would take everybody's.

    Raises:
        ArgumentError: it is none, or one of another kind of device.
    """
    if not isinstance(generator, torch.Generator):
        raise ArgumentError(
            f"`generator` must be a torch.Generator, got {shown(generator)}: make one with "
            "torch.Generator().manual_seed(0)"
        )
    if like is None or generator.device == like.device:  # a device's type is a new string each time, and costs more
        return
    if (own := generator.device.type) != (needed := like.device.type):
        raise ArgumentError(
            f"`generator` must be on {needed}, as what it draws, got one on {own}: make it with "
            f"torch.Generator({needed!r}).manual_seed(0)"
        )


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


def moments(name: str, q: Any, shape: tuple[int, ...]) -> None:
    """A Gaussian has a mean of this shape, and a spread that broadcasts to it over datapoints.

    Raises:
        ArgumentError: it has not; a mean that broadcasts would be one of z's latents for another.
    """
    for part, own in (("mean", shape), ("log_var", shape), ("cholesky", (*shape, *shape[-1:]))):
        if part == "mean" or hasattr(q, part):
            value = getattr(q, part, q)
            kind(Tensor, "use torch.as_tensor", **{f"{name}'s {part}": value})
            got = tuple(value.shape)
            if got != own and (part == "mean" or got not in (own[1:], (1, *own[1:]))):
                raise ArgumentError(
                    f"`{name}` must have a {part} of shape {own}, got {got}: give one for each datapoint"
                )


def weights(model: Decoder, like: Tensor | None = None) -> Tensor:
    """What tells a model's type and device: the weights of its output layer, or, where it has none, its first ones.

    Where it has no weights of a floating type, `like` tells, if that has one, or else torch's own type.
    """
    output = getattr(model, "output", None)
    if isinstance(output, nn.Linear):
        return output.weight
    own = model.parameters() if isinstance(model, nn.Module) else ()
    telling = chain(own, (like,) if isinstance(like, Tensor) else ())
    return next((each for each in telling if each.is_floating_point()), _NO_WEIGHTS)


_NO_WEIGHTS = torch.empty(0)


def datapoints(model: Decoder, x: Tensor) -> None:
    """X has shape (batch, pixel) for this model, at least one row, and the model's type and device.

    Raises:
        ArgumentError: it has not.
    """
    if not hasattr(model, "unit_interval"):
        remedy = "wrap its log p(x, z) in aevb.joint.Joint, or make a BernoulliModel"
        raise ArgumentError(f"`model` must be a GenerativeModel, got {shown(model)}: {remedy}")
    last_axis("x", x, model.n_pixels, weights(model, x))
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


def first_batch(model: Decoder, x: Tensor) -> None:
    """`pixels`, of one run or of a stack of them.

    Raises:
        ArgumentError: not so.
    """
    stacked = weights(model).ndim == 3 and isinstance(x, Tensor) and x.ndim == 3
    pixels(model, x.flatten(0, 1) if stacked else x)


def places(indices: Tensor, n_rows: int, n_datapoints: int) -> None:
    """A place in the training set for each row of a batch.

    Raises:
        ArgumentError: not so.
    """
    whole_numbers = isinstance(indices, Tensor) and not indices.is_floating_point() and not indices.is_complex()
    if not whole_numbers or indices.dtype == torch.bool or indices.shape != (n_rows,):
        got = f"{indices.dtype} {tuple(indices.shape)}" if isinstance(indices, Tensor) else type(indices).__name__
        raise ArgumentError(
            f"`indices` must be {n_rows} whole numbers, a place for each row of x, got {got}: give them"
        )
    low, high = (int(value) for value in torch.aminmax(indices))
    if low < 0 or high >= n_datapoints:
        raise ArgumentError(
            f"`indices` must lie in 0 to {n_datapoints - 1}, got {low} to {high}: n_datapoints is the size of the "
            "whole training set"
        )


def parts(names: Collection[str], remedy: str, **values: object) -> None:
    """Each has these tensors.

    Raises:
        ArgumentError: one has not.
    """
    for name, value in values.items():
        lacking = [part for part in names if not isinstance(getattr(value, part, None), Tensor)]
        if lacking:
            raise ArgumentError(f"`{name}` must have {', '.join(lacking)} as a tensor, got {shown(value)}: {remedy}")


def positions(model: Decoder, x: Tensor, chains: Positions) -> None:
    """There is a chain for each datapoint, with one step size for all or for each.

    Raises:
        ArgumentError: not so.
    """
    parts(("z", "step_size", "n_tuned"), "start them with start_chains", chains=chains)
    expected = (len(x), model.n_latent)
    if chains.z.shape != expected:
        raise ArgumentError(
            f"`chains` must have positions of shape {expected}, got {tuple(chains.z.shape)}: "
            "start them for these datapoints"
        )
    if (got := tuple(chains.step_size.shape)) not in ((), (1,), expected[:1]):
        raise ArgumentError(f"`chains` must have one step size for all or for each, got shape {got}: start anew")
    same("chains", chains.z, x)


def shown(value: object) -> str:
    """A value as an error shows it: short, whatever it is."""
    if isinstance(value, (Tensor, nn.Module)):
        return type(value).__name__
    return reprlib.repr(value)


def _article(expected: type) -> str:
    return f"{'an' if expected.__name__[0] in 'AEIOU' else 'a'} {expected.__name__}"
