"""A sum of logarithms from fewer logarithms."""

import torch
from torch import Tensor


class LogOfProduct:
    """Σ log of the values in a tensor's last axis, all of them in [½, 1]; they are overwritten.

    Products cost less than logarithms. Those of 16 values are 2⁻¹⁶ or more, and rounded like one logarithm near 0.
    """

    def __init__(self, values: Tensor) -> None:
        self._halves: list[tuple[Tensor, Tensor]] = []
        self._rest = values
        while self._rest.shape[-1] % 2 == 0 and len(self._halves) < 4:
            one, other = self._rest.chunk(2, -1)
            self._halves.append((one, other))
            self._rest = one
        self._rest = self._rest.contiguous()

    def __call__(self) -> Tensor:
        """The sums, in nats."""
        for one, other in self._halves[:-1]:
            one.mul_(other)
        for one, other in self._halves[-1:]:
            torch.mul(one, other, out=self._rest)  # logarithms of a tensor with gaps are slow
        return self._rest.log_().sum(-1)
