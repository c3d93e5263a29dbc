"""Where a curve has points, and what is known of it so far."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import count, takewhile
from typing import Any

from harness.experiments.config import Config
from harness.experiments.paper_curves import paper_counts
from harness.store.status import State, Status


def grid(points_per_decade: int, first: int) -> Iterator[int]:
    """Sample counts to log at, without end: from `first` on, evenly spaced in log(samples).

    Powers of ten are on the grid, so that curves are compared with the paper's without interpolating ours.
    """
    last = 0
    for k in count(max(math.floor(points_per_decade * math.log10(max(first, 1))) - 1, 0)):
        point = round(10 ** (k / points_per_decade))
        if point >= first and point > last:
            yield point
            last = point


def points(config: Config) -> Iterator[int]:
    """The sample counts at which this run is logged, however far it goes: its grid, and the paper's where asked for."""
    more = paper_counts(config) if config.paper_points else []
    last = 0
    for point in merge(grid(config.points_per_decade, config.first_point), more):
        if point > last:
            yield point
            last = point


def passes_power_of_ten(before: int, now: int) -> bool:
    """There is a 1, 10, 100 and so on above the one count and up to the other: where a run keeps its model."""
    return len(str(now)) > len(str(before)) or (before == 0 and now > 0)


def ends_on_grid(config: Config, counts: Iterable[int]) -> bool:
    """The last of these logged counts is where a step reached a point of the grid, not an end between two."""
    *before, last = sorted({0, *counts})
    return not before or next(point for point in points(config) if point > before[-1]) <= last


def points_up_to(samples: int, points_per_decade: int, first: int) -> list[int]:
    """The grid up to this count, and the count itself."""
    return [*takewhile(lambda point: point < samples, grid(points_per_decade, first)), samples]


@dataclass
class Progress:
    """What a checkpoint holds beside the learner and the generator."""

    step_size: float
    samples: int = 0
    seconds: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list)
    # Number, sum and sum of squares of the minibatch means of the bound since the last logged point.
    batches: int = 0
    total: float = 0.0
    squares: float = 0.0
    evaluation_seconds: float = 0.0
    library: str = ""  # what multiplies on a CPU
    kept: list[int] = field(default_factory=list)  # sample counts at which the model was kept for good
    notes: list[str] = field(default_factory=list)  # on what was found damaged
    lost: int = 0  # samples at the first step whose bound was not finite

    def add(self, samples: int, seconds: float, bounds: list[float]) -> None:
        """Training went on for so long, with these mean bounds of minibatches."""
        if not self.lost and (nth := next((n for n, bound in enumerate(bounds, 1) if not math.isfinite(bound)), 0)):
            self.lost = self.samples + samples // len(bounds) * nth
        self.samples += samples
        self.seconds += seconds
        self.batches += len(bounds)
        for bound in bounds:  # in order, so that it does not matter how many come at a time
            self.total += bound
            self.squares += bound * bound

    def log(self, rows: list[dict[str, Any]]) -> None:
        """Add a logged point and start the next running mean."""
        self.rows += rows
        self.batches, self.total, self.squares = 0, 0.0, 0.0

    @property
    def last_point(self) -> int:
        """Samples at the last logged point; 0 where there is none."""
        return self.rows[-1]["samples"] if self.rows else 0

    def status(self, state: State, completed: int, message: str = "") -> Status:
        """The run's status as of now; all that there is up to `completed` samples is in the store."""
        bound = self.total / self.batches if self.batches else self._last_bound()
        finite = bound is not None and math.isfinite(bound)
        rate = self.samples / self.seconds if self.seconds else None
        text = "; ".join([message, *self.notes] if message else self.notes)
        return Status(
            state=state,
            samples=self.samples,
            completed=completed,
            bound=bound if finite else None,
            samples_per_second=rate,
            evaluation_seconds=self.evaluation_seconds,
            step_size=self.step_size,
            message=text,
            reason=message,
        )

    def running_mean(self) -> tuple[float, float]:
        """Mean of the bound since the last point and the mean's standard error over minibatches, NaN of one, nats."""
        mean = self.total / self.batches
        if self.batches == 1:
            return mean, math.nan
        variance = max(self.squares / self.batches - mean**2, 0.0) * self.batches / (self.batches - 1)
        return mean, math.sqrt(variance / self.batches)

    def _last_bound(self) -> float | None:
        """The last logged training value, for learners without a bound of their own."""
        row: dict[str, Any] = next((row for row in reversed(self.rows) if row["split"] == "train"), {})
        return row.get("lower_bound", row.get("marginal_log_likelihood"))
