"""What every dataset is, and the few rules that all of them share."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from aevb.errors import DataError, one_line

SPLITS = ("shuffled", "chronological")
SPLIT_SEED = 0


@dataclass(frozen=True, eq=False)
class Dataset:
    """Points as rows, contiguous float32 in [0, 1]; `valid` has no rows where the data come without validation points.

    `image_shape` is (height, width) where rows are images; `sha256` is that of the content, not of the file it came in;
    `labels`, where there are any, holds int64 class numbers for "train", "valid" and "test".
    """

    name: str
    train: Float[Tensor, "n_train d"]
    valid: Float[Tensor, "n_valid d"]
    test: Float[Tensor, "n_test d"]
    image_shape: tuple[int, int] | None
    sha256: str
    labels: Mapping[str, Tensor] | None = None


def data_error(where: object, rule: str, expected: object, found: object, remedy: str) -> DataError:
    """Make the error that names the place, the rule, what was expected, what came and the remedy, in one line."""
    return DataError(f"{where}: {rule}: expected {expected}, found {found}; {remedy}")


def describe(error: BaseException) -> str:
    """Return an exception as "Type: message", in one line."""
    return one_line(f"{type(error).__name__}: {error}")


def check_split(split: str) -> None:
    """Raise DataError unless `split` is one of SPLITS."""
    if split not in SPLITS:
        raise data_error("split", "it must be known", f"one of {', '.join(SPLITS)}", repr(split), "use one of those")


def check_folder(folder: Path, setting: str) -> Path:
    """Return the folder that `setting` names, ~ expanded; raise DataError where there is none."""
    folder = Path(os.path.expanduser(folder))  # Path.expanduser raises for a user that does not exist
    if not os.path.isdir(folder):
        remedy = f"create it, or correct or leave out {setting}"
        raise data_error(folder, f"{setting} must name a folder", "an existing folder", "none", remedy)
    return folder


def scaled(pixels: npt.NDArray[np.uint8], pixel_scale: float) -> Float[Tensor, "n d"]:
    """Return pixels / pixel_scale as float32; raise DataError for a scale that leaves [0, 1]."""
    largest = int(pixels.max(initial=1))
    if not (isinstance(pixel_scale, Real) and math.isfinite(pixel_scale) and pixel_scale >= largest):
        rule, expected = "pixels / pixel_scale must lie in [0, 1]", f"a finite number >= {largest}"
        raise data_error("pixel_scale", rule, expected, pixel_scale, "use 255")
    return torch.from_numpy(pixels.astype(np.float32)).div_(pixel_scale)


def row_order(n: int, split: str) -> npt.NDArray[np.int64]:
    """Return the order in which n rows are dealt out to train and test: RandomState(SPLIT_SEED)'s, or as they came.

    NumPy promises that RandomState's stream never changes; newer generators come without that promise.
    """
    return np.random.RandomState(SPLIT_SEED).permutation(n) if split == "shuffled" else np.arange(n)
