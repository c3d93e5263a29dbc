"""What a panel says of its curves in words: what did not finish, what is not the reader's own, what is out of sight."""

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from harness.figures.captions import all_published, seed_names
from harness.figures.compare import SPLITS, label, scientific, stretches

LONGEST = 1e5  # nats that are written out


def write(axes: Axes, lines: Sequence[str], colour: str) -> None:
    """A note in the upper left corner, which rising curves leave free, or in the lower right where they do not."""
    width, height = 0.06 + 0.028 * max(map(len, lines), default=0), 0.05 + 0.06 * len(lines)
    points = [(line.get_transform() - axes.transAxes).transform(line.get_xydata()) for line in axes.lines]
    x, y = np.concatenate([np.empty((0, 2)), *points]).T
    upper = np.sum((x < width) & (y > 1 - height) & (y < 1))
    lower = np.sum((x > 1 - width) & (y < height) & (y > 0))
    at, va, ha = ((0.04, 0.95), "top", "left") if upper <= lower else ((0.96, 0.05), "bottom", "right")
    # White behind the words hides the grid, never a curve.
    box = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none"}
    axes.text(
        *at, "\n".join(lines), transform=axes.transAxes, va=va, ha=ha, fontsize=8.5, color=colour, linespacing=1.3,
        bbox=box if lines else None, zorder=1.5, parse_math=False,
    )  # fmt: skip


def unfinished(runs: pd.DataFrame) -> list[str]:
    """A note on each method whose runs diverged, failed or were not finished."""
    notes: list[str] = []
    for (method, status), group in runs[runs["status"] != "finished"].groupby(["method", "status"]):
        # Spaces that do not break keep the seeds together.
        seeds = f"({seed_names(group['seed'])})".replace(" ", "\N{NO-BREAK SPACE}")
        notes += wrap(f"{label(str(method))} {status} {seeds}", 26)
    return notes


def not_own(tried: pd.DataFrame, runs: pd.DataFrame) -> list[str]:
    """A note on a panel's methods whose runs come with the project; none where the caption says it of all `runs`."""
    published = tried[tried["published"].astype(bool)] if "published" in tried else tried.head(0)
    if published.empty or all_published(runs):
        return []
    if len(published) == len(tried):
        return ["published with the project"]
    names = ", ".join(label(str(method)) for method in published["method"].unique())
    return wrap(f"{names}: published with the project", 28)


def wrap(text: str, width: int) -> list[str]:
    """Lines that fit a panel; paths and addresses break after a slash."""
    lines = textwrap.wrap(text.replace("/", "/ "), width, max_lines=6, placeholder=" …")
    return [line.replace("/ ", "/") for line in lines]


def out_of_sight(axes: Axes, curves: pd.DataFrame, measure: str) -> list[str]:
    """A note on each method with a curve, train or test, that no seed has a point of in the panel: where its mean ends.

    The panel's axes must be settled.
    """
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    notes: list[str] = []
    for method, of_method in curves.groupby("method", sort=False):
        ends: dict[tuple[str, str], list[str]] = {}
        for split in SPLITS:
            curve = of_method[of_method["split"] == split]
            if curve.empty or (curve["samples"].between(left, right) & curve[measure].between(low, high)).any():
                continue
            last = stretches(curve, measure)[-1]
            samples, nats = float(last.samples[-1]), float(last.mean[-1])
            place = "below" if nats < low else "above" if nats > high else "left" if samples < left else "right"
            ends.setdefault((place, scientific(samples)), []).append(f"{split} {_nats(nats)}")
        for (place, at), values in ends.items():
            notes += wrap(f"{label(str(method))} {place}: {', '.join(values)} at {at}", 33)
    return notes


def _nats(value: float) -> str:
    return f"{value:.0f}".replace("-", "−") if abs(value) < LONGEST else scientific(value)
