"""The measuring instrument: a few rounds on one thread, and beside the time what was done in it.

Run with `pytest benchmarks`, or `python reproduce.py --benchmark` for tables and plots as well.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from aevb.fast.products import Library, Shape
from benchmarks.work import flops, gemm_rate
from harness.store.environment import describe

SECONDS_OF_A_CASE = 0.25
FEWEST_ROUNDS, MOST_ROUNDS = 2, 10
DEVICES = [
    pytest.param("cpu", marks=pytest.mark.cpu),
    pytest.param("cuda", marks=pytest.mark.cuda),
]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """A core's work is what is measured."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    """Where a case runs; without a CUDA device its CUDA variant is skipped."""
    name: str = request.param
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return name


@cache
def environment(device: str) -> dict[str, Any]:
    """Commit, versions, threads and the device's name."""
    return describe(torch.device(device))


class Meter:
    """Times a call and notes what it did."""

    def __init__(self, benchmark: BenchmarkFixture, device: str) -> None:
        self._benchmark, self._device = benchmark, device

    def __call__(
        self,
        call: Callable[[], Any],
        *,
        samples: int,
        products: Sequence[Shape] = (),
        library: Library = "blas",
        runs: int = 1,
        steps: int = 1,
        state_bytes: int = 0,
        **case: object,
    ) -> None:
        """Warm up, time some rounds, and leave the numbers in `extra_info`; FLOPs and bytes are those of a step.

        Args:
            call: what to time.
            samples: datapoints that one call gets through.
            products: matrix products of a step of one run.
            library: what multiplies them on a CPU.
            runs: of a stack.
            steps: steps of one call.
            state_bytes: bytes that one step of one run must touch.
            case: what tells this case from the others.
        """
        cuda = self._device == "cuda"

        def synchronised() -> Any:
            result = call()
            if cuda:
                torch.cuda.synchronize()
            return result

        def peak_rate() -> float:
            return gemm_rate(products, library, torch.device(self._device), runs) if products else 0.0

        before = peak_rate()
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        warm_ups = 2 if cuda else 1  # a CUDA graph is recorded in the second
        for _ in range(warm_ups):
            begin = time.perf_counter()
            synchronised()
            seconds = time.perf_counter() - begin
        rounds = min(max(round(SECONDS_OF_A_CASE / seconds), FEWEST_ROUNDS), MOST_ROUNDS)
        self._benchmark.pedantic(synchronised, rounds=rounds)
        if self._benchmark.stats is None:  # --benchmark-disable: the assertions alone
            return
        best = self._benchmark.stats["min"]
        info: dict[str, object] = {"device_type": self._device, "precision": "float32", **case}
        info |= {
            "samples": samples,
            "steps": steps,
            "samples_per_second": samples / best,
            "peak_memory_bytes": peak_memory(cuda),
        }
        if products:
            # Before and after, so that a busy moment does not pass for the machine's peak.
            work, rate = runs * flops(products), max(before, peak_rate())
            done = steps * work / best
            info |= {"flops": work, "flops_per_second": done, "gemm_flops_per_second": rate}
            info["flop_share_of_gemm_peak"] = done / rate
        if state_bytes:
            info["bytes_touched"] = runs * state_bytes
        self._benchmark.extra_info.update(info, environment=environment(self._device))


@pytest.fixture
def meter(benchmark: BenchmarkFixture, device: str) -> Meter:
    """For the case's device."""
    return Meter(benchmark, device)


def peak_memory(cuda: bool) -> int:
    """Bytes: on CUDA what torch held at most in this case, on a CPU what the process did since it began."""
    if cuda:
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
