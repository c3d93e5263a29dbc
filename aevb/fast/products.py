"""Which library multiplies float32 matrices on the CPU, and in what precision.

Torch has two: the BLAS it was built with (MKL, as a rule) and oneDNN, which it uses for float32 where reduced
precision is allowed. Asked for TF32, which no present CPU has, oneDNN computes in float32 proper; asked for bfloat16,
it rounds the factors to 8 bits and sums in float32. Which of the two is faster depends on the processor.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Literal, get_args

import torch

from aevb.errors import UserError

Precision = Literal["float32", "bfloat16"]
Library = Literal["blas", "onednn", "onednn-bfloat16"]

_MODES: dict[Library, str] = {"blas": "ieee", "onednn": "tf32", "onednn-bfloat16": "bf16"}
# A library must be this much faster to be preferred, lest chance decide and two runs of one config round differently.
MARGIN = 1.25
SINGLE_ROUNDING, REDUCED_ROUNDING = 2**-17, 2**-6
Shape = tuple[int, int, int]
PROBE: Shape = (64, 64, 64)  # torch never reduces the precision of the very smallest products


@contextmanager
def products(library: Library) -> Iterator[None]:
    """Within the block, float32 products on the CPU come from this library."""
    if not _switchable():
        yield
        return
    settings = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = settings.fp32_precision
    settings.fp32_precision = _MODES[library]
    try:
        yield
    finally:
        settings.fp32_precision = before


@lru_cache
def choose_library(shapes: tuple[Shape, ...], precision: Precision = "float32") -> Library:
    """The library for products of (m, k) with (k, n) matrices: in float32 the faster one whose results are right.

    Measured for these very shapes with the threads that torch has now; once in a process.

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
    if not _switchable() or max(rounding("onednn", shape) for shape in shapes) > SINGLE_ROUNDING:
        return "blas"
    blas, onednn = seconds(["blas", "onednn"], shapes)
    return "onednn" if blas > MARGIN * onednn else "blas"


def is_right(library: Library, shapes: Sequence[Shape]) -> bool:
    """It multiplies float32 on this machine as exactly as float32 allows."""
    return library == "blas" or (_switchable() and all(rounding(library, shape) < SINGLE_ROUNDING for shape in shapes))


def rounding(library: Library, shape: Shape) -> float:
    """Largest error of a product of standard normal matrices over √k, the standard deviation of its entries."""
    m, k, n = shape
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(m, k, generator=generator), torch.randn(k, n, generator=generator)
    with products(library):
        product = a @ b
    return float((product - a.double() @ b.double()).abs().max()) / k**0.5


def seconds(libraries: Sequence[Library], shapes: Sequence[Shape], repeats: int = 7) -> list[float]:
    """Time of one product of each shape by each library: the best of several rounds, in turns."""
    factors = [(torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)) for m, k, n in shapes]
    best = dict.fromkeys(libraries, float("inf"))
    for _ in range(repeats):
        for library in libraries:
            with products(library):
                begin = time.perf_counter()
                for a, b, out in factors:
                    torch.mm(a, b, out=out)
                best[library] = min(best[library], time.perf_counter() - begin)
    return [best[library] for library in libraries]


def _switchable() -> bool:
    """Torch 2.9 and newer can be told which library to use."""
    return hasattr(torch.backends.mkldnn, "matmul") and torch.backends.mkldnn.is_available()
