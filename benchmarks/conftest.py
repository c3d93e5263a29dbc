"""The measuring instrument: rounds on one thread, in turns with the products that a case cannot do without.

On a GPU it is the device's time that counts, by the wall's clock, and the process has all cores. What is told is the
median with its bootstrap interval, and beside it what was done in that time. Run with `pytest benchmarks`, or
`python reproduce.py --benchmark` for tables and plots as well.
"""

import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from aevb.fast.products import Library, Shape, openblas_kernels
from benchmarks.cores import bound, one_core
from benchmarks.launch import stopwatch
from benchmarks.parts import Parts
from benchmarks.resume import Resume
from benchmarks.work import flops, product_timer
from harness.store.environment import describe
from harness.store.machine import fingerprint
from harness.timing.intervals import UNSTABLE, of_median

SECONDS_OF_A_CASE = 0.25
FEWEST_ROUNDS, MOST_ROUNDS = 10, 30
DEVICES = [
    pytest.param("cpu", marks=pytest.mark.cpu),
    pytest.param("cuda", marks=pytest.mark.cuda),
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--methods` times these methods' steps beside the paper's, and nothing else; `--journal` resumes."""
    parser.addoption("--methods", default="", help="names or places of learners, divided by spaces")
    parser.addoption("--journal", type=Path, help="a file of what is measured: it is read first, and goes on")


def pytest_configure(config: pytest.Config) -> None:
    """Where there is to be a journal, what keeps it."""
    if path := config.getoption("--journal"):
        config.pluginmanager.register(Resume(path, config.getoption("--methods").split()))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """test_methods.py where methods are named, the other files where none are."""
    if not collection_path.name.startswith("test_"):
        return None
    return True if (collection_path.name == "test_methods.py") != bool(config.getoption("--methods")) else None


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[set[int]]:
    """For the whole suite, of a machine with these cores."""
    with one_core() as cores:
        yield cores


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest, one_thread: set[int]) -> Iterator[str]:
    """Where a case runs; without a CUDA device its CUDA variant is skipped.

    A GPU's case has all cores: the driver, autograd and JAX's compiler have threads of their own.
    """
    name: str = request.param
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    with bound(one_thread if name == "cuda" else set()):
        yield name


@cache
def environment(device: str) -> dict[str, Any]:
    """Commit, versions, threads, the device's name and the machine's fingerprint."""
    return describe(torch.device(device)) | {"machine": fingerprint(), "kernels": openblas_kernels()}


class Meter:
    """Times a call and notes what it did.

    Attributes:
        info: what was noted; None before, and where nothing is timed.
    """

    def __init__(self, benchmark: BenchmarkFixture, device: str) -> None:
        self._benchmark, self._device = benchmark, device
        self.info: dict[str, Any] | None = None

    def __call__(
        self,
        call: Callable[[], Any],
        *,
        samples: int = 0,
        products: Sequence[Shape] = (),
        library: Library = "blas",
        runs: int = 1,
        steps: int = 1,
        state_bytes: int = 0,
        parts: Parts | None = None,
        held_by_torch: bool = True,
        **case: object,
    ) -> None:
        """Warm up, time some rounds, and leave the numbers in `extra_info`; FLOPs and bytes are those of a step.

        Args:
            call: what to time.
            samples: datapoints that one call gets through; 0 where it is not of datapoints.
            products: matrix products of a step of one run.
            library: what multiplies them on a CPU.
            runs: of a stack.
            steps: steps of one call.
            state_bytes: bytes that one step of one run must touch.
            parts: of the call, timed in turns with it.
            held_by_torch: so that torch knows the peak of a GPU's memory; else it is not told.
            case: what tells this case from the others.
        """
        cuda, seconds_of = self._device == "cuda", stopwatch(self._device)
        if cuda:
            torch.cuda.reset_peak_memory_stats()

        warm_up = [seconds_of(call) for _ in range(2 if cuda else 1)]  # a CUDA graph may be recorded in the first
        rounds = min(max(round(SECONDS_OF_A_CASE / warm_up[-1]), FEWEST_ROUNDS), MOST_ROUNDS)
        times, floors = list[float](), list[float]()
        floor = product_timer(products, library, torch.device(self._device), runs) if products else None

        def beside() -> None:
            if floor:
                floors.append(floor())
            if parts:
                parts.time()

        self._benchmark.pedantic(
            lambda: times.append(seconds_of(call)),
            setup=beside,
            rounds=rounds,
        )
        if self._benchmark.stats is None:  # --benchmark-disable: the assertions alone
            return
        seconds = of_median(times)
        info: dict[str, Any] = {"device_type": self._device, "precision": "float32", **case}
        info |= {
            "steps": steps,
            "seconds": seconds.median,
            "seconds_low": seconds.low,
            "seconds_high": seconds.high,
            "unstable": seconds.half_width > UNSTABLE,
            "rounds": len(times),
            "warm_up_seconds": sum(warm_up),
        }
        if held_by_torch or not cuda:
            info["peak_memory_bytes"] = peak_memory(cuda)
        if runs > 1:
            info["runs"] = runs
        if samples:
            info |= {"samples": samples, "samples_per_second": samples / seconds.median}
        if floors:
            work = runs * flops(products)
            share = of_median([steps * least / taken for least, taken in zip(floors, times, strict=True)])
            info |= {"flops": work, "flops_per_second": steps * work / seconds.median}
            info |= {"gemm_flops_per_second": work / of_median(floors).median, "flop_share_of_gemm_peak": share.median}
            info |= {"flop_share_low": share.low, "flop_share_high": share.high}
        if parts:
            info["parts"] = parts.summary(times)
        if state_bytes:
            info["bytes_touched"] = runs * state_bytes
        self._benchmark.extra_info.update(info, environment=environment(self._device))
        self.info = info


@pytest.fixture
def meter(benchmark: BenchmarkFixture, device: str) -> Meter:
    """For the case's device."""
    return Meter(benchmark, device)


def peak_memory(cuda: bool) -> int:
    """Bytes: on CUDA what torch held at most in this case, on a CPU what the process did since it began."""
    if cuda:
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
