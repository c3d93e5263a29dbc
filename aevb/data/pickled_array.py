"""A reader for one kind of pickle: a plain numeric NumPy array. Nothing else that a pickle can ask for is made."""

import io
import pickle
import pickletools
import reprlib
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from aevb.data.dataset import data_error, describe

CODES = ("u1", "f4", "f8")
_REMEDY = "use another copy; this one may have been tampered with"


class _Dtype:
    """What a pickle says of a dtype; NumPy itself is never called with a stranger's arguments."""

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str) or code not in CODES:
            raise pickle.UnpicklingError(f"dtype {reprlib.repr(code)} is not one of {', '.join(CODES)}")
        self.code, self.byte_order = code, "|"

    def __setstate__(self, state: Any) -> None:
        self.byte_order = state[1]
        if self.byte_order not in ("<", ">", "|"):
            raise pickle.UnpicklingError(f"byte order {reprlib.repr(self.byte_order)} is unknown")


class _Array:
    """What a pickle says of an array: version, shape, dtype, Fortran order, bytes."""

    state: Any = None

    def __init__(self, *_: object) -> None:
        """Ignore the arguments, which describe an empty array: the state has it all."""

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Encode(bytes):
    """Stand in for _codecs.encode, by which Python 3 writes bytes into an old pickle."""

    def __new__(cls, text: str, _encoding: str) -> "_Encode":
        """Make the bytes."""
        return super().__new__(cls, text.encode("latin1"))

    def __setstate__(self, _state: object) -> NoReturn:
        """Refuse: a pickle could otherwise change this class itself."""
        raise pickle.UnpicklingError("bytes have no state")


# The names of NumPy 1 and of NumPy 2.
_KNOWN: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., object]:
        """Return one of the stand-ins above; raise UnpicklingError for any other name."""
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _KNOWN[module, name]


def _check_memo(content: bytes) -> None:
    """Raise UnpicklingError for a place in the memo that no such pickle needs: Python would allocate all below it."""
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name in ("PUT", "LONG_BINPUT") and int(argument or 0) > len(content):
            raise pickle.UnpicklingError(f"it asks for place {argument} of the memo")


def read_pickled_array(content: bytes, where: object) -> npt.NDArray[np.generic]:
    """Return the array in a Python 2 or 3 pickle; raise DataError, having run nothing, for any other pickle."""
    try:
        _check_memo(content)
        array = _Unpickler(io.BytesIO(content), encoding="latin1").load()
        _version, shape, dtype, fortran, data = array.state
        raw = data.encode("latin1") if isinstance(data, str) else data
        values = np.frombuffer(raw, np.dtype(dtype.byte_order + dtype.code))
        return values.reshape(shape, order="F" if fortran else "C")
    except Exception as error:  # a damaged or hostile pickle can fail in any way at all
        rule, expected = "the pickle must hold a numeric array only", f"an array of {', '.join(CODES)}"
        raise data_error(where, rule, expected, describe(error), _REMEDY) from error
