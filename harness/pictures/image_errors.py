"""How far images are from the truth: decibels, and nats."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from aevb.densities import LOG_2PI
from aevb.model import BernoulliModel, GenerativeModel

Errors = dict[str, str | float]
# Least probabilities of black and of white to try; half a grey level of 256 is 0.002.
FLOORS = torch.logspace(-4, math.log10(0.4), 15, dtype=torch.float64)


def image_error(
    model: GenerativeModel, truth: Float[Tensor, "image pixel"], images: Float[Tensor, "image pixel"], method: str
) -> Errors:
    """The row of a method that gives images: PSNR in dB, and nats of the true pixels for each image.

    An image alone has no density. It gets the kind of the model's decoder, with the one free number that suits it
    best: independent Bernoulli pixels whose probabilities keep away from 0 and 1, or Gaussian pixels of one variance.
    """
    nats = _bernoulli(truth, images) if isinstance(model, BernoulliModel) else _gaussian(truth, images)
    return row(truth, images, nats, method)


def row(
    truth: Float[Tensor, "image pixel"],
    images: Float[Tensor, "image pixel"],
    nats: Float[Tensor, " image"],
    method: str,
) -> Errors:
    """Method, PSNR in dB, mean log-likelihood of the true pixels in nats and its standard error over images."""
    error = float(nats.std()) / math.sqrt(len(nats)) if len(nats) > 1 else math.nan
    return {
        "method": method,
        "psnr": psnr(truth, images),
        "log_likelihood": float(nats.mean()),
        "standard_error": error,
    }


def psnr(truth: Float[Tensor, "image pixel"], images: Float[Tensor, "image pixel"]) -> float:
    """Peak signal-to-noise ratio −10·log₁₀ of the mean squared error over all pixels of all images, dB; white is 1."""
    squared = float((truth.double() - images.double()).square().mean())
    return -10 * math.log10(squared) if squared else math.inf


def _bernoulli(truth: Tensor, images: Tensor) -> Tensor:
    """Σ x·log y + (1−x)·log(1−y), y the image kept at a distance from 0 and 1 that suits the mean over images best."""
    x, y = truth.double(), images.double()
    tried = []
    for floor in FLOORS:
        safe = y.clamp(floor, 1 - floor)
        tried.append((x * safe.log() + (1 - x) * (1 - safe).log()).sum(-1))
    return max(tried, key=lambda nats: float(nats.mean()))


def _gaussian(truth: Tensor, images: Tensor) -> Tensor:
    """Log N(x; image, σ²I) with the σ² that suits the mean over images best: the mean squared error."""
    squared = (truth.double() - images.double()).square()
    var = squared.mean()
    return -0.5 * (squared / var + var.log() + LOG_2PI).sum(-1)
