"""Pictures made of many images: figures 4 and 5, and the demos' rows."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from harness.figures.notes import wrap
from harness.figures.panel import DARK, GREY, STYLE, save
from harness.store.files import replacing

PRINT_DPI = 300
PANEL_HEIGHT = 3.4  # inches
NARROWEST = 1.5  # inches, room for a title
COLUMNS = 6  # panels side by side
CELL_HEIGHT = 0.75  # inches
TITLE_LINE = 0.2  # inches, for each line after the first
LABEL_WIDTH, MARGIN = 1.25, 0.3  # inches
LETTERS_PER_INCH = 15  # of a caption
GAP = 2  # pixels of an image
ZOOM = 8  # of an animation, at most
FILM = 640  # pixels along its longer side, at most
FRAME_MILLISECONDS = 50


@dataclass(frozen=True)
class Panel:
    """A grid of images in [0, 1], black to white, or where there is none a note that says why."""

    title: str
    images: Float[np.ndarray, "row column height width"] | None
    note: str = ""


@dataclass(frozen=True)
class Strip:
    """A row of images in [0, 1] with its name."""

    label: str
    images: Float[np.ndarray, "column height width"]


def tile(
    images: Float[np.ndarray, "row column height width"], gap: int = 0
) -> Float[np.ndarray, "height_of_all width_of_all"]:
    """One image of all, with white lines `gap` pixels wide between them."""
    rows, columns, height, width = images.shape
    padded = np.ones((rows, columns, height + gap, width + gap), dtype=images.dtype)
    padded[:, :, :height, :width] = images.clip(0, 1)
    whole = padded.transpose(0, 2, 1, 3).reshape(rows * (height + gap), columns * (width + gap))
    return whole[: whole.shape[0] - gap, : whole.shape[1] - gap]


def plot_panels(rows: Sequence[Sequence[Panel]], caption: str, stem: Path) -> list[Path]:
    """Write rows of panels to `stem`.png and `stem`.svg and return the two paths."""
    rows = [row[k : k + COLUMNS] for row in rows for k in range(0, len(row), COLUMNS)]
    with matplotlib.rc_context(STYLE):
        widths = [[_width(panel) for panel in row] for row in rows]
        titles = sum(max(panel.title.count("\n") for panel in row) * TITLE_LINE for row in rows)
        height = (PANEL_HEIGHT + 0.4) * len(rows) + 0.3 + titles
        figure = Figure(
            figsize=(max(sum(row) + 0.2 * len(row) for row in widths), height),
            layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06),
        )
        parts = figure.subfigures(len(rows), 1, squeeze=False)[:, 0]
        for part in parts:
            part.suptitle(" ", fontsize=6)  # room that the layout leaves out above images of fixed proportions
        for part, row, ratios in zip(parts, rows, widths, strict=True):
            for axes, panel in zip(part.subplots(1, len(row), width_ratios=ratios, squeeze=False)[0], row, strict=True):
                _draw(axes, panel)
        _caption(figure, caption)
        return save(figure, stem, dpi=PRINT_DPI)


def plot_strips(strips: Sequence[Strip], headings: Sequence[str], caption: str, stem: Path) -> Path:
    """Write named rows of images, one below the other, to `stem`.png; headings are those of the columns, or none."""
    height, width = strips[0].images.shape[1:]
    columns = max(len(strip.images) for strip in strips)
    images = np.ones((len(strips), columns, height, width))
    for row, strip in zip(images, strips, strict=True):
        row[: len(strip.images)] = strip.images
    scale = CELL_HEIGHT / height
    wide, high = (width + GAP) * columns * scale, (height + GAP) * len(strips) * scale
    left, above, below = LABEL_WIDTH if any(strip.label for strip in strips) else MARGIN, MARGIN, 0.4
    total = (left + wide + MARGIN, above + high + below)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=total)
        axes = figure.add_axes((left / total[0], below / total[1], wide / total[0], high / total[1]))
        _show(axes, tile(images, GAP))
        axes.set_yticks(
            [n * (height + GAP) + height / 2 - 0.5 for n in range(len(strips))], [strip.label for strip in strips]
        )
        axes.set_xticks([n * (width + GAP) + width / 2 - 0.5 for n in range(len(headings))], headings)
        axes.tick_params(length=0, labelsize=9, top=True, labeltop=True, bottom=False, labelbottom=False)
        _caption(figure, caption, y=0.07 / total[1], va="bottom")
        (path,) = save(figure, stem, ["png"], PRINT_DPI)
        return path


def _width(panel: Panel) -> float:
    """Inches, at the height of all panels."""
    if panel.images is None:
        return PANEL_HEIGHT
    height, width = tile(panel.images).shape
    return max(PANEL_HEIGHT * width / height, NARROWEST)


def _caption(figure: Figure, text: str, **place: Any) -> None:
    """A line below all, or as many as the figure's width needs."""
    lines = textwrap.wrap(text, int(figure.get_figwidth() * LETTERS_PER_INCH))
    figure.supxlabel("\n".join(lines), fontsize=8, color=DARK, parse_math=False, **place)


def _draw(axes: Axes, panel: Panel) -> None:
    axes.set_title(panel.title, fontsize=10, parse_math=False)
    if panel.images is not None:
        _show(axes, tile(panel.images))
        return
    axes.set(xticks=[], yticks=[], aspect="equal")
    note = "\n".join(wrap(panel.note, 40))
    axes.text(0.5, 0.5, note, transform=axes.transAxes, ha="center", va="center", fontsize=8.5, color=GREY)


def _show(axes: Axes, image: Float[np.ndarray, "height width"]) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="none")
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def write_animation(frames: Float[np.ndarray, "frame height width"], stem: Path) -> Path:
    """Write images in [0, 1] to `stem`.gif: there and back again, for ever."""
    path = stem.with_name(f"{stem.name}.gif")
    zoom = max(1, min(ZOOM, FILM // max(frames.shape[1:])))
    size = (frames.shape[2] * zoom, frames.shape[1] * zoom)
    there = [
        Image.fromarray((255 * frame.clip(0, 1)).round().astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
        for frame in frames
    ]
    with replacing(path) as temporary:
        there[0].save(
            temporary, format="GIF", save_all=True, append_images=[*there[1:], *there[-2:0:-1]],
            duration=FRAME_MILLISECONDS, loop=0,
        )  # fmt: skip
    return path
