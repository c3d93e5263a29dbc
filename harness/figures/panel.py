"""The parts of a figure: panels of our curves over the paper's, notes, legends, and files that land whole."""

import math
import textwrap
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
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
    """Each method's train and test curve: the mean of the seeds, and a band from the lowest to the highest.

    Where some seeds end, the mean of those that go on begins a line of its own.
    """
    for (method, split), curve in curves.groupby(["method", "split"]):
        for part in stretches(curve, measure):
            line = ink.line(str(method), str(split))
            line.set_data(part.samples, part.mean)
            line.set_marker("o" if len(part.samples) == 1 else "")  # a single point has no stroke
            axes.add_line(line)
            if part.seeds > 1:
                colour = line.get_color()
                axes.fill_between(part.samples, part.low, part.high, color=colour, alpha=0.12, linewidth=0)


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


def all_published(runs: pd.DataFrame) -> bool:
    """No run of a figure is the reader's own."""
    return "published" in runs and len(runs) > 0 and bool(runs["published"].astype(bool).all())


def wrap(text: str, width: int) -> list[str]:
    """Lines that fit a panel; paths and addresses break after a slash."""
    lines = textwrap.wrap(text.replace("/", "/ "), width, max_lines=6, placeholder=" …")
    return [line.replace("/ ", "/") for line in lines]


def seed_names(seeds: pd.Series) -> str:
    """ "seed 0", or "seeds 0, 1, 2"."""
    distinct = sorted(seeds.unique())
    return f"seed{'s' * (len(distinct) > 1)} {', '.join(map(str, distinct))}"


def seeds_shown(seeds: pd.Series) -> str:
    """What a figure's lines and bands are made of."""
    return seed_names(seeds) + (": mean, band from the lowest to the highest" if seeds.nunique() > 1 else "")


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
