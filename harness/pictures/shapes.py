"""Rows of pixels as pictures of a bounded size: images as images, and what is none as a line."""

import numpy as np
from jaxtyping import Float
from torch import Tensor

LARGEST = 160  # pixels along a side; of larger images blocks are averaged, which print could not tell apart
LONGEST = 8  # times as long as it is wide an image may be
LINE_HEIGHT, LINE_WIDTH = 48, 96  # pixels of the picture of a line
MARGIN = 3  # pixels above and below it
STROKE = 1.6  # pixels
FRAME = 0.85  # grey


def is_image(shape: tuple[int, int]) -> bool:
    """Of these proportions, and not a single row of values: a series, or an image whose shape is not known."""
    return max(shape) == 1 or (min(shape) > 1 and max(shape) <= LONGEST * min(shape))


def as_images(pixels: Float[Tensor, "*n pixel"], shape: tuple[int, int]) -> Float[np.ndarray, "*n height width"]:
    """Rows of pixels for print: images, no larger than can be seen, or the values as a line from left to right."""
    rows = pixels.numpy()
    return _shrunk(rows.reshape(*rows.shape[:-1], *shape)) if is_image(shape) else lines(rows)


def _shrunk(images: Float[np.ndarray, "*n height width"]) -> Float[np.ndarray, "*n less_height less_width"]:
    for axis in (-2, -1):
        n = images.shape[axis]
        if n > LARGEST:
            begins = np.arange(0, n, -(-n // LARGEST))
            sums = np.add.reduceat(images, begins, axis=axis)
            counts = np.diff(np.append(begins, n)).astype(images.dtype)
            images = sums / (counts if axis == -1 else counts[:, None])
    return images


def lines(rows: Float[np.ndarray, "*n value"]) -> Float[np.ndarray, "*n height width"]:
    """A picture of each row: its values over their places, 0 at the bottom and 1 at the top; black on white, framed.

    Where several values share a column, the line spans all of them.
    """
    n = rows.shape[-1]
    per_column = max(4, -(-n // LINE_WIDTH))
    place = np.linspace(0, n - 1, LINE_WIDTH * per_column + 1)
    left = np.minimum(place.astype(int), max(n - 2, 0))
    share = (place - left).astype(rows.dtype)
    values = (1 - share) * rows[..., left] + share * rows[..., np.minimum(left + 1, n - 1)]
    columns = values[..., :-1].reshape(*rows.shape[:-1], LINE_WIDTH, per_column)
    following = values[..., per_column::per_column]  # so that columns join
    lowest, highest = np.minimum(columns.min(-1), following), np.maximum(columns.max(-1), following)
    top, bottom = ((1 - value.clip(0, 1)) * (LINE_HEIGHT - 1 - 2 * MARGIN) + MARGIN for value in (highest, lowest))
    at = np.arange(LINE_HEIGHT)[:, None]
    above, below = top[..., None, :] - STROKE / 2, bottom[..., None, :] + STROKE / 2
    picture = 1 - (np.minimum(at + 0.5, below) - np.maximum(at - 0.5, above)).clip(0, 1)
    picture[..., -1, :] = picture[..., :, -1] = FRAME
    return picture.astype(rows.dtype)
