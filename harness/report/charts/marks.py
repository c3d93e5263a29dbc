"""What is drawn in a chart, as SVG paths: strokes, bands, dots, whiskers and bars."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.report.charts.axis import Axis

STEP = 1.5  # pixels between vertices of a stroke; closer ones cannot be seen
FAR = 1000.0  # pixels off the chart, beyond which it makes no difference


@dataclass(frozen=True)
class Mark:
    """A path, and how it looks: classes of the page's style."""

    look: str
    path: str


def stroke(look: str, x: Axis, y: Axis, at: ArrayLike, values: ArrayLike) -> Mark:
    """A line through the points."""
    return Mark(f"stroke {look}", _line(_pixels(x, y, at, values)))


def band(look: str, x: Axis, y: Axis, at: ArrayLike, low: ArrayLike, high: ArrayLike) -> Mark:
    """What lies between two lines."""
    edge = np.concatenate([_pixels(x, y, at, high), _pixels(x, y, at, low)[::-1]])
    return Mark(f"band {look}", f"{_line(edge)}Z")


def level(look: str, x: Axis, y: Axis, value: float) -> Mark:
    """A line across the chart."""
    return stroke(look, x, y, [x.low, x.high], [value, value])


def zone(look: str, x: Axis, y: Axis, low: float, high: float) -> Mark:
    """A band across the chart."""
    return band(look, x, y, [x.low, x.high], [low, low], [high, high])


def dot(look: str, px: float, py: float, size: float = 3.5, shape: str = "circle") -> Mark:
    """A mark at a place in pixels."""
    s, d = size, round(1.3 * size, 1)
    shapes = {
        "circle": f"M{px - s:.1f} {py:.1f}a{s} {s} 0 1 0 {2 * s} 0a{s} {s} 0 1 0 {-2 * s} 0Z",
        "up": f"M{px:.1f} {py - s:.1f}l{s} {2 * s}h{-2 * s}Z",
        "down": f"M{px:.1f} {py + s:.1f}l{s} {-2 * s}h{-2 * s}Z",
        "right": f"M{px + s:.1f} {py:.1f}l{-2 * s} {s}v{-2 * s}Z",
        "square": f"M{px - s:.1f} {py - s:.1f}h{2 * s}v{2 * s}h{-2 * s}Z",
        "diamond": f"M{px:.1f} {py - d:.1f}l{d} {d}l{-d} {d}l{-d} {-d}Z",
        "cross": f"M{px - s:.1f} {py - s:.1f}l{2 * s} {2 * s}m{-2 * s} 0l{2 * s} {-2 * s}",
    }
    return Mark(f"{'stroke' if shape == 'cross' else 'dot'} {look}", shapes[shape])


def whisker(look: str, px: float, low: float, high: float) -> Mark:
    """An upright line at `px`, from one pixel to another."""
    return Mark(f"stroke {look}", f"M{px:.1f} {low:.1f}V{high:.1f}")


def bar(look: str, px: float, width: float, foot: float, top: float) -> Mark:
    """A bar in pixels, its middle at `px`."""
    return Mark(f"bar {look}", f"M{px - width / 2:.1f} {foot:.1f}V{top:.1f}h{width:.1f}V{foot:.1f}Z")


def _pixels(x: Axis, y: Axis, at: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    """Places of the points, far ones brought near, close ones dropped."""
    places = np.stack([x.place(at), np.clip(y.place(values), -FAR, FAR)], 1)
    places = places[np.isfinite(places).all(1)]
    kept = [0] if len(places) else []
    for k in range(1, len(places)):
        if np.abs(places[k] - places[kept[-1]]).max() >= STEP or k == len(places) - 1:
            kept.append(k)
    return places[kept]


def _line(pixels: NDArray[np.float64]) -> str:
    """From the first point on in steps, which are shorter to write; tenths of a pixel, and no error adds up."""
    tenths = np.round(pixels * 10).astype(int)
    if not len(tenths):
        return "M"
    steps = [f"{_tenths(dx)}{'' if dy < 0 else ' '}{_tenths(dy)}" for dx, dy in np.diff(tenths, axis=0)]
    begin = "M{:.1f} {:.1f}".format(*tenths[0] / 10)
    return f"{begin}l{' '.join(steps).replace(' -', '-')}" if steps else begin


def _tenths(value: int) -> str:
    """So many tenths, as short as SVG reads it."""
    return f"{value / 10:g}".replace("0.", ".", 1) if abs(value) < 10 else f"{value / 10:g}"
