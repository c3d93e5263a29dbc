"""Names of points in a panel: none lies over another, a point or a line; those that find no room are left out."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

# Where a name may stand: points from its point, and which of its corners or edges is there.
PLACES = (
    (0, 7, "center", "bottom"), (0, -7, "center", "top"), (8, 0, "left", "center"), (-8, 0, "right", "center"),
    (6, 6, "left", "bottom"), (6, -6, "left", "top"), (-6, 6, "right", "bottom"), (-6, -6, "right", "top"),
    (0, -19, "center", "top"),
)  # fmt: skip
MARKER = 5.0  # half the side of the square that a point takes, in points
SIZE = 8.5  # of the letters, points
APART = 4.0  # pixels between names
POINTS_PER_INCH = 72


def name_points(
    axes: Axes, named: Sequence[tuple[float, float, str]], points: Sequence[tuple[float, float]]
) -> list[Annotation]:
    """Write the names, the first ones first; the layout must be settled, and the lines and texts drawn already.

    Args:
        axes: the panel.
        named: place and name.
        points: of all that is drawn, named or not.

    Returns:
        The names that there was room for.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    renderer = FigureCanvasAgg(figure).get_renderer()
    half = MARKER * figure.dpi / POINTS_PER_INCH
    pixels = axes.transData.transform(np.asarray(points, float).reshape(-1, 2))
    taken = [Bbox([pixel - half, pixel + half]) for pixel in pixels]
    taken += [text.get_window_extent(renderer).padded(APART) for text in axes.texts]
    lines = [axes.transData.transform(np.asarray(line.get_xydata(), float)) for line in axes.lines]
    panel, kept = axes.get_window_extent(renderer), []
    for x, y, name in named:
        for dx, dy, ha, va in PLACES:
            text = axes.annotate(
                name, (x, y), (dx, dy), textcoords="offset points", ha=ha, va=va, fontsize=SIZE, linespacing=1
            )
            text.set_in_layout(False)
            box = text.get_window_extent(renderer)
            inside = panel.x0 <= box.x0 and box.x1 <= panel.x1 and panel.y0 <= box.y0 and box.y1 <= panel.y1
            if inside and not any(map(box.overlaps, taken)) and not any(_crosses(line, box) for line in lines):
                taken.append(box.padded(APART))
                kept.append(text)
                break
            text.remove()
    return kept


def _crosses(line: NDArray[np.float64], box: Bbox) -> bool:
    """A line, in pixels, goes through the box."""
    steps = np.linspace(0, 1, 400)[:, None]
    places = np.concatenate([a + steps * (b - a) for a, b in pairwise(line)] or [line])
    x, y = places.T
    return bool(np.any((x > box.x0) & (x < box.x1) & (y > box.y0) & (y < box.y1)))
