"""Which cores the process's threads run on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch

from benchmarks.turns import TASKS


@contextmanager
def one_core() -> Iterator[set[int]]:
    """A core's work is what is measured; JAX would have a second thread compute on another core beside it.

    Yields:
        The cores that the process had before; none where the system binds nobody.
    """
    threads = torch.get_num_threads()
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set[int]()
    torch.set_num_threads(1)
    try:
        with bound({*sorted(cores)[:1]}):
            yield cores
    finally:
        torch.set_num_threads(threads)


@contextmanager
def bound(cores: set[int]) -> Iterator[None]:
    """Within the block all threads, and those that they begin, run on these cores alone; where they did if on none."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    _bind(cores)
    try:
        yield
    finally:
        _bind(before)


def _bind(cores: set[int]) -> None:
    os.sched_setaffinity(0, cores)
    for thread in TASKS.glob("*"):
        with suppress(OSError):  # it may be gone by now
            os.sched_setaffinity(int(thread.name), cores)
