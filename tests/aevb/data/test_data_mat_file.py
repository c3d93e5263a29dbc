"""The .mat reader agrees with SciPy's on good files, and, unlike SciPy's, survives bad ones."""

import contextlib
import io
import struct

import numpy as np
import numpy.typing as npt
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from aevb.data.mat_file import read_byte_matrix
from aevb.errors import DataError

MATRIX = np.random.default_rng(0).integers(0, 256, (7, 5), dtype=np.uint8)


def mat_of(*, compressed: bool = False, **arrays: npt.ArrayLike) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, arrays, do_compression=compressed)
    return file.getvalue()


def big_endian(matrix: npt.NDArray[np.uint8], name: bytes) -> bytes:
    """Write what a Sun's MATLAB would have, with the matrix declared double and stored as bytes, as MATLAB does."""
    data = matrix.tobytes(order="F")
    name_element = struct.pack(">HH4s", len(name), 1, name)
    parts = struct.pack(">IIII", 6, 8, 6, 0) + struct.pack(">IIii", 5, 8, *matrix.shape) + name_element
    parts += struct.pack(">II", 2, len(data)) + data + bytes(-len(data) % 8)
    return (
        b"MATLAB 5.0 MAT-file, Platform: SOL2".ljust(124) + b"\x01\x00MI" + struct.pack(">II", 14, len(parts)) + parts
    )


def read(content: bytes, name: str = "ff") -> npt.NDArray[np.uint8]:
    return read_byte_matrix(content, name, "here", "mend it")


GOOD = {
    "plain": mat_of(ff=MATRIX),
    "compressed": mat_of(ff=MATRIX, compressed=True),
    "among others": mat_of(a=np.eye(3), text="text", cells=np.array([1, "a"], object), ff=MATRIX, z=1),
    "compressed among others": mat_of(a=np.eye(3), ff=MATRIX, z=1, compressed=True),
    "Fortran order": mat_of(ff=np.asfortranarray(MATRIX)),
    "big-endian": big_endian(MATRIX, b"ff"),
}


@pytest.mark.parametrize("content", GOOD.values(), ids=GOOD.keys())
def test_it_reads_what_scipy_reads(content: bytes) -> None:
    assert np.array_equal(scipy.io.loadmat(io.BytesIO(content))["ff"], MATRIX)
    assert np.array_equal(read(content), MATRIX)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (2, 2), (0, 3), (2, 3, 4)])
def test_small_empty_and_deep_arrays_keep_their_shape(shape: tuple[int, ...]) -> None:
    matrix = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    assert np.array_equal(read(mat_of(ff=matrix)), matrix)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_damaged_file_gives_an_array_or_a_data_error_and_nothing_else(compressed: bool) -> None:
    """The file is cut, or the byte changed, at every place; whether the pixels are right is for a hash to tell."""
    content = mat_of(ff=MATRIX, compressed=compressed)
    for place in range(120, len(content)):
        for damaged in [
            content[:place],
            *(content[:place] + bytes([b]) + content[place + 1 :] for b in (0, 1, 127, 255)),
        ]:
            with contextlib.suppress(DataError):
                read(damaged)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_garbage_after_a_good_header_is_survived(garbage: bytes) -> None:
    with pytest.raises(DataError, match=r"here: .*; mend it"):
        read(GOOD["plain"][:128] + garbage)


BAD = {
    "nothing": b"",
    "text": b"no such page " * 30,
    "another name": mat_of(gg=MATRIX),
    "doubles": mat_of(ff=np.full((3, 3), 0.5)),
    "cut off": GOOD["plain"][:-9],
    "cut off, compressed": GOOD["compressed"][:-9],
    "version 7.3": b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n" + bytes(64),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_a_file_without_the_matrix_is_a_data_error(content: bytes) -> None:
    with pytest.raises(DataError, match=r"here: .*expected a matrix ff of bytes, found .*; mend it"):
        read(content)
