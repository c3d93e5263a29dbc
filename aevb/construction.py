"""What networks and learners may be made of."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from aevb.checks import Decoder, choice, kind, number, shown, whole
from aevb.errors import ArgumentError
from aevb.layers import ACTIVATIONS

NO_ENCODER = object()
"""What `learner` is given for an algorithm that has none."""


def network(
    n_latent: int,
    n_pixels: int,
    hidden: Sequence[int],
    init_std: float,
    activation: str,
    source: torch.Generator | None = None,
) -> None:
    """Sizes of a decoder or an encoder are positive, its first weights' spread too, and its activation is known.

    Raises:
        ArgumentError: not so.
    """
    if not isinstance(hidden, Sequence) or isinstance(hidden, str):
        raise ArgumentError(f"`hidden` must be a sequence of widths, got {shown(hidden)}: write one layer as (500,)")
    whole(1, n_latent=n_latent, n_pixels=n_pixels, **{f"hidden[{n}]": width for n, width in enumerate(hidden)})
    number(0, init_std=init_std)
    choice(ACTIVATIONS, activation=activation)
    generator(source)


def learner(model: Decoder, encoder: Any, n_datapoints: int, n_samples: int) -> None:
    """A decoder and an encoder (NO_ENCODER where there is none) are networks of one size, and N and L are at least 1.

    Raises:
        ArgumentError: not so.
    """
    if not isinstance(model, nn.Module) or not all(
        hasattr(model, name) for name in ("n_latent", "n_pixels", "unit_interval")
    ):
        raise ArgumentError(f"`model` must be a GenerativeModel, got {shown(model)}: make a BernoulliModel, say")
    if encoder is not NO_ENCODER:
        kind(nn.Module, "make a GaussianEncoder, say", encoder=encoder)
    whole(1, n_datapoints=n_datapoints, n_samples=n_samples)
    for size in ("n_latent", "n_pixels"):
        if (own := getattr(encoder, size, None)) not in (None, expected := getattr(model, size)):
            raise ArgumentError(f"`encoder` must have {size} {expected} as `model`, got {own}: make it anew")


def trainable(**modules: nn.Module) -> None:
    """Each has parameters of its own, and all of them take gradients: learners by hand would move the others too.

    Raises:
        ArgumentError: not so; what two of them share would be moved twice at each step.
    """
    owners: dict[int, str] = {}
    for name, module in modules.items():
        for own, parameter in module.named_parameters():
            owner = owners.setdefault(id(parameter), name)
            if owner != name:
                raise ArgumentError(f"`{name}` must not share a parameter with `{owner}`, got {own}: give it a copy")
    for name, module in modules.items():
        parameters = dict(module.named_parameters())
        frozen = [own for own, parameter in parameters.items() if not parameter.requires_grad]
        if frozen or not parameters:
            which = ", ".join(frozen[:3]) + (", ..." if len(frozen) > 3 else "")
            got, remedy = (f"{which} without", f"call {name}.requires_grad_(True)") if frozen else ("none", "make some")
            raise ArgumentError(f"`{name}` must have parameters that take gradients, got {got}: {remedy}")


def generator(value: torch.Generator | None) -> None:
    """A source of randomness, or None for torch's own.

    Raises:
        ArgumentError: it is neither.
    """
    if value is not None:
        kind(torch.Generator, "make one with torch.Generator().manual_seed(0)", generator=value)


def function(remedy: str, **values: object) -> None:
    """Each can be called; `remedy` says what to give.

    Raises:
        ArgumentError: one cannot.
    """
    for name, value in values.items():
        if not callable(value):
            raise ArgumentError(f"`{name}` must be a function, got {shown(value)}: {remedy}")
