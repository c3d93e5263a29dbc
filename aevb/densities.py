"""Log-densities in nats, summed over the last axis, and the reparameterized diagonal Gaussian."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

LOG_2PI = math.log(2 * math.pi)


def standard_normal_log_density(z: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch"]:
    """Log N(z; 0, I) in nats, shape ``(*batch,)``."""
    return -0.5 * (z.square().sum(-1) + z.shape[-1] * LOG_2PI)


def bernoulli_log_density(
    x: Float[Tensor, "*#batch pixel"], logits: Float[Tensor, "*batch pixel"]
) -> Float[Tensor, "*batch"]:
    """Log-probability of pixels under independent Bernoullis: Σ x·log y + (1−x)·log(1−y), y = sigmoid(logits).

    x in [0, 1]; values between the ends are used as they are, as the paper does with grey pixels.
    Returns nats, shape ``(*batch,)``. Source: Kingma & Welling 2013, appendix C.1.
    """
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none")
    return -cross_entropy.sum(-1)


@dataclass(frozen=True)
class DiagonalGaussian:
    """N(mean, diag exp(log_var)); both of shape ``(*batch, n)``, and log_var is log σ²."""

    mean: Float[Tensor, "*batch n"]
    log_var: Float[Tensor, "*#batch n"]

    def at(self, eps: Float[Tensor, "*sample n"]) -> Float[Tensor, "*sample n"]:
        """Reparameterized draw μ + σ·ε for noise ε ~ N(0, I) (Kingma & Welling 2013, section 2.4)."""
        return self.mean + torch.exp(0.5 * self.log_var) * eps

    def log_density(self, value: Float[Tensor, "*sample n"]) -> Float[Tensor, "*sample"]:
        """Log N(value; μ, σ²I) in nats, summed over the last axis (Kingma & Welling 2013, eq. 9 and 12)."""
        squared = (value - self.mean).square() * torch.exp(-self.log_var)
        return -0.5 * (squared + self.log_var + LOG_2PI).sum(-1)

    def kl_to_standard_normal(self) -> Float[Tensor, "*batch"]:
        """KL(N(μ, σ²) ‖ N(0, I)) = −½ Σ (1 + log σ² − μ² − σ²) in nats (Kingma & Welling 2013, appendix B)."""
        return -0.5 * (1 + self.log_var - self.mean.square() - self.log_var.exp()).sum(-1)

    def detach(self) -> "DiagonalGaussian":
        """The same density, of whose parameters nothing learns."""
        return DiagonalGaussian(self.mean.detach(), self.log_var.detach())
