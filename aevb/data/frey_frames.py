"""Frey Face's frames: reading them from the forms in which they are published, and knowing them for the right ones."""

import hashlib
import io

import numpy as np
import numpy.typing as npt

from aevb.data.dataset import data_error
from aevb.data.mat_file import read_byte_matrix
from aevb.data.pickled_array import read_pickled_array

SHAPE = (1965, 560)  # frames in order of time, pixels row by row
SHA256 = "2438ba4f0d2a6bd8bac43de756141eaa33c8d248dd613d464bdb1210d9b7af78"
REMEDY = "replace it by the original frey_rawface.mat, or remove it"

Frames = npt.NDArray[np.uint8]


def frames_from_mat(content: bytes, where: object) -> Frames:
    """Return the frames in a copy of frey_rawface.mat, as (1965, 560); raise DataError for any other content."""
    columns = read_byte_matrix(content, "ff", where, REMEDY)
    if columns.shape != SHAPE[::-1]:
        rule = "the file must hold Frey Face's frames"
        raise data_error(where, rule, f"ff of shape {SHAPE[::-1]}", f"shape {columns.shape}", REMEDY)
    frames = np.ascontiguousarray(columns.T)
    if (found := _sha256(frames)) != SHA256:
        raise data_error(where, "the frames' SHA-256 must match", SHA256, found, REMEDY)
    return frames


def mat_from_frames(frames: Frames) -> bytes:
    """Return the frames in the form that frames_from_mat reads."""
    from scipy.io import savemat

    file = io.BytesIO()
    savemat(file, {"ff": frames.T})
    return file.getvalue()


def frames_from_pickle(content: bytes, where: object) -> Frames:
    """Return the frames in a pickled array of bytes or of grey values in [0, 1]; raise DataError for any other content.

    Whether the grey values are bytes / 255 or bytes / 256 is not documented; the frames' hash tells.
    """
    array = read_pickled_array(content, where)
    if array.size != SHAPE[0] * SHAPE[1]:
        expected = f"{SHAPE[0]} x {SHAPE[1]} values"
        raise data_error(where, "the pickle must hold Frey Face's frames", expected, f"shape {array.shape}", REMEDY)
    rows = array.T if array.shape == SHAPE[::-1] else array.reshape(SHAPE)
    if rows.dtype == np.uint8:
        candidates = [np.ascontiguousarray(rows, dtype=np.uint8)]
    else:
        if not (np.isfinite(rows).all() and rows.min() >= 0 and rows.max() <= 1):
            found = f"{rows.min()} to {rows.max()}"
            raise data_error(where, "grey values must lie in [0, 1]", "0 to 1", found, REMEDY)
        grey = np.ascontiguousarray(rows, dtype=np.float64)
        candidates = [np.rint(grey * scale).clip(0, 255).astype(np.uint8) for scale in (255, 256)]
    for frames in candidates:
        if _sha256(frames) == SHA256:
            return frames
    found = " or ".join(_sha256(frames) for frames in candidates)
    raise data_error(where, "the frames' SHA-256 must match", SHA256, found, REMEDY)


def _sha256(frames: Frames) -> str:
    return hashlib.sha256(frames.tobytes()).hexdigest()
