"""Reweighted wake-sleep: wake-sleep whose wake phase weighs K draws, and teaches the encoder too."""

from typing import Any

import torch
from torch import nn

from aevb import checks
from aevb.ascent import Ascent, AscentOptions
from aevb.estimators import posterior_of
from aevb.learner import Batch, LearnerWithEncoder, Noise, StepInfo
from aevb.model import GenerativeModel


class ReweightedWakeSleep(LearnerWithEncoder):
    """θ climbs Σ w̃_k log p(x, z_k), φ climbs Σ w̃_k log q(z_k|x), with z_k ~ q(z|x), w̃ ∝ p(x, z_k)/q(z_k|x).

    The first is the importance-weighted bound's gradient; the second lowers KL(p(z|x) ‖ q(z|x)), estimated by
    self-normalised importance sampling, so that both are exact in the limit of many draws. The bound that a step
    reports is the variational one, log w_k averaged over k.

    Args:
        model: p(z) p(x|z), with parameters θ.
        encoder: q(z|x), with parameters φ.
        n_datapoints: N, size of the training set, which scales the prior on θ.
        options: how the parameters climb.
        n_samples: K, draws of z for each datapoint; with one, φ gets a gradient without information from the wake
            phase.
        sleep: φ climbs log q(z|x) at as many dreams (x, z) ~ p(x, z) as well, as in wake-sleep.

    Source: Bornschein & Bengio 2015.
    """

    def __init__(
        self,
        model: GenerativeModel,
        encoder: nn.Module,
        n_datapoints: int,
        options: AscentOptions = AscentOptions(),
        *,
        n_samples: int = 5,
        sleep: bool = False,
    ) -> None:
        checks.flag(sleep=sleep)
        self.dreams = sleep
        super().__init__(model, encoder, n_datapoints, n_samples)
        self._wake = Ascent(options, theta=model)
        self._recognition = Ascent(options, phi=encoder)

    def step(self, batch: Batch, generator: torch.Generator, noise: Noise | None = None) -> StepInfo:
        """Wake on the minibatch and, with `sleep`, dream as many datapoints from the model as it was."""
        self._check(batch)
        noise = self._noise(batch, generator, noise)
        prior_scale = len(batch.x) / self._n_datapoints
        q = posterior_of(self._q, batch.x, self.model.n_latent)
        z = q.at(noise.normal[: len(noise.normal) - self.dreams]).detach()
        log_joint, log_q = self.model.log_joint(batch.x, z), q.log_density(z)
        log_w = (log_joint - log_q).detach()
        share = log_w.softmax(0)
        recognition = (share * log_q).sum()
        if self.dreams:
            assert noise.pixels is not None
            with torch.no_grad():
                dreamt_z = noise.normal[-1]
                dreamt_x = self.model.pixels_at(dreamt_z, noise.pixels)
            dreamt_q = posterior_of(self._q, dreamt_x, self.model.n_latent)
            recognition = recognition + dreamt_q.log_density(dreamt_z).sum()
        self._wake.step((share * log_joint).sum(), prior_scale)
        self._recognition.step(recognition, prior_scale)
        return StepInfo(log_w.mean(0), len(batch.x))

    def _parts(self) -> dict[str, Any]:
        return super()._parts() | {"wake": self._wake, "recognition": self._recognition}
