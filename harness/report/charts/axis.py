"""Axes of the page's charts: from values to pixels, and which values are named."""

from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from harness.figures.compare import scientific

MINUS = "\N{MINUS SIGN}"
MOST_TICKS = 6


@dataclass(frozen=True)
class Axis:
    """From values, low to high, to pixels, start to end.

    Attributes:
        low: value at `start`.
        high: value at `end`.
        start: pixel.
        end: pixel.
        log: logarithmic.
        linear: where above zero, the axis is linear up to this distance from 0, and logarithmic beyond.
        unit: ticks are told in this unit.
        named: the values that get a tick; none: chosen by the kind of axis.
        names: what the ticks are called, where it is not their value.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    linear: float = 0.0
    unit: float = 1.0
    named: tuple[float, ...] = ()
    names: tuple[str, ...] = ()

    def place(self, values: ArrayLike) -> NDArray[np.float64]:
        """Pixels of these values."""
        low, high, at = (self._stretched(v) for v in (self.low, self.high, values))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Pixel and label of each tick."""
        values = [v for v in self.named or self._chosen() if self.has(v)]
        names = self.names or tuple(self._name(v) for v in values)
        return list(zip(np.round(self.place(values), 1).tolist(), names, strict=True))

    def has(self, value: float) -> bool:
        """The value is on the axis."""
        return self.low <= value <= self.high

    def _stretched(self, values: ArrayLike) -> NDArray[np.float64]:
        v = np.asarray(values, dtype=float)
        if self.log:
            return np.log10(v)
        if not self.linear:
            return v
        size = np.abs(v) / self.linear
        return np.sign(v) * np.where(size > 1, 1 + np.log10(np.maximum(size, 1)), size)

    def _chosen(self) -> list[float]:
        if not self.log:
            return list(map(float, MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(self.low, self.high)))
        first, last = (int(np.ceil(np.log10(self.low) - 1e-9)), int(np.floor(np.log10(self.high) + 1e-9)))
        step = -(-(last - first + 1) // MOST_TICKS)
        return [10.0**k for k in range(first, last + 1) if k % step == 0]

    def _name(self, value: float) -> str:
        power = abs(np.log10(value)) if self.log else 0.0
        return scientific(value) if power > 3 or power % 1 else f"{value / self.unit:,g}".replace("-", MINUS)


def category(names: list[str], start: float, end: float) -> Axis:
    """An axis of names, the k-th at the value k."""
    return Axis(-0.5, len(names) - 0.5, start, end, named=tuple(map(float, range(len(names)))), names=tuple(names))
