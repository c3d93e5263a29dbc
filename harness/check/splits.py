"""Which points a run trains and is evaluated on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from harness.check.case import Place
from harness.runs.build import load, prepare


@dataclass(frozen=True)
class Splits:
    """Sizes and contents of a run's data, which are the same for all seeds: hence for this one, which is not 0.

    Attributes:
        name: in one line.
        dataset: "mnist" or the waves.
        protocol: named, with changes.
        fields: further fields of the config.
    """

    name: str
    dataset: str
    protocol: str
    fields: Mapping[str, object] = field(default_factory=dict)

    random: ClassVar[bool] = False
    exact: ClassVar[frozenset[str]] = frozenset()

    def measure(self, seed: int, place: Place) -> dict[str, float]:
        """Of each part the number of points, and the mean of a point's pixels, weighted by their place, summed."""
        config = place.config(
            self.dataset, self.protocol, method="aevb", n_latent=2, seed=seed + 1,
            evaluation_points=10_000,
            **self.fields,
        )  # fmt: skip
        data = prepare(config, load(config, place.data(self.dataset)), place.torch_device)
        parts = {"train": data.train, "train, evaluated": data.train_points, "test, evaluated": data.test_points}
        values = {f"{name}, points": float(len(x)) for name, x in parts.items()}
        return values | {f"{name}, pixels": _weighted(x) for name, x in parts.items()}


def _weighted(x: Tensor) -> float:
    means = x.mean(0, dtype=torch.float64)
    return float(means @ torch.linspace(1, 2, len(means), dtype=torch.float64, device=x.device))
