"""The user's own array: a .npy file, or a .npz file of one array or of train, test and perhaps valid."""

import contextlib
import hashlib
import itertools
import math
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from aevb.data.dataset import Dataset, data_error, describe, row_order
from aevb.data.files import open_regular
from aevb.errors import DataError, did_you_mean

Array = npt.NDArray[np.generic]

MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 1 << 33  # bytes
LARGEST = MEMORY // 8  # bytes: loading takes several copies, and every worker process has its own


def load_array(path: Path, split: str) -> Dataset:
    """Load N x D or N x H x W values in [0, 1]; a single array gives its first 80 % in `split` order to train.

    Raises DataError for a file that is missing, unreadable or of any other content.
    """
    try:
        with open_regular(path) as file:
            _check_size(path, os.fstat(file.fileno()).st_size)
            key = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        rule, remedy = "the data must be a readable file", f"correct the path{near_file(path)}"
        raise data_error(path, rule, "a file", describe(error), remedy) from error
    if not path.name.isprintable():
        raise data_error(path, "the file's name must be printable", "no line breaks and the like", "some", "rename it")
    return _load(path, key, split)


@lru_cache(maxsize=2)
def _load(path: Path, _key: str, split: str) -> Dataset:
    """Load a file; `_key`, the hash of the whole file, keeps a changed file from being served from the cache."""
    arrays = read_arrays(path)
    names = {"train", "test"} | (arrays.keys() & {"valid"})
    if len(arrays) != 1 and arrays.keys() != names:
        expected = "one array, or arrays named train, test and optionally valid"
        found = f"arrays named {', '.join(arrays)}" if arrays else "no array"
        raise data_error(path, "the arrays' names must tell the split", expected, found, "rename or remove arrays")
    if len(arrays) == 1 and (part := arrays.keys() & {"train", "valid", "test"}):  # whose rows must not be dealt out
        remedy = "add what lacks, or rename the array to have it split"
        raise data_error(path, "a split must have both its parts", "train and test", f"{part.pop()} alone", remedy)
    return dataset_of(path.name, path, arrays, split)


