"""What bounds every step on this machine: how fast memory and caches are read and written, and how fast it multiplies.

Source: Williams, Waterman & Patterson 2009, "Roofline"; the triad and its size are those of McCalpin's STREAM.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from aevb.errors import UserError
from aevb.fast.products import Precision, choose_library, multiply, products
from benchmarks.launch import Recording
from harness.store.machine import fingerprint

Roof = Literal["memory", "cache", "products"]
TIMES_THE_CACHE = 4  # an array of the triad is so many times as large as the last cache
LEAST_ARRAY, LARGEST_ARRAY = 2**26, 2**30  # bytes
CACHES = {"L2": 2**20, "L3": 2**25}  # bytes, where the system does not tell
# What the triad's three arrays take of a core's own cache; a GPU's L2 may have two copies of what both its halves read.
OF_THE_CACHE = {"cpu": 0.75, "cuda": 0.375}
# Of the triad, in one call; a GPU's passes are one launch, else launches are what is measured.
REPEATS: dict[Roof, dict[str, int]] = {"memory": {"cpu": 1, "cuda": 20}, "cache": {"cpu": 200, "cuda": 200}}
SIDE = {"cpu": 1536, "cuda": 8192}  # of the square matrices
FLOAT, TRIAD = 4, 3  # bytes of a number, arrays of the triad


@dataclass(frozen=True)
class Work:
    """A call that does so much.

    Attributes:
        call: what to time.
        amount: bytes, or floating-point operations.
        size: bytes of all arrays that it touches.
    """

    call: Callable[[], object]
    amount: int
    size: int


def make_roof(roof: Roof, precision: Precision, device: torch.device) -> Work:
    """What to time for a roof.

    Memory and cache: a ← b + ½ c, two reads and a write; that a processor first reads what it overwrites is not
    counted. Memory's arrays are far larger than all caches, cache's fit in a core's own one (a GPU's L2). On a GPU
    every pass is a kernel, as a step's operations are, and the time to begin it is counted.

    Raises:
        UserError: this machine cannot multiply in this precision.
    """
    if roof == "products":
        return _product(precision, device)
    if roof == "memory":
        size = min(max(TIMES_THE_CACHE * _cache("L3", device), LEAST_ARRAY), LARGEST_ARRAY)
    else:
        size = int(OF_THE_CACHE[device.type] * _cache("L2", device)) // TRIAD
    return _triad(size // FLOAT, REPEATS[roof][device.type], device)


def _cache(level: str, device: torch.device) -> int:
    """Bytes; a GPU has one that all of it shares."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).L2_cache_size)
    return int((fingerprint()["caches"] or {}).get(level, CACHES[level]))


def _triad(n: int, repeats: int, device: torch.device) -> Work:
    a, b, c = (torch.rand(n, device=device) for _ in range(TRIAD))

    def once() -> None:
        torch.add(b, c, alpha=0.5, out=a)

    def triad() -> None:
        for _ in range(repeats):
            once()

    call = Recording(once, repeats) if device.type == "cuda" else triad
    return Work(call, TRIAD * FLOAT * n * repeats, TRIAD * FLOAT * n)


def _product(precision: Precision, device: torch.device) -> Work:
    side = SIDE[device.type]
    if device.type == "cuda" and precision != "float32":
        raise UserError(f"products on a GPU are timed in float32, got {precision}: choose a CPU")
    library = choose_library(((side, side, side),), precision) if device.type == "cpu" else "blas"
    a, b, out = (torch.randn(side, side, device=device) for _ in range(TRIAD))

    def once() -> None:
        with products(library):
            multiply(a, b, out)

    return Work(once, 2 * side**3, TRIAD * FLOAT * side**2)
