"""Algorithm 1: the Auto-Encoding Variational Bayes learner."""

from typing import Any

import torch
from torch import nn

from aevb import construction
from aevb.ascent import Ascent, AscentOptions
from aevb.estimators import LowerBound, lower_bound_b, per_datapoint
from aevb.learner import Batch, LearnerWithEncoder, Noise, StepInfo
from aevb.model import GenerativeModel


class AEVB(LearnerWithEncoder):
    """Minibatch ascent on the lower bound in θ and φ together (Kingma & Welling 2013, algorithm 1).

    Args:
        model: p(z) p(x|z), with parameters θ.
        encoder: q(z|x), with parameters φ.
        n_datapoints: N, size of the training set, which scales the prior on θ.
        options: how the parameters climb.
        estimator: of the bound, `lower_bound_b` (eq. 7) or `lower_bound_a` (eq. 6).
        n_samples: L, noise samples for each datapoint.
    """

    def __init__(
        self,
        model: GenerativeModel,
        encoder: nn.Module,
        n_datapoints: int,
        options: AscentOptions = AscentOptions(),
        *,
        estimator: LowerBound = lower_bound_b,
        n_samples: int = 1,
    ) -> None:
        super().__init__(model, encoder, n_datapoints, n_samples)
        construction.function("take one of aevb.estimators, say", estimator=estimator)
        self._estimator = estimator
        self._ascent = Ascent(options, theta=model, phi=encoder)

    def step(self, batch: Batch, generator: torch.Generator, noise: Noise | None = None) -> StepInfo:
        """One minibatch: estimate its bound with fresh noise and climb."""
        self._check(batch)
        noise = self._noise(batch, generator, noise)
        bound = per_datapoint(self._estimator(self.model, self._q, batch.x, noise.normal), batch.x)
        self._ascent.step(bound.sum(), prior_scale=len(batch.x) / self._n_datapoints)
        return StepInfo(bound.detach(), len(batch.x))

    def _parts(self) -> dict[str, Any]:
        return super()._parts() | {"ascent": self._ascent}
