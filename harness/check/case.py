"""What a case is, and where it is computed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from harness.experiments.config import Config
from harness.experiments.protocols import protocol_config


@dataclass(frozen=True)
class Place:
    """Where cases are computed, and on what.

    Attributes:
        waves: file of the array that `harness.check.waves` makes.
        waves_sha256: of its content.
        engine: "fast" or "reference".
        device: "cpu" or "cuda".
    """

    waves: Path
    waves_sha256: str
    engine: str = "fast"
    device: str = "cpu"

    @property
    def torch_device(self) -> torch.device:
        """The device as torch names it."""
        return torch.device(self.device)

    def data(self, dataset: str) -> Path | None:
        """What `harness.runs.build.load` takes beside a config; MNIST comes with the project."""
        return None if dataset == "mnist" else self.waves

    def config(self, dataset: str, protocol: str, **fields: object) -> Config:
        """A run's config on MNIST or on the waves."""
        sha256 = "" if dataset == "mnist" else self.waves_sha256
        return protocol_config(protocol, dataset, data_sha256=sha256, **fields)


class Case(Protocol):
    """Something to measure for each seed.

    Attributes:
        name: in one line.
        random: seeds matter.
        exact: quantities whose true value is known to be 0.
    """

    @property
    def name(self) -> str:  # noqa: D102
        ...

    @property
    def random(self) -> bool:  # noqa: D102
        ...

    @property
    def exact(self) -> frozenset[str]:  # noqa: D102
        ...

    def measure(self, seed: int, place: Place) -> Mapping[str, float]:
        """Each quantity's value, nats where nothing else is said; a quantity that there is no value of is left out."""
        ...
