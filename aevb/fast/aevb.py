"""Algorithm 1 with gradients written by hand."""

from typing import Any, Literal

import torch
from torch import nn

from aevb.encoder import GaussianEncoder
from aevb.fast.decoder import fast_decoder, repeat_rows, sample_mean, sample_sum
from aevb.fast.encoder import FastEncoder
from aevb.learner import Ascent, AscentOptions, Batch, LearnerState, Noise, StepInfo, draw_noise
from aevb.model import GenerativeModel


class FastAEVB(LearnerState):
    """`aevb.aevb.AEVB`, the same arithmetic with less work; a test holds the two together step by step.

    The gradients of a datapoint's bound, with d = ∂ log p(x|z) / ∂z averaged over the L samples:
    estimator B: ∂μ = d − μ, ∂ log σ² = ½ (d·ε σ + 1 − σ²); estimator A has −z in place of the KL's terms:
    ∂μ = d − z, ∂ log σ² = ½ ((d − z)·ε σ + 1).

    Args:
        model: p(z) p(x|z), whose parameters are used in place; with a leading axis of runs, a
            stack (`aevb.fast.stack`).
        encoder: q(z|x), likewise.
        n_datapoints: N, size of the training set, which scales the prior on θ.
        options: how the parameters climb.
        estimator: of the bound, "a" (eq. 6) or "b" (eq. 7).
        n_samples: L, noise samples for each datapoint.

    Source: Kingma & Welling 2013, algorithm 1, eq. 6 and 7, app. B.
    """

    dreams = False

    def __init__(
        self,
        model: GenerativeModel,
        encoder: GaussianEncoder,
        n_datapoints: int,
        options: AscentOptions = AscentOptions(),
        *,
        estimator: Literal["a", "b"] = "b",
        n_samples: int = 1,
    ) -> None:
        self.model = model
        self.encoder: nn.Module | None = encoder
        self._encoder = encoder
        self.n_normal = n_samples
        self._estimator = estimator
        self._n_datapoints, self._options = n_datapoints, options
        self._decoder, self._q = fast_decoder(model), FastEncoder(encoder)
        self._ascent = Ascent(options, theta=model, phi=encoder)

    @property
    def ascents(self) -> list[Ascent]:
        """The one that moves θ and φ."""
        return [self._ascent]

    def remade(self, model: GenerativeModel, encoder: GaussianEncoder) -> "FastAEVB":
        """A fresh learner of the same settings for these modules."""
        more: dict[str, Any] = {"estimator": self._estimator, "n_samples": self.n_normal}
        return FastAEVB(model, encoder, self._n_datapoints, self._options, **more)

    @torch.no_grad()
    def step(self, batch: Batch, generator: torch.Generator, noise: Noise | None = None) -> StepInfo:
        """One minibatch: estimate its bound with fresh noise and climb. Shapes may have a leading axis of runs."""
        x, q, decoder = batch.x, self._q, self._decoder
        eps = (noise or draw_noise(self, batch, generator)).normal
        n_samples, m = eps.shape[-3:-1]
        q.forward(x)
        z = q.at(eps)
        rows = repeat_rows(x, n_samples)
        decoder.forward(z.flatten(-3, -2))
        log_likelihood = decoder.log_likelihood(rows)
        dz = decoder.backward(rows, scale=1 / n_samples, to_z=True).view(z.shape)
        bound = sample_mean(log_likelihood, n_samples)
        if self._estimator == "a":
            squares = z.square().sum((-3, -1)) - eps.square().sum((-3, -1))
            bound.sub_(squares, alpha=0.5 / n_samples).add_(q.log_var.sum(-1), alpha=0.5)
            dz.sub_(z, alpha=1 / n_samples)
            d_std = sample_sum(dz * eps)
            d_mean = sample_sum(dz)
        else:
            bound.sub_(q.kl_to_standard_normal())
            d_std = sample_sum(dz * eps).sub_(q.std)
            d_mean = sample_sum(dz).sub_(q.mean)
        # Of log σ, twice log σ², the gradient is σ times that of σ, and 1 from the entropy of q.
        q.backward(d_mean, d_std.mul_(q.std).add_(1).mul_(0.5))
        self._ascent.climb(prior_scale=m / self._n_datapoints)
        return StepInfo(bound, m)

    def _parts(self) -> dict[str, Any]:
        return {"model": self.model, "encoder": self._encoder, "ascent": self._ascent}
