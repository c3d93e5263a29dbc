"""Algorithm 1 with gradients written by hand."""

from typing import Any, Literal

import torch
from torch import Tensor

from aevb import checks
from aevb.ascent import Ascent, AscentOptions
from aevb.encoder import GaussianEncoder
from aevb.fast.by_hand import demand_by_hand
from aevb.fast.decoder import FastDecoder, fast_decoder, repeat_rows, sample_mean, sample_sum
from aevb.fast.encoder import FastEncoder
from aevb.fast.unseen import without_autograd
from aevb.learner import Batch, LearnerWithEncoder, Noise, StepInfo
from aevb.model import GenerativeModel


class FastAEVB(LearnerWithEncoder):
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

    Raises:
        ArgumentError: as `AEVB`, or gradients are not written by hand for one of the networks.

    Source: Kingma & Welling 2013, algorithm 1, eq. 6 and 7, app. B.
    """

    _q: GaussianEncoder

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
        super().__init__(model, encoder, n_datapoints, n_samples)
        demand_by_hand("aevb.aevb.AEVB", model, encoder)
        checks.choice(("a", "b"), estimator=estimator)
        self._estimator = estimator
        self._options = options
        self._working: dict[tuple[int, ...], tuple[FastEncoder, FastDecoder, Tensor]] = {}
        self._ascent = Ascent(options, theta=model, phi=encoder)

    @property
    def ascents(self) -> list[Ascent]:
        """The one that moves θ and φ."""
        return [self._ascent]

    def remade(self, model: GenerativeModel, encoder: GaussianEncoder) -> "FastAEVB":
        """A fresh learner of the same settings for these modules."""
        more: dict[str, Any] = {"estimator": self._estimator, "n_samples": self.n_normal}
        return FastAEVB(model, encoder, self._n_datapoints, self._options, **more)

    @without_autograd
    def step(self, batch: Batch, generator: torch.Generator, noise: Noise | None = None) -> StepInfo:
        """One minibatch: estimate its bound with fresh noise and climb. Shapes may have a leading axis of runs."""
        self._check(batch)
        x, eps = batch.x, self._noise(batch, generator, noise).normal
        q, decoder, dz = self._at(eps.shape)
        n_samples, m = eps.shape[-3:-1]
        q.forward(x)
        z = q.at(eps)
        rows = repeat_rows(x, n_samples)
        decoder.forward(z)
        bound = sample_mean(decoder.log_likelihood(rows), n_samples)
        decoder.backward(rows, scale=1 / n_samples, to_z=True)
        if self._estimator == "a":
            bound.add_(q.log_ratio(eps))
            dz.sub_(z.view(eps.shape), alpha=1 / n_samples)
            d_std = sample_sum(dz * eps)
            q.d_mean.copy_(sample_sum(dz))
        else:
            bound.sub_(q.kl_to_standard_normal())
            d_std = sample_sum(dz * eps).sub_(q.std)
            torch.sub(sample_sum(dz), q.mean, out=q.d_mean)
        # The gradient in log σ, twice that in log σ², is σ times that in σ, and 1 from the entropy of q.
        torch.addcmul(q.half, d_std, q.std, value=0.5, out=q.d_log_var)
        q.backward()
        self._ascent.climb(prior_scale=m / self._n_datapoints)
        return StepInfo(bound, m)

    def _at(self, noise: torch.Size) -> tuple[FastEncoder, FastDecoder, Tensor]:
        """Encoder, decoder and the decoder's gradient of z in the shape of the noise; made once."""
        if noise not in self._working:
            *runs, n_samples, m, _ = noise
            decoder = fast_decoder(self.model, (*runs, n_samples * m))
            self._working[noise] = FastEncoder(self._q, noise), decoder, decoder.dz.view(noise)
        return self._working[noise]

    def _parts(self) -> dict[str, Any]:
        return super()._parts() | {"ascent": self._ascent}
