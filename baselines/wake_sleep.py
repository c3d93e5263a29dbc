"""The wake-sleep algorithm, the paper's on-line baseline."""

from typing import Any

import torch
from torch import nn

from aevb.ascent import Ascent, AscentOptions
from aevb.estimators import posterior_of
from aevb.learner import Batch, LearnerWithEncoder, Noise, StepInfo
from aevb.model import GenerativeModel


class WakeSleep(LearnerWithEncoder):
    """Wake: θ climbs log p(x, z) at z ~ q(z|x). Sleep: φ climbs log q(z|x) at dreams (x, z) ~ p.

    Source: Hinton, Dayan, Frey & Neal 1995, as compared in Kingma & Welling 2013, sections 4 and 5. It has no single
    objective; the lower bound that a step reports is measured on the wake sample, and is not what it climbs.

    Args:
        model: p(z) p(x|z), with parameters θ.
        encoder: q(z|x), with parameters φ.
        n_datapoints: N, size of the training set, which scales the prior on θ.
        options: how the parameters climb; warm-up and step size hold for both phases.
        n_samples: wake samples for each datapoint.
    """

    dreams = True

    def __init__(
        self,
        model: GenerativeModel,
        encoder: nn.Module,
        n_datapoints: int,
        options: AscentOptions = AscentOptions(),
        *,
        n_samples: int = 1,
    ) -> None:
        super().__init__(model, encoder, n_datapoints, n_samples)
        self._wake = Ascent(options, theta=model)
        self._sleep = Ascent(options, phi=encoder)

    def step(self, batch: Batch, generator: torch.Generator, noise: Noise | None = None) -> StepInfo:
        """Wake on the minibatch, then sleep on as many dreams; counts M samples, as the paper's axes do."""
        self._check(batch)
        m = len(batch.x)
        noise = self._noise(batch, generator, noise)
        assert noise.pixels is not None
        with torch.no_grad():
            q = posterior_of(self._q, batch.x, self.model.n_latent, "kl_to_standard_normal")
            z = q.at(noise.normal[:-1])
        log_likelihood = self.model.log_likelihood(batch.x, z).mean(0)
        self._wake.step(log_likelihood.sum(), prior_scale=m / self._n_datapoints)

        with torch.no_grad():
            dreamt_z = noise.normal[-1]
            dreamt_x = self.model.pixels_at(dreamt_z, noise.pixels)
        dreamt_q = posterior_of(self._q, dreamt_x, self.model.n_latent)
        self._sleep.step(dreamt_q.log_density(dreamt_z).sum(), prior_scale=m / self._n_datapoints)
        return StepInfo(log_likelihood.detach() - q.kl_to_standard_normal(), m)

    def _parts(self) -> dict[str, Any]:
        return super()._parts() | {"wake": self._wake, "sleep": self._sleep}
