"""The parts of a figure: panels of our curves over the paper's, legends, and files that land whole."""

import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from harness.figures.compare import SPLITS, label, stretches
from harness.figures.letters import fit_letters
from harness.figures.style import STYLE as STYLE
from harness.store.files import replacing

DARK, GREY = "#333333", "#757575"
LONGEST, LARGEST = 16_000, 64_000_000  # pixels of a side and of a picture, however much there is to draw


@dataclass(frozen=True)
class Ink:
    """How one source's curves look: a colour for each method and a width in points."""

    colours: Mapping[str, str]
    width: float

    def line(self, method: str, split: str) -> Line2D:
        """An empty line in this ink: train is solid, test dashed."""
        line = Line2D([], [], color=self.colours.get(method) or _other(method), linewidth=self.width)
        if split == "test":
            line.set_linestyle((0, (3.0, 1.3)))
        return line


# For anybody's learners, by name, so that one has one colour everywhere.
OTHERS = ("#8c564b", "#808000", "#e07a5f", "#3f88c5", "#000000")


def _other(method: str) -> str:
    return OTHERS[zlib.crc32(method.encode()) % len(OTHERS)]


# A dark red and a lighter green: apart in luminance too, for greyscale prints and colour-blind readers.
OURS = Ink(
    {
        "aevb": "#a50f22", "wake_sleep": "#2fa83b", "mcem": "#1f4fa0",
        "stl": "#d98200", "iwae": "#7a3fa0", "dreg": "#c2527f", "rws": "#008b8b", "full_vb": "#5b5b5b",
    },
    width=2.2,
)  # fmt: skip
PAPER = Ink({"aevb": "#e59aa3", "wake_sleep": "#a3d8a1", "mcem": "#a3bbe4"}, width=1.4)


def draw(axes: Axes, curves: pd.DataFrame, ink: Ink, measure: str) -> None:
    """Each method's train and test curve: the mean of the seeds, each of them, and a band from lowest to highest.

    Where some seeds end, the mean of those that go on begins a line of its own.
    """
    for (method, split), curve in curves.groupby(["method", "split"]):
        for part in stretches(curve, measure):
            line = ink.line(str(method), str(split))
            line.set_data(part.samples, part.mean)
            line.set_marker("o" if len(part.samples) == 1 else "")  # a single point has no stroke
            axes.add_line(line)
            if len(part.seeds) > 1:
                colour = line.get_color()
                axes.fill_between(part.samples, part.low, part.high, color=colour, alpha=0.12, linewidth=0)
                seeds = [np.column_stack([part.samples, seed]) for seed in part.seeds]
                axes.add_collection(LineCollection(seeds, colors=colour, linewidths=0.8, alpha=0.5), autolim=False)


def lowered(bottom: float, top: float, best: pd.Series) -> float:
    """The lower end of an axis, moved where a curve would be out of sight; one that is far below flattens no other.

    Args:
        bottom: of the axis, nats.
        top: of the axis, nats.
        best: the highest value of each curve.
    """
    hidden = best[(best < bottom) & (best > bottom - 10 * (top - bottom))]
    return min([bottom, *(hidden - 0.15 * (top - hidden))])


def cross(axes: Axes, ours: pd.DataFrame, runs: pd.DataFrame, measure: str) -> None:
    """Mark where each diverged run was last finite, at the panel's edge if that is outside."""
    for method, seed in runs.loc[runs["status"] == "diverged", ["method", "seed"]].to_numpy():
        ends = ours[(ours["method"] == method) & (ours["seed"] == seed)].groupby("split").tail(1)
        panel = axes.transData - axes.transAxes  # fractions of its width and height
        x, y = np.clip(panel.transform(ends[["samples", measure]].to_numpy().reshape(-1, 2)), 0.03, 0.97).T
        line = OURS.line(method, "train")
        line.set(
            data=(x, y), transform=axes.transAxes, linestyle="", marker="X", markersize=11, markeredgecolor="white"
        )
        axes.add_artist(line)  # not add_line, which would move the axes


def legends(axes: Axes, methods: Sequence[str], drawn: Iterable[str] = ()) -> None:
    """Fill an empty cell with what the lines mean: ours above, the paper's below.

    Args:
        axes: of the cell.
        methods: of the paper's figure.
        drawn: methods of ours, among which may be others; these have a row for both their curves.
    """
    axes.set_axis_off()
    both = [(method, split) for method in methods for split in SPLITS]
    named = [(curve, f"{label(curve[0])}, {curve[1]}") for curve in both]
    others = [((method, "train"), label(method, 24)) for method in dict.fromkeys(drawn) if method not in methods]
    # Room for both: closer rows, and the paper's test curves without a row of their own.
    crowded: dict[str, Any] = {"fontsize": 9, "labelspacing": 0.25} if others else {}
    theirs = [(curve, label(curve[0])) for curve, _ in named[::2]] if others else named
    below = 1 - 0.07 * (2 + len(named) + len(others)) if others else 0.46
    for title, ink, rows, top in (
        ("this reproduction", OURS, named + others, 1.0),
        ("the paper", PAPER, theirs, below),
    ):
        legend = Legend(
            axes, [ink.line(*curve) for curve, _ in rows], [text for _, text in rows],
            title=title, title_fontproperties={"weight": "bold"}, alignment="left", loc="upper left",
            bbox_to_anchor=(0.02, top), frameon=False, handlelength=2.8, **crowded,
        )  # fmt: skip
        axes.add_artist(legend)


def save(figure: Figure, stem: Path, kinds: Sequence[str] = ("png", "svg"), dpi: float = 160) -> list[Path]:
    """Write beside the target, then rename: a reader never sees half a picture; its size in pixels has a limit.

    What is laid out for the first kind stays so for the others.
    """
    width, height = figure.get_size_inches()
    dpi = min(dpi, LONGEST / max(width, height), math.sqrt(LARGEST / (width * height)))
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in kinds]
    with matplotlib.rc_context(STYLE):
        fit_letters(figure)
        for path, kind in zip(paths, kinds, strict=True):
            with replacing(path) as temporary:
                metadata = {"Date": None} if kind == "svg" else None
                figure.savefig(temporary, format=kind, dpi=dpi, metadata=metadata)
            figure.set_layout_engine(None)
    return paths
