"""Frey Face: found on this machine or downloaded, checked, and split."""

import logging
import math
import os
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from numbers import Real
from pathlib import Path

import numpy as np
import platformdirs

from aevb.data import frey_frames
from aevb.data.dataset import Dataset, check_folder, data_error, describe, row_order, scaled
from aevb.data.download import DatasetUnavailable, TransferError, fetch_first
from aevb.data.files import read_if_present
from aevb.data.frey_frames import Frames, frames_from_mat, frames_from_pickle, mat_from_frames
from aevb.errors import DataError
from aevb.files import replacing

FILE = "frey_rawface.mat"
VARIABLE = "AEVB_DATA_DIR"
URLS: tuple[str, ...] = (
    "https://cs.nyu.edu/home/people/in_memoriam/roweis/data/frey_rawface.mat",
    "http://www.cs.nyu.edu/~roweis/data/frey_rawface.mat",
    "https://raw.githubusercontent.com/y0ast/Variational-Autoencoder/master/freyfaces.pkl",
)
N_TRAIN = 1600
IMAGE_SHAPE = (28, 20)
REMEDY = f"put {FILE} in a folder DIR and pass --data DIR or set {VARIABLE}=DIR"
BY_VARIABLE = f"put {FILE} in a folder DIR and set {VARIABLE}=DIR"  # where --data is for something else

_log = logging.getLogger(__name__)


def load_frey_face(
    data_dir: Path | None = None, pixel_scale: float = 256.0, split: str = "shuffled", deadline: float = 20.0
) -> Dataset:
    """Load Frey Face: 1,600 frames to train, 365 to test, the first of them in `split` order (row_order) to train.

    Looks in data_dir, in $AEVB_DATA_DIR, in the user's cache folder, then at URLS for `deadline` seconds at most.
    Raises DatasetUnavailable where there is no copy, DataError for a damaged one.
    """
    if not (isinstance(deadline, Real) and math.isfinite(deadline) and deadline >= 0):
        raise data_error("deadline", "it must be a time in seconds", "a finite number >= 0", deadline, "use 20")
    frames = _in_folders(data_dir)
    if frames is None:
        frames = _in_cache_or_download(deadline)
    return _dataset(frames.tobytes(), pixel_scale, split)


@lru_cache(maxsize=2)
def _dataset(content: bytes, pixel_scale: float, split: str) -> Dataset:
    """Make the Dataset of frames that have passed the check of their hash."""
    points = scaled(np.frombuffer(content, np.uint8).reshape(frey_frames.SHAPE), pixel_scale)
    points = points[row_order(len(points), split)]
    return Dataset(
        name="frey_face",
        train=points[:N_TRAIN],
        valid=points[:0],
        test=points[N_TRAIN:],
        image_shape=IMAGE_SHAPE,
        sha256=frey_frames.SHA256,
    )


def _folders(data_dir: Path | None) -> Iterator[Path]:
    """Yield the folders that the user has named; raise DataError for one that does not exist."""
    if data_dir is not None:
        yield check_folder(data_dir, "data_dir")
    if named := os.environ.get(VARIABLE):
        yield check_folder(Path(named), VARIABLE)


def _in_folders(data_dir: Path | None) -> Frames | None:
    """Return the first copy found; a damaged one is an error, for the user has chosen it."""
    for folder in _folders(data_dir):
        for path in (folder / "frey_face" / FILE, folder / FILE):
            if (content := read_if_present(path)) is not None:
                return frames_from_mat(content, path)
    return None


def _in_cache_or_download(deadline: float) -> Frames:
    path = _cache() / "frey_face" / FILE
    try:
        if (content := read_if_present(path)) is not None:
            return frames_from_mat(content, path)
    except DataError as error:
        _log.warning("discarding a damaged file of the cache: %s", error)
        _change_cache(path, None)
    try:
        frames = fetch_first(URLS, _accept, deadline)
    except TransferError as failures:
        sought = f"looked in {path.parent} and wherever a folder was named; downloads failed: {failures}"
        message = f"frey_face: {FILE} must be on this machine or downloadable: {sought}; {REMEDY}"
        raise DatasetUnavailable(message, REMEDY) from failures
    # Always in the form of the original, whichever source it came from: one reader for every copy on this machine.
    _change_cache(path, mat_from_frames(frames))
    return frames


def _cache() -> Path:
    """The user's cache folder; for a user without a home, whose "~" stays as it is, one among temporary files."""
    folder = Path(platformdirs.user_cache_dir("aevb"))
    return folder if folder.is_absolute() else Path(tempfile.gettempdir()) / "aevb"


def _accept(url: str, body: bytes) -> Frames:
    return frames_from_pickle(body, url) if url.endswith(".pkl") else frames_from_mat(body, url)


def _change_cache(path: Path, content: bytes | None) -> None:
    """Put the content in the cache, or for None remove what is there; raise DatasetUnavailable where that fails."""
    try:
        if content is None:
            path.unlink()
        else:
            with replacing(path) as temporary:
                temporary.write_bytes(content)
    except OSError as error:
        rule, expected = "the cache folder must be writable", "write permission"
        remedy = f"make it writable, or {REMEDY}"
        message = data_error(path.parent, rule, expected, describe(error), remedy)
        raise DatasetUnavailable(str(message), remedy) from error
