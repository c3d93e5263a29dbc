"""Importance-weighted auto-encoders: a bound that tightens with K, and gradients of φ that do not fade with it."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from aevb import checks
from aevb.ascent import Ascent, AscentOptions
from aevb.estimators import Encoder, check_noise, posterior_of
from aevb.learner import Batch, LearnerWithEncoder, Noise, StepInfo
from aevb.model import GenerativeModel


def log_weights(
    model: GenerativeModel,
    encoder: Encoder,
    x: Float[Tensor, "batch pixel"],
    eps: Float[Tensor, "K batch latent"],
    *,
    doubly_reparameterized: bool = False,
) -> Float[Tensor, "K batch"]:
    """log w_k = log p(x, z_k) − log q(z_k|x) with z_k = μ(x) + σ(x)·ε_k, nats.

    Args:
        model: p(z) p(x|z).
        encoder: q(z|x).
        x: datapoints, shape (batch, pixel).
        eps: standard normal noise, shape (K, batch, latent).
        doubly_reparameterized: what climbs log Σ w_k gets the gradient Σ w̃_k²·∂log w_k/∂z_k·∂z_k/∂φ with respect to φ,
            w̃ the normalised weights, in place of autograd's Σ w̃_k·∇_φ log w_k. Both have one mean; that with respect
            to θ stays as it is.

    Raises:
        ArgumentError: `x` or `eps` has another shape, type or device.

    Source: Burda, Grosse & Salakhutdinov 2016; Tucker, Lawson, Gu & Maddison 2019.
    """
    check_noise(model, x, eps)
    q = posterior_of(encoder, x, model.n_latent, *(["detach"] if doubly_reparameterized else []))
    z = q.at(eps)
    if not doubly_reparameterized:
        return model.log_joint(x, z) - q.log_density(z)
    log_w = model.log_joint(x, z) - q.detach().log_density(z)
    if z.requires_grad:
        share = log_w.detach().softmax(0).unsqueeze(-1)
        z.register_hook(lambda gradient: gradient * share)  # log Σ w_k has brought the first factor w̃_k
    return log_w


def importance_weighted_bound(
    model: GenerativeModel,
    encoder: Encoder,
    x: Float[Tensor, "batch pixel"],
    eps: Float[Tensor, "K batch latent"],
) -> Float[Tensor, " batch"]:
    """log (1/K) Σ w_k, w_k = p(x, z_k)/q(z_k|x): below log p(x) in mean, rising to it with K; with K = 1 estimator A.

    Arguments and errors as `log_weights`; nats for each datapoint, shape (batch,).

    Source: Burda, Grosse & Salakhutdinov 2016, eq. 8.
    """
    return _log_mean(log_weights(model, encoder, x, eps))


def _log_mean(log_w: Float[Tensor, "K batch"]) -> Float[Tensor, " batch"]:
    return log_w.logsumexp(0) - math.log(len(log_w))


class ImportanceWeighted(LearnerWithEncoder):
    """Minibatch ascent on the importance-weighted bound in θ and φ together (IWAE).

    The bound that a step reports is the variational one, log w_k averaged over k, as of all learners; it is not what
    is climbed.

    Args:
        model: p(z) p(x|z), with parameters θ.
        encoder: q(z|x), with parameters φ.
        n_datapoints: N, size of the training set, which scales the prior on θ.
        options: how the parameters climb.
        n_samples: K, draws of z for each datapoint.
        doubly_reparameterized: take the gradient of φ whose signal does not drown in noise as K grows (DReG).

    Source: Burda, Grosse & Salakhutdinov 2016; Tucker, Lawson, Gu & Maddison 2019.
    """

    def __init__(
        self,
        model: GenerativeModel,
        encoder: nn.Module,
        n_datapoints: int,
        options: AscentOptions = AscentOptions(),
        *,
        n_samples: int = 5,
        doubly_reparameterized: bool = False,
    ) -> None:
        super().__init__(model, encoder, n_datapoints, n_samples)
        checks.flag(doubly_reparameterized=doubly_reparameterized)
        self._doubly_reparameterized = doubly_reparameterized
        self._ascent = Ascent(options, theta=model, phi=encoder)

    def step(self, batch: Batch, generator: torch.Generator, noise: Noise | None = None) -> StepInfo:
        """One minibatch: estimate its bound with fresh noise and climb."""
        self._check(batch)
        noise = self._noise(batch, generator, noise)
        log_w = log_weights(
            self.model, self._q, batch.x, noise.normal, doubly_reparameterized=self._doubly_reparameterized
        )
        self._ascent.step(_log_mean(log_w).sum(), prior_scale=len(batch.x) / self._n_datapoints)
        return StepInfo(log_w.detach().mean(0), len(batch.x))

    def _parts(self) -> dict[str, Any]:
        return super()._parts() | {"ascent": self._ascent}
