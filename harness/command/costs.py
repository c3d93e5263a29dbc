"""What training costs on one core of a CPU, from runs that were measured."""

import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import takewhile

from harness.experiments.config import Config
from harness.figures.request import Request
from harness.runs.curve import points

# What a sample costs by these methods is of one order, as claim C7 measures: one may stand for the other.
ALIKE = ("aevb", "wake_sleep")
KIND = "cpu"  # of the device whose hours are told; a GPU's, where many runs share it, are no core-hours


class Speeds:
    """How long runs take on one core of a CPU, from the reader's runs and the published ones that a CPU computed."""

    def __init__(self, request: Request) -> None:
        self.own, self.published = request.shelves.own_runs(), request.shelves.published_runs()
        self._known: dict[tuple[object, ...], list[_Speed]] = defaultdict(list)
        for folder in [*self.own, *self.published]:
            status = folder.status()
            if status is not None and status.samples_per_second and folder.device_type() == KIND:
                measured = len(_points(folder.config, 0, status.samples)) or 1
                speed = 1 / status.samples_per_second, status.evaluation_seconds / measured
                self._known[_kind(folder.config)].append(_Speed(folder.config, *speed, folder.published))

    def core_hours(self, config: Config, begin: int, end: int) -> float:
        """From so many samples to so many, training and evaluation; NaN where no like run was measured.

        The like run has the most similar N_z; one of the same method goes before one of the other of `ALIKE`, one of
        the reader's before a published one, and a faster one, which its machine's other work held up less, before a
        slower one.
        """
        if begin >= end:
            return 0.0
        like = [speed for speed in self._known[_kind(config)] if speed.may_stand_for(config)]
        if not like:
            return math.nan
        near = min(like, key=lambda speed: speed.distance(config))
        return ((end - begin) * near.sample + len(_points(config, begin, end)) * near.point) / 3600


@dataclass(frozen=True)
class _Speed:
    """Seconds of a training sample and of a logged point, of a run."""

    config: Config
    sample: float
    point: float
    published: bool

    def may_stand_for(self, config: Config) -> bool:
        return {self.config.method, config.method} <= {*ALIKE} or self.config.method == config.method

    def distance(self, config: Config) -> tuple[bool, float, bool, float]:
        ratio = abs(math.log(self.config.n_latent / config.n_latent))
        return self.config.method != config.method, ratio, self.published, self.sample


def _kind(config: Config) -> tuple[object, ...]:
    """What a run's speed depends on most, beside its method and N_z."""
    return config.dataset, config.n_train, config.measure, config.hidden


def _points(config: Config, begin: int, end: int) -> list[int]:
    return [point for point in takewhile(lambda point: point <= end, points(config)) if point > begin]
