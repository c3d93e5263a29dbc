"""A case of the check whose values are random numbers of known mean and spread."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from harness.runs.streams import stream


@dataclass(frozen=True)
class Drawn:
    """A quantity drawn from N(level, 1), and one whose truth is 0."""

    name: str

    random: ClassVar[bool] = True
    exact: ClassVar[frozenset[str]] = frozenset({"error"})
    level: ClassVar[float] = 5.0
    error: ClassVar[float] = 0.0

    def measure(self, seed, place):
        draw = torch.randn(2, generator=stream(self.name, seed), dtype=torch.float64).tolist()
        return {"value": self.level + draw[0], "error": self.error + 0.01 * draw[1]}
