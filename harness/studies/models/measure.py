"""The numbers of one trained model."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from aevb.encoder import GaussianEncoder
from aevb.estimators import evaluate_lower_bound
from aevb.model import GenerativeModel
from harness.pictures.latent_space import manifold


def bound_noise(
    model: GenerativeModel,
    encoder: GaussianEncoder,
    x: Float[Tensor, "n pixel"],
    draws: int,
    generator: torch.Generator,
) -> tuple[float, float]:
    """Standard deviation over ε of the bound with L = 1, averaged over the rows of x, and its standard error; nats.

    The rows' noise is independent: the variance of their mean is the sum of theirs over n². Each is estimated from so
    many draws, and the spread of these estimates over the rows is what the error is made of.
    """
    bounds = torch.stack([evaluate_lower_bound(model, encoder, x, generator).double() for _ in range(draws)])
    variances = bounds.var(dim=0)
    n = len(variances)
    noise = math.sqrt(float(variances.sum())) / n
    error_of_sum = float(variances.std()) * math.sqrt(n) if n > 1 else math.nan
    return noise, error_of_sum / n**2 / (2 * noise) if noise > 0 else math.nan


def steps(model: GenerativeModel, side: int) -> tuple[float, float, float]:
    """Of figure 4's grid: mean and largest change to a neighbour, and mean distance of two of its images.

    All are root mean squares over pixels.
    """
    images = manifold(model, side).double()
    across, down = (images.diff(dim=axis).square().mean(-1).sqrt().flatten() for axis in (0, 1))
    change = torch.cat([across, down])
    flat = images.flatten(0, 1)
    apart = torch.pdist(flat) / math.sqrt(flat.shape[1])
    return float(change.mean()), float(change.max()), float(apart.mean())
