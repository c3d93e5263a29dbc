"""Where a curve has points, and what is known of it so far."""

import math
from dataclasses import dataclass, field
from typing import Any

from harness.store.status import State, Status


def grid(samples: int, points_per_decade: int, first: int) -> list[int]:
    """Sample counts to log at: from `first` on, evenly spaced in log(samples), and the last one.

    Powers of ten are on the grid, so that curves are compared with the paper's without interpolating ours.
    """
    last = math.floor(points_per_decade * math.log10(samples) + 1e-9)
    inner = [round(10 ** (k / points_per_decade)) for k in range(last + 1)]
    return sorted({*(point for point in inner if point >= first), samples})


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
    notes: list[str] = field(default_factory=list)  # on what was found damaged

    def add(self, samples: int, seconds: float, bounds: list[float]) -> None:
        """Training went on for so long, with these mean bounds of minibatches."""
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

    def status(self, state: State, message: str = "") -> Status:
        """The run's status as of now."""
        bound = self.total / self.batches if self.batches else self._last_bound()
        finite = bound is not None and math.isfinite(bound)
        rate = self.samples / self.seconds if self.seconds else None
        text = "; ".join([*self.notes, message] if message else self.notes)
        return Status(
            state, self.samples, bound if finite else None, rate, self.evaluation_seconds, self.step_size, text
        )

    def running_mean(self) -> tuple[float, float]:
        """Mean of the bound since the last point and the mean's standard error over minibatches, nats."""
        mean = self.total / self.batches
        variance = max(self.squares / self.batches - mean**2, 0.0) * self.batches / max(self.batches - 1, 1)
        return mean, math.sqrt(variance / self.batches)

    def _last_bound(self) -> float | None:
        """The last logged training value, for learners without a bound of their own."""
        row: dict[str, Any] = next((row for row in reversed(self.rows) if row["split"] == "train"), {})
        return row.get("lower_bound", row.get("marginal_log_likelihood"))
