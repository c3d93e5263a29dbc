"""A reader for byte matrices in MATLAB's .mat files, of versions 5 to 7.2.

SciPy's reader is not used here, because it trusts the types that a file names: a damaged file can crash the process.
"""

import struct
import zlib

import numpy as np
import numpy.typing as npt

from aevb.data.dataset import data_error, describe

UINT8, MATRIX, COMPRESSED = 2, 14, 15  # the format's numbers for types of elements
BYTE_ORDERS = {b"IM": "<", b"MI": ">"}
HEADER = 128  # bytes
LARGEST = 1 << 26  # bytes that a compressed element may unfold to


def read_byte_matrix(content: bytes, name: str, where: object, remedy: str) -> npt.NDArray[np.uint8]:
    """Return the matrix `name`; raise DataError where it is absent or not of bytes, or the file is damaged."""
    try:
        return _find(content, name)
    except (ValueError, struct.error, zlib.error) as error:
        rule, expected = "the file must be an intact .mat file of version 5", f"a matrix {name} of bytes"
        raise data_error(where, rule, expected, describe(error), remedy) from error


def _find(content: bytes, name: str) -> npt.NDArray[np.uint8]:
    mark = content[HEADER - 2 : HEADER]
    if mark not in BYTE_ORDERS:
        raise ValueError(f"{len(content)} bytes with the byte order mark {mark!r}")
    order = BYTE_ORDERS[mark]
    offset = HEADER
    while offset < len(content):
        kind, data, offset = _element(content, offset, order)
        if kind == COMPRESSED:
            kind, data, _ = _element(zlib.decompressobj().decompress(data, LARGEST), 0, order)
        if kind != MATRIX:
            continue
        _, _, position = _element(data, 0, order)  # flags
        _, sizes, position = _element(data, position, order)
        _, found, position = _element(data, position, order)
        if found == name.encode():
            kind, values, _ = _element(data, position, order)
            if kind != UINT8:
                raise ValueError(f"{name} is stored as type {kind}, not as bytes (type {UINT8})")
            return np.frombuffer(values, np.uint8).reshape(np.frombuffer(sizes, f"{order}i4"), order="F")
    raise ValueError(f"there is no {name} in it")


def _element(content: bytes, offset: int, order: str) -> tuple[int, bytes, int]:
    """Return an element's type, its data, and the place of the next one."""
    (kind,) = struct.unpack_from(f"{order}I", content, offset)
    if size := kind >> 16:  # short elements keep type, size and data in eight bytes
        return kind & 0xFFFF, content[offset + 4 : offset + 4 + size], offset + 8
    (size,) = struct.unpack_from(f"{order}I", content, offset + 4)
    start, end = offset + 8, offset + 8 + size
    if end > len(content):
        raise ValueError(f"it is cut off: {len(content)} bytes where {end} are promised")
    return kind, content[start:end], end if kind == COMPRESSED else end + -size % 8
