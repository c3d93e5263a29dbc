"""Which library multiplies float32 matrices on the CPU, and in what precision.

Torch has two: the BLAS it was built with (MKL, as a rule) and oneDNN, which it uses for float32 where reduced
precision is allowed. Asked for TF32, which no present CPU has, oneDNN computes in float32 proper; asked for bfloat16,
it rounds the factors to 8 bits and sums in float32. The third is the OpenBLAS that NumPy brings along. Which is fastest
depends on the processor: MKL is made for Intel's.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

from aevb.errors import UserError
from aevb.fast.kernels import is_amd

Precision = Literal["float32", "bfloat16"]
Library = Literal["blas", "openblas", "onednn", "onednn-bfloat16"]

EXACT: tuple[Library, ...] = ("blas", "openblas", "onednn")
_MODES: dict[Library, str] = {"blas": "ieee", "onednn": "tf32", "onednn-bfloat16": "bf16"}
# A library must be this much faster than the one that is usual for the processor, lest chance decide and two runs of
# one config round differently.
MARGIN = 1.25
SINGLE_ROUNDING, REDUCED_ROUNDING = 2**-17, 2**-6
Shape = tuple[int, int, int]
PROBE: Shape = (64, 64, 64)  # torch never reduces the precision of the very smallest products


@contextmanager
def products(library: Library) -> Iterator[None]:
    """Within the block, float32 products on the CPU come from this library; OpenBLAS's are those of `multiply` alone.

    OpenBLAS then has as many threads as torch.
    """
    global _openblas_multiplies
    before = _openblas_multiplies
    _openblas_multiplies = library == "openblas" and _openblas() is not None
    try:
        # Some products are torch's even there: those that add to what is there.
        with _mode_of_torch(_MODES.get(library, "ieee")), _threads_of_openblas():
            yield
    finally:
        _openblas_multiplies = before


def openblas_multiplies() -> bool:
    """Products are to be made by `multiply_arrays`, or by `multiply`."""
    return _openblas_multiplies


def openblas_kernels() -> str:
    """The processor whose kernels the OpenBLAS has that NumPy brings along; "" where it brings none."""
    return "" if _openblas() is None else str(_openblas().lib_controllers[0].architecture)


def multiply(a: Tensor, b: Tensor, out: Tensor) -> None:
    """out = a b by the library of the block; all on one device."""
    if _openblas_multiplies and out.is_cpu:
        multiply_arrays(a.numpy(), b.numpy(), out.numpy())
    else:
        torch.matmul(a, b, out=out)


def multiply_arrays(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out = a b by NumPy."""
    np.matmul(a, b, out=out)


@contextmanager
def products_told(tell: Callable[..., object]) -> Iterator[None]:
    """Within the block `tell` hears of each product by NumPy when it is made: what made it, and its three arrays.

    Of those of all threads: one block at a time.
    """
    global multiply_arrays
    multiply = multiply_arrays

    def told(*arrays: np.ndarray) -> None:
        multiply(*arrays)
        tell(multiply, *arrays)

    multiply_arrays = told  # type: ignore[assignment]
    try:
        yield
    finally:
        multiply_arrays = multiply


_openblas_multiplies = False


@contextmanager
def _mode_of_torch(mode: str) -> Iterator[None]:
    if not _switchable():
        yield
        return
    settings = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = settings.fp32_precision
    settings.fp32_precision = mode
    try:
        yield
    finally:
        settings.fp32_precision = before


def _threads_of_openblas() -> AbstractContextManager[Any]:
    return _openblas().limit(limits=torch.get_num_threads()) if _openblas_multiplies else nullcontext()


@cache
def _openblas() -> Any:
    """Threadpoolctl's handle of the OpenBLAS that NumPy brings along; None where it brings none."""
    found = ThreadpoolController().select(internal_api="openblas")
    own = [
        each.filepath for each in found.lib_controllers if {"numpy", "numpy.libs"} & {*Path(each.filepath).parts[-3:]}
    ]
    return found.select(filepath=own) if own else None


@lru_cache
def choose_library(shapes: tuple[Shape, ...], precision: Precision = "float32", by_torch: bool = False) -> Library:
    """The library for products of (m, k) with (k, n) matrices: in float32 the fastest one whose results are right.

    On AMD's processors OpenBLAS is the usual one, elsewhere torch's BLAS; another must be clearly faster. Measured for
    these very shapes with the threads that torch has now; once in a process.

    Args:
        shapes: (m, k, n) of each.
        precision: "float32" or "bfloat16".
        by_torch: what multiplies does so by torch alone, not by `multiply`.

    Raises:
        UserError: the precision is unknown, or this machine's torch has no products of that precision.
    """
    if precision not in get_args(Precision):
        raise UserError(f"precision must be one of {', '.join(get_args(Precision))}, got {precision!r}")
    if precision == "bfloat16":
        if not SINGLE_ROUNDING < rounding("onednn-bfloat16", PROBE) < REDUCED_ROUNDING:
            raise UserError(
                "precision bfloat16 needs a CPU and a torch, 2.9 or newer, that multiply in bfloat16; these do not: "
                "use float32"
            )
        return "onednn-bfloat16"
    right = [name for name in EXACT if is_right(name, shapes) and not (by_torch and name == "openblas")]
    usual: Library = "openblas" if "openblas" in right and is_amd() else "blas"
    chosen, *others = sorted(right, key=lambda name: name != usual)
    need = dict(zip([chosen, *others], seconds([chosen, *others], shapes), strict=True))
    for other in others:
        if need[chosen] > MARGIN * need[other]:
            chosen = other
    return chosen


def is_right(library: Library, shapes: Sequence[Shape]) -> bool:
    """It multiplies float32 on this machine as exactly as float32 allows."""
    if library == "blas":
        return True
    there = _openblas() is not None if library == "openblas" else _switchable()
    return there and all(rounding(library, shape) < SINGLE_ROUNDING for shape in shapes)


def rounding(library: Library, shape: Shape) -> float:
    """Largest error of a product of standard normal matrices over √k, the standard deviation of its entries."""
    m, k, n = shape
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(m, k, generator=generator), torch.randn(k, n, generator=generator)
    product = torch.empty(m, n)
    with products(library):
        multiply(a, b, product)
    return float((product - a.double() @ b.double()).abs().max()) / k**0.5


def seconds(libraries: Sequence[Library], shapes: Sequence[Shape], repeats: int = 7) -> list[float]:
    """Time of a product of each shape by each library: the best of several rounds, in turns.

    In a layer's three layouts: by its transposed weight, for the weight's gradient, and for that of the input.
    """
    generator, factors = torch.Generator().manual_seed(0), []
    for m, k, n in shapes:
        a, b = torch.randn(m, k, generator=generator), torch.randn(k, n, generator=generator)
        out = torch.empty(m, n)
        factors += [(a, b.T.contiguous().T, out), (a.T.contiguous().T, b, out), (a, b, out)]
    best = dict.fromkeys(libraries, float("inf"))
    for _ in range(repeats):
        for library in libraries:
            with products(library):
                begin = time.perf_counter()
                for a, b, out in factors:
                    multiply(a, b, out)
                best[library] = min(best[library], time.perf_counter() - begin)
    return [best[library] for library in libraries]


def _switchable() -> bool:
    """Torch 2.9 and newer can be told which library to use."""
    return hasattr(torch.backends.mkldnn, "matmul") and torch.backends.mkldnn.is_available()
