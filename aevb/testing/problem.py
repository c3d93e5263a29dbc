"""The small problem that laws are tried on: models of a few units, data from them, log p(x) by quadrature."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from aevb.checks import shown
from aevb.decoders import fresh_decoder
from aevb.encoder import GaussianEncoder
from aevb.marginal.ais import simulate
from aevb.model import GenerativeModel
from aevb.testing.law import calling, demand, seeded

N, PIXELS, LATENTS, HIDDEN = 30, 6, 2, (4,)
SPREAD = 0.7  # standard deviation of weights: large enough for latents to matter

MOST_NUMBERS = 2**20  # pixels at a time

MakeDecoder = Callable[..., GenerativeModel]
"""A decoder's class, or what makes one from (n_latent, n_pixels, hidden); it may take init_std and generator, too."""


class Sizes(NamedTuple):
    """Of the decoder that laws are tried on."""

    n_latent: int = LATENTS
    n_pixels: int = PIXELS


SMALL = Sizes()


def model_of(decoder: MakeDecoder, seed: int = 1, sizes: Sizes = SMALL) -> GenerativeModel:
    """A decoder with weights of its own, in float64.

    Raises:
        LawBroken: it is none.
    """
    model = fresh_decoder(decoder, *sizes, HIDDEN, seeded(seed), layers={"init_std": SPREAD})
    kind = isinstance(model, GenerativeModel)
    demand(kind, "a decoder must be an aevb.model.GenerativeModel", shown(model), "let its class inherit from it")
    return model.double()


def demand_answers(decoder: MakeDecoder, sizes: Sizes, others: str) -> None:
    """A decoder of these sizes can be made, and called.

    Args:
        decoder: what makes it.
        sizes: of z and x.
        others: what to do for other sizes.

    Raises:
        LawBroken: it cannot.
    """
    n_latent, n_pixels = sizes
    with calling("a decoder's class", f"it is called as decoder({n_latent}, {n_pixels}, hidden); {others}"):
        model = model_of(decoder, sizes=sizes)
    x, z = (torch.zeros(1, size, dtype=torch.float64) for size in (n_pixels, n_latent))
    taken = f"z has {n_latent} numbers here, x has {n_pixels}; {others}"
    with calling("a decoder", taken), torch.no_grad():
        model.log_likelihood(x, z), model.pixel_mean(z), model.sample_pixels(z, seeded(0))
        model.pixels_at(z, model.pixel_noise(1, seeded(0)))


def encoder_of(seed: int = 2, n_pixels: int = PIXELS) -> GaussianEncoder:
    """An encoder that fits such a decoder."""
    return GaussianEncoder(n_pixels, LATENTS, HIDDEN, init_std=SPREAD, generator=seeded(seed)).double()


def data_of(decoder: MakeDecoder, n_pixels: int = PIXELS) -> Float[Tensor, "n pixel"]:
    """Points drawn from such a decoder."""
    return simulate(model_of(decoder, sizes=Sizes(n_pixels=n_pixels)), N, seeded(4))[0]


def grid_log_likelihood(
    model: GenerativeModel, x: Float[Tensor, "n pixel"], spacing: float = 0.2, end: float = 7.0
) -> Float[Tensor, " n"]:
    """log p(x) = log Σ p(z) p(x|z) Δ^n over a grid, for one or two latents; nats."""
    axis = torch.arange(-end, end + spacing / 2, spacing, dtype=torch.float64)
    grid = torch.cartesian_prod(*[axis] * model.n_latent).reshape(-1, 1, model.n_latent).expand(-1, len(x), -1)
    with torch.no_grad():
        joint = torch.cat([model.log_joint(x, part) for part in grid.split(max(MOST_NUMBERS // x.numel(), 1))])
    return joint.logsumexp(0) + model.n_latent * math.log(spacing)