def dataset_of(
    name: str, where: object, arrays: Mapping[str, Array], split: str, image_shape: tuple[int, int] | None = None
) -> Dataset:
    """A dataset of one array, of any name, or of train, test and perhaps valid.

    Args:
        name: of the dataset.
        where: the arrays come from, for errors.
        arrays: N x D or N x H x W, values in [0, 1].
        split: the order in which a single array is dealt out.
        image_shape: height and width where rows are images; where it is not given, rows that could be a square are.

    Raises:
        DataError: an array is none of this.
    """
    shapes = {part: array.shape[1:] for part, array in arrays.items()}
    rows = {
        part: _rows(array, f"{where} [{part}]" if len(arrays) > 1 else str(where)) for part, array in arrays.items()
    }
    if len(set(shapes.values())) > 1:
        found = ", ".join(f"{part} {shape}" for part, shape in shapes.items())
        remedy = "save rows of one shape"
        raise data_error(where, "the splits' rows must have one shape", "equal shapes", found, remedy)
    in_order = list(rows) if len(rows) == 1 else [part for part in ("train", "valid", "test") if part in rows]
    content = hashlib.sha256()
    for part in in_order:  # the same numbers in other parts, or in rows of another length, are other data
        n, d = rows[part].shape
        content.update(f"{part if len(rows) > 1 else 'all'} {n} {d}\n".encode())
        content.update(rows[part].reshape(-1).data)
    if len(rows) == 1:
        (only,) = rows.values()
        n_train = len(only) * 4 // 5
        order = row_order(len(only), split)
        rows = {"train": only[order[:n_train]], "test": only[order[n_train:]]}
    train, test = rows["train"], rows["test"]
    return Dataset(
        name=name,
        train=torch.from_numpy(train),
        valid=torch.from_numpy(rows.get("valid", train[:0])),
        test=torch.from_numpy(test),
        image_shape=image_shape or _image_shape(next(iter(shapes.values()))),
        sha256=content.hexdigest(),
    )


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a .npz file by name, or that of a .npy file, whose name is ""; of any type but Python's objects.

    Raises:
        DataError: it is no such file, or too large.
    """
    try:
        # Opened here, because NumPy leaves the file open where a .npz turns out to be damaged.
        with open_regular(path) as file:
            start = file.read(6)
            if not start.startswith(
                (b"\x93NUMPY", b"PK")
            ):  # else NumPy takes it for a pickle, and says how to trust it
                raise ValueError(f"the file begins with {start!r}")
            file.seek(0)
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"": loaded}
            _check_size(path, sum(member.file_size for member in loaded.zip.infolist()))
            if len({*loaded.files}) < len(loaded.files):
                raise ValueError("two arrays have one name")
            return {name: np.asarray(loaded[name]) for name in loaded.files}
    except DataError:
        raise
    except MemoryError as error:
        rule, expected = "the data must fit in memory, and be what the file's header says", f"at most {LARGEST:,} bytes"
        raise data_error(path, rule, expected, describe(error), "write it anew, or with fewer rows") from error
    except Exception as error:  # NumPy and zipfile have no common error for a file they cannot read
        expected = "an intact .npy or .npz file without Python objects"
        remedy = "write it with numpy.save or numpy.savez"
        if "Object arrays" in str(error):
            remedy = 'save x.astype("float32") in place of x; rows of unequal length must be made equal first'
        raise data_error(path, "the data must be in NumPy's own format", expected, describe(error), remedy) from error


def _rows(array: Array, where: str) -> npt.NDArray[np.float32]:
    """Return the array as contiguous float32 rows; raise DataError for the first rule that it breaks."""
    check_real(array, where)
    if array.ndim not in (2, 3):
        rule = "the array must be N x D or N x H x W"
        raise data_error(where, rule, "2 or 3 dimensions", f"shape {array.shape}", _reshape(array.shape))
    if len(array) < 2 or array.size == 0:
        remedy = "supply more data"
        raise data_error(where, "there must be data", "2 rows or more, none empty", f"shape {array.shape}", remedy)
    _check_size(where, array.size * np.dtype(np.float32).itemsize)
    if not np.isfinite(array).all():
        remedy = "remove or replace those values"
        raise data_error(where, "the values must be finite", "no NaN or infinity", "some", remedy)
    low, high = array.min(), array.max()
    if low < 0 or high > 1:
        remedy = "divide by 255 if these are bytes, else rescale to [0, 1]"
        found = f"{array.dtype} from {low} to {high}"
        raise data_error(where, "the values must lie in [0, 1]", "0 to 1", found, remedy)
    rows = np.ascontiguousarray(array.reshape(len(array), -1), dtype=np.float32)
    return rows if rows.flags.writeable else rows.copy()  # torch warns of what may not be written


def check_real(array: Array, where: object) -> None:
    """Raise DataError unless the values are real numbers."""
    if array.dtype.kind not in "fbiu":
        part = "x.real or abs(x)" if array.dtype.kind == "c" else 'x.astype("float32")'
        raise data_error(
            where, "the values must be real numbers", "float, integer or bool", array.dtype, f"save {part}"
        )


def _reshape(shape: tuple[int, ...]) -> str:
    """What to do about an array of another number of dimensions."""
    if len(shape) < 2:
        return "save x[:, None], if each value is a point" if shape else "save an array with a row for each point"
    if len(shape) == 4 and 1 in (shape[1], shape[-1]):
        return f"drop the axis of size 1: save {'x[..., 0]' if shape[-1] == 1 else 'x[:, 0]'}"
    if len(shape) == 4 and (shape[1] in (3, 4) or shape[-1] in (3, 4)):
        colours = -1 if shape[-1] in (3, 4) else 1
        return f"save grey images, x.mean({colours}), or rows, x.reshape(len(x), -1), which are drawn as lines"
    return "save x.reshape(len(x), -1), one row for each point"


def near_file(path: Path) -> str:
    """A hint where a file of nearly this name lies in the folder."""
    with contextlib.suppress(OSError, ValueError):
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in itertools.islice(entries, 1000)]
        return did_you_mean(path.name, [n for n in names if n.endswith((".npy", ".npz")) and n != path.name])
    return ""


def _check_size(where: object, n_bytes: int) -> None:
    """Raise DataError for more than LARGEST bytes, be they on disk, unpacked or as float32."""
    if n_bytes > LARGEST:
        rule, expected = "the data must fit in memory several times", f"at most {LARGEST:,} bytes"
        raise data_error(where, rule, expected, f"{n_bytes:,}", "take fewer rows, or smaller images")


def _image_shape(row_shape: tuple[int, ...]) -> tuple[int, int] | None:
    if len(row_shape) == 2:
        return row_shape[0], row_shape[1]
    side = math.isqrt(row_shape[0])
    return (side, side) if side * side == row_shape[0] else None
