"""The user's own data from a function, "package.module:function", which is called without arguments."""

import operator
from functools import lru_cache
from typing import Any

import numpy as np

from aevb.data.array import dataset_of
from aevb.data.dataset import Dataset, data_error
from aevb.places import load_place, strangers_code

WANTED = "(train, test, image_shape), or image_shape None"


@lru_cache(maxsize=2)
def load_from(place: str) -> Dataset:
    """What the function at a place returns: training and test rows, and (height, width) or None.

    Rows are arrays or tensors, N x D or N x H x W, of values in [0, 1]. Where the shape is None, rows that could be
    a square image are one.

    Raises:
        UserError: it cannot be imported.
        DataError: it raises something, or returns something else.
    """
    function = load_place(place, "dataset", "function")
    remedy = "return these three"
    with strangers_code(lambda what: data_error(place, "a loader must return arrays", WANTED, what, remedy)):
        train, test, image_shape = function()
        arrays = {name: _plain(place, rows) for name, rows in (("train", train), ("test", test))}
    if image_shape is not None:
        image_shape = _checked_shape(place, image_shape, arrays["train"])
    return dataset_of(place, place, arrays, "chronological", image_shape)


def _plain(place: str, rows: Any) -> np.ndarray:
    """Rows as NumPy has them."""
    if np.ma.is_masked(rows):  # NumPy would take what lies behind the mask
        raise data_error(place, "every value must be there", "no masked values", "some", "return rows.filled(0), say")
    return np.asarray(rows.detach().cpu() if hasattr(rows, "detach") else rows)


def _checked_shape(place: str, shape: Any, train: np.ndarray) -> tuple[int, int]:
    pixels = int(np.prod(train.shape[1:]))
    try:
        height, width = (operator.index(side) for side in shape)
    except (TypeError, ValueError):
        height = width = 0
    if min(height, width) < 1 or height * width != pixels:
        rule, remedy = "image_shape must be (height, width) of a row", "correct it, or return None"
        raise data_error(place, rule, f"two sides of {pixels} pixels in all", repr(shape), remedy)
    return height, width
