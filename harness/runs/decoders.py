"""Anybody's decoder by the place of its class, built as the project's are."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from aevb.decoders import fresh_decoder
from aevb.errors import UserError, did_you_mean
from aevb.model import GaussianModel, GenerativeModel
from aevb.places import is_place, load_place, strangers_code
from harness.experiments.config import Config

BY_PLACE = ("n_latent", "n_pixels", "hidden")
OPTION = "decoder"  # of a protocol


def decoder_class(place: str) -> type[GenerativeModel]:
    """The class at "package.module:Class".

    Raises:
        UserError: it cannot be imported, or is no decoder; the message says what it lacks.
    """
    found = load_place(place, OPTION, "Class")
    if not inspect.isclass(found) or not issubclass(found, GenerativeModel):
        what = "which does not inherit from it" if inspect.isclass(found) else "which is no class"
        raise UserError(
            f"{OPTION} must name a class of aevb.model.GenerativeModel, got {place!r}, {what}: let it inherit from it"
        )
    if lacking := sorted(found.__abstractmethods__):
        raise UserError(
            f"a decoder must have all that aevb.model.GenerativeModel asks for, {place!r} is without "
            f"{', '.join(lacking)}: define them"
        )
    takes = inspect.signature(found).parameters
    catches_all = any(p.kind is p.VAR_POSITIONAL for p in takes.values())
    if not catches_all and [*takes][: len(BY_PLACE)] != [*BY_PLACE]:
        raise UserError(
            f"a decoder's constructor must begin with {', '.join(BY_PLACE)}, that of {place!r} has "
            f"{', '.join(takes)}: put them first, in this order"
        )
    return found


def own_decoder(
    config: Config, n_pixels: int, layers: Mapping[str, Any], generator: torch.Generator
) -> GenerativeModel:
    """A fresh one of the config's own kind, as `aevb.decoders.fresh_decoder` builds it.

    Args:
        config: of the run.
        n_pixels: size of x.
        layers: arguments that the project's decoders take by name; those that it has are passed on.
        generator: source of the weights.

    Raises:
        UserError: it cannot be built.
    """
    kind, own = decoder_class(config.decoder), dict(config.decoder_arguments)
    with strangers_code(lambda what: _broken(config, "be built", what)):
        model = fresh_decoder(kind, config.n_latent, n_pixels, config.hidden, generator, layers=layers, own=own)
    got = getattr(model, "n_latent", None), getattr(model, "n_pixels", None)
    if got != (config.n_latent, n_pixels):
        raise UserError(
            f"a decoder must have n_latent and n_pixels as it was told, {(config.n_latent, n_pixels)}, "
            f"{config.decoder!r} has {got}: set both attributes"
        )
    return model


def check_decoder(config: Config) -> None:
    """Find out now what would fail in the runs: a decoder that is not there, or arguments that it does not have.

    Raises:
        UserError: so it is.
    """
    own = _own_arguments(decoder_class(config.decoder)) if is_place(config.decoder) else []
    for name, _ in config.decoder_arguments:
        if name not in own:
            raise UserError(
                f"+decoder.NAME=value must name an argument of {config.decoder}, which has "
                f"{', '.join(own) or 'none of its own'}, got {name!r}: choose another{did_you_mean(name, own)}"
            )


def try_decoder(config: Config, model: GenerativeModel, x: Tensor) -> None:
    """Find out now what a fresh decoder says of a few points, and whether it can learn.

    Args:
        config: of the run.
        model: as built for it.
        x: some points of the data, shape (n, pixel).

    Raises:
        UserError: a method fails, or gives another shape than it must, or what is not finite.
    """
    z = torch.zeros(len(x), config.n_latent, requires_grad=True)
    generator = torch.Generator().manual_seed(0)
    with strangers_code(lambda what: _broken(config, "be evaluated, sampled and differentiated", what)):
        said = {
            "log_likelihood": (model.log_likelihood(x, z), (len(x),)),
            "pixel_mean": (model.pixel_mean(z), tuple(x.shape)),
            "sample_pixels": (model.sample_pixels(z, generator), tuple(x.shape)),
        }
        torch.autograd.grad(said["log_likelihood"][0].sum(), [z, *model.parameters()])
    for name, (value, shape) in said.items():
        if tuple(value.shape) != shape or not value.isfinite().all():
            raise UserError(
                f"{name} of a decoder must give finite numbers of shape {shape} for {len(x)} points, that of "
                f"{config.decoder!r} gave shape {tuple(value.shape)}, {int((~value.isfinite()).sum())} not finite: "
                "aevb.testing.check_decoder says more"
            )


# What `build` passes; a decoder's other arguments are its own.
_PASSED = {*BY_PLACE, *inspect.signature(GaussianModel).parameters} - {"squash_mean"}


def _own_arguments(kind: type) -> list[str]:
    takes = inspect.signature(kind).parameters.values()
    return [p.name for p in takes if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name not in _PASSED]


def _broken(config: Config, what: str, error: str) -> UserError:
    return UserError(
        f"a decoder must {what}; {config.decoder!r} raised {error}: mend it, aevb.testing.check_decoder says more"
    )
