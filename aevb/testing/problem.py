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
from aevb.testing.law import demand, seeded

N, PIXELS, LATENTS, HIDDEN = 30, 6, 2, (4,)
SPREAD = 0.7  # standard deviation of weights: large enough for latents to matter

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


def encoder_of(seed: int = 2) -> GaussianEncoder:
    """An encoder that fits such a decoder."""
    return GaussianEncoder(PIXELS, LATENTS, HIDDEN, init_std=SPREAD, generator=seeded(seed)).double()


def data_of(decoder: MakeDecoder) -> Float[Tensor, "n pixel"]:
    """Points drawn from such a decoder."""
    return simulate(model_of(decoder), N, seeded(4))[0]


def grid_log_likelihood(
    model: GenerativeModel, x: Float[Tensor, "n pixel"], spacing: float = 0.2, end: float = 7.0
) -> Float[Tensor, " n"]:
    """log p(x) = log Σ p(z) p(x|z) Δ^n over a grid, for one or two latents; nats."""
    axis = torch.arange(-end, end + spacing / 2, spacing, dtype=torch.float64)
    grid = torch.cartesian_prod(*[axis] * model.n_latent).reshape(-1, 1, model.n_latent).expand(-1, len(x), -1)
    with torch.no_grad():
        return model.log_joint(x, grid).logsumexp(0) + model.n_latent * math.log(spacing)
