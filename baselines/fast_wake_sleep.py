"""Wake-sleep with gradients written by hand."""

from typing import Any

import torch

from aevb.ascent import Ascent, AscentOptions
from aevb.encoder import GaussianEncoder
from aevb.fast.by_hand import demand_by_hand
from aevb.fast.decoder import FastDecoder, fast_decoder, repeat_rows, sample_mean
from aevb.fast.encoder import FastEncoder
from aevb.fast.unseen import without_autograd
from aevb.learner import Batch, LearnerWithEncoder, Noise, StepInfo
from aevb.model import GenerativeModel


class FastWakeSleep(LearnerWithEncoder):
    """`baselines.wake_sleep.WakeSleep`, the same arithmetic with less work; a test holds the two together.

    Args:
        model: p(z) p(x|z), whose parameters are used in place; with a leading axis of runs, a
            stack (`aevb.fast.stack`).
        encoder: q(z|x), likewise.
        n_datapoints: N, size of the training set, which scales the prior on θ.
        options: how the parameters climb; warm-up and step size hold for both phases.
        n_samples: wake samples for each datapoint.

    Raises:
        ArgumentError: as `WakeSleep`, or gradients are not written by hand for one of the networks.
    """

    dreams = True
    _q: GaussianEncoder

    def __init__(
        self,
        model: GenerativeModel,
        encoder: GaussianEncoder,
        n_datapoints: int,
        options: AscentOptions = AscentOptions(),
        *,
        n_samples: int = 1,
    ) -> None:
        super().__init__(model, encoder, n_datapoints, n_samples)
        demand_by_hand("baselines.wake_sleep.WakeSleep", model, encoder)
        self._options = options
        self._working: dict[tuple[int, ...], tuple[FastEncoder, FastDecoder, FastDecoder]] = {}
        self._wake = Ascent(options, theta=model)
        self._sleep = Ascent(options, phi=encoder)

    @property
    def ascents(self) -> list[Ascent]:
        """Those of wake and of sleep."""
        return [self._wake, self._sleep]

    def remade(self, model: GenerativeModel, encoder: GaussianEncoder) -> "FastWakeSleep":
        """A fresh learner of the same settings for these modules."""
        return FastWakeSleep(model, encoder, self._n_datapoints, self._options, n_samples=self.n_normal - 1)

    @without_autograd
    def step(self, batch: Batch, generator: torch.Generator, noise: Noise | None = None) -> StepInfo:
        """Wake on the minibatch, then sleep on as many dreams. Shapes may have a leading axis of runs."""
        self._check(batch)
        x, noise = batch.x, self._noise(batch, generator, noise)
        assert noise.pixels is not None
        eps, dreamt_z = noise.normal.narrow(-3, 0, self.n_normal - 1), noise.normal.select(-3, -1)
        q, decoder, dreamer = self._at(eps.shape)
        n_samples, m = eps.shape[-3:-1]
        q.forward(x)
        rows = repeat_rows(x, n_samples)
        decoder.forward(q.at(eps))
        bound = sample_mean(decoder.log_likelihood(rows), n_samples).sub_(q.kl_to_standard_normal())
        decoder.backward(rows, scale=1 / n_samples)
        self._wake.climb(prior_scale=m / self._n_datapoints)

        dreamer.forward(dreamt_z)
        q.forward(dreamer.sample(noise.pixels))
        q.log_density_gradient(dreamt_z)
        q.backward()
        self._sleep.climb(prior_scale=m / self._n_datapoints)
        return StepInfo(bound, m)

    def _at(self, noise: torch.Size) -> tuple[FastEncoder, FastDecoder, FastDecoder]:
        """Encoder and the decoders of the wake and of the sleep phase for noise of this shape; made once."""
        if noise not in self._working:
            *runs, n_samples, m, _ = noise
            decoder = fast_decoder(self.model, (*runs, n_samples * m))
            dreamer = decoder if n_samples == 1 else fast_decoder(self.model, (*runs, m))
            self._working[noise] = FastEncoder(self._q, noise), decoder, dreamer
        return self._working[noise]

    def _parts(self) -> dict[str, Any]:
        return super()._parts() | {"wake": self._wake, "sleep": self._sleep}
