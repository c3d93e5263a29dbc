"""A downloaded pickle can make a numeric array, and nothing else happen."""

import os
import pickle
import struct
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from aevb.data.pickled_array import read_pickled_array
from aevb.errors import DataError


def python2_pickle(array: npt.NDArray[np.generic], code: str = "", order: str = "<") -> bytes:
    """Pickle a matrix as Python 2 and NumPy 1 did: protocol 2, the bytes as a str."""
    code = code or array.dtype.str[1:]
    data = array.tobytes()
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01"
        + struct.pack("<cici", b"J", array.shape[0], b"J", array.shape[1])
        + b"\x86cnumpy\ndtype\nU"
        + bytes([len(code)])
        + code.encode()
        + b"K\x00K\x01\x87R(K\x03U"
        + bytes([len(order)])
        + order.encode()
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + struct.pack("<i", len(data))
        + data
        + b"tb."
    )


ARRAYS = [
    np.arange(256, dtype=np.uint8).reshape(32, 8),
    np.random.default_rng(0).random((5, 7)),
    np.random.default_rng(0).random((5, 7), dtype=np.float32),
    np.random.default_rng(0).random((5, 7)).astype(">f8"),
    np.asfortranarray(np.random.default_rng(0).random((5, 7))),
]


@pytest.mark.parametrize("array", ARRAYS[:3])
def test_a_python_2_pickle_gives_what_numpy_itself_reads_in_it(array: npt.NDArray[np.generic]) -> None:
    content = python2_pickle(array)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy 2 warns of the old module's name
        by_numpy = pickle.loads(content, encoding="latin1")
    read = read_pickled_array(content, "here")
    assert read.dtype == by_numpy.dtype == array.dtype
    assert np.array_equal(read, array)
    assert np.array_equal(by_numpy, array)


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("protocol", [0, 1, 2])
@pytest.mark.parametrize("module", [b"numpy.core", b"numpy._core"])
def test_other_old_protocols_byte_orders_and_memory_orders_are_read(
    array: npt.NDArray[np.generic], protocol: int, module: bytes
) -> None:
    content = pickle.dumps(array, protocol=protocol).replace(b"numpy._core", module)
    assert np.array_equal(read_pickled_array(content, "here"), array)


class Call:
    """Pickles as a call."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "wrap", [lambda call: call, lambda call: [ARRAYS[0], call], lambda call: np.array([call, None])]
)
def test_code_in_a_pickle_is_refused_and_not_run(protocol: int, wrap: object, tmp_path: Path) -> None:
    assert callable(wrap)
    marks = [tmp_path / "system", tmp_path / "open", tmp_path / "mkdir"]
    for call in (Call(os.system, f"touch {marks[0]}"), Call(open, marks[1], "w"), Call(os.mkdir, str(marks[2]))):
        content = pickle.dumps(wrap(call), protocol=protocol)
        with pytest.raises(DataError, match=r"numeric array only.*UnpicklingError") as caught:
            read_pickled_array(content, "here")
        assert "\n" not in str(caught.value)
    assert not any(mark.exists() for mark in marks)


NO_ARRAYS = {
    "object dtype": pickle.dumps(np.array([[None]]), protocol=2),
    "object dtype by its code": python2_pickle(ARRAYS[0], code="O8"),
    "object dtype by its byte order": python2_pickle(ARRAYS[0], code="u1", order="O,"),
    "integers of another size": pickle.dumps(np.zeros((2, 2), np.int64), protocol=2),
    "records": pickle.dumps(np.zeros(3, "f4,f4"), protocol=2),
    "a list": pickle.dumps([1, 2]),
    "a list of arrays": pickle.dumps([ARRAYS[0], ARRAYS[0]], protocol=2),
    "a dtype": pickle.dumps(np.dtype("f4"), protocol=2),
    "a builtin": b"\x80\x02c__builtin__\neval\nU\x011\x85R.",
    "a persistent id": b"\x80\x02U\x01aQ.",
    "an array without a state": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)R.",
    "too few bytes for its shape": python2_pickle(ARRAYS[1])[:400] + b"tb.",
    "cut off": python2_pickle(ARRAYS[1])[:-40],
    "nothing": b"",
    "a page of HTML": b"<html><body>Not found</body></html>",
}


@pytest.mark.parametrize("content", NO_ARRAYS.values(), ids=NO_ARRAYS.keys())
def test_all_that_is_no_numeric_array_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match=r"here: .*expected an array of u1, f4, f8, found") as caught:
        read_pickled_array(content, "here")
    assert "\n" not in str(caught.value)
