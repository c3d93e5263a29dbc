"""A fresh decoder of anybody's class, given what its constructor takes."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from aevb.model import GenerativeModel

_KNOWN = inspect.signature(GenerativeModel).parameters


def fresh_decoder(
    kind: Callable[..., GenerativeModel],
    n_latent: int,
    n_pixels: int,
    hidden: Sequence[int],
    generator: torch.Generator,
    *,
    layers: Mapping[str, Any],
    own: Mapping[str, Any] | None = None,
) -> GenerativeModel:
    """A new one, and the same for the same generator: weights that it does not draw from there are seeded from there.

    Args:
        kind: its class, or what makes one from (n_latent, n_pixels, hidden).
        n_latent: size of z.
        n_pixels: size of x.
        hidden: widths of the hidden layers.
        generator: source of the weights; passed on by this name where that is taken.
        layers: more arguments of the project's decoders. Passed on are those that the constructor names, and of those
            that `GenerativeModel` has all, if the constructor takes any name.
        own: arguments of its own, passed on in any case.
    """
    takes = inspect.signature(kind).parameters
    any_name = any(p.kind is p.VAR_KEYWORD for p in takes.values())
    offered = {**layers, "generator": generator}
    known = {name: value for name, value in offered.items() if name in takes or (any_name and name in _KNOWN)}
    seed = int(torch.randint(2**62, (), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(n_latent, n_pixels, hidden, **known, **(own or {}))
