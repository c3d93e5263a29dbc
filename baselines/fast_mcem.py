"""Monte Carlo EM with gradients written by hand."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from aevb.fast.by_hand import demand_by_hand
from aevb.fast.decoder import FastDecoder, fast_decoder
from aevb.fast.posterior import in_parts
from aevb.model import GenerativeModel
from baselines.mcem import MinibatchMonteCarloEM, MonteCarloEM


class FastMonteCarloEM(MonteCarloEM):
    """`baselines.mcem.MonteCarloEM`, the same arithmetic with less work; a test holds the two together.

    The moves of the chains are already by hand there, through `aevb.fast.posterior`; here the weight steps are too. The
    gradient is summed over parts of the batch that fit a core's cache.
    """

    def __init__(self, model: GenerativeModel, *arguments: Any, **named: Any) -> None:
        super().__init__(model, *arguments, **named)
        demand_by_hand("baselines.mcem.MonteCarloEM", model)
        self._working = {}

    @torch.no_grad()
    def _climb(self, x: Float[Tensor, "batch pixel"], z: Float[Tensor, "batch latent"]) -> None:
        for _ in range(self._n_weight_steps):
            for n, (rows, part) in enumerate(zip(in_parts(x), in_parts(z), strict=True)):
                decoder = self._at(len(part))
                decoder.forward(part)
                decoder.backward(rows, accumulate=n > 0)
            self._ascent.climb(prior_scale=len(x) / self._n_datapoints)

    def _at(self, n_rows: int) -> FastDecoder:
        if n_rows not in self._working:
            self._working[n_rows] = fast_decoder(self.model, (n_rows,))
        return self._working[n_rows]


class FastMinibatchMonteCarloEM(FastMonteCarloEM, MinibatchMonteCarloEM):
    """`baselines.mcem.MinibatchMonteCarloEM`, likewise."""
