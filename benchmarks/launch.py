"""Work on a GPU as a single launch, and the seconds that a GPU takes."""

import time
from collections.abc import Callable

import torch

from benchmarks.turns import clock


class Recording:
    """A call recorded as a CUDA graph: to call it again is a single launch, which waits for nothing.

    A graph reads and writes the very memory that the call did. Others would be given that memory once the call's
    tensors are gone, so the call is kept with all that it holds.

    Args:
        call: of operations on a CUDA device that look at no value. It is called once before it is recorded, so that
            libraries have made and loaded what they need.
        times: how often it is recorded, one after the other.
    """

    def __init__(self, call: Callable[[], object], times: int) -> None:
        self._call = call
        call()
        torch.cuda.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        # What other threads do meanwhile, JAX's for one, is no business of this recording.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            for _ in range(times):
                call()

    def __call__(self) -> None:
        """So many calls again."""
        self._graph.replay()


def wall(call: Callable[[], object]) -> float:
    """Seconds by the wall's clock from the call until the device has done all of it.

    What `clock` leaves out, in which threads wait for a core, counts here: the device goes on meanwhile.
    """
    torch.cuda.synchronize()
    begin = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - begin


def stopwatch(device: str) -> Callable[[Callable[[], object]], float]:
    """What measures a call's seconds on this kind of device."""
    return wall if device == "cuda" else clock
