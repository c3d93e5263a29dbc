"""The benchmarks' clock counts work and sleep, here and in a thread that is waited for, and not what others take."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from benchmarks.turns import TASKS, clock

SECONDS = 0.15


def work() -> None:
    begin = time.thread_time()
    while time.thread_time() - begin < SECONDS:
        pass


def elsewhere() -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


@pytest.mark.parametrize("call", [work, elsewhere, lambda: time.sleep(SECONDS)], ids=["work", "elsewhere", "sleep"])
def test_work_and_sleep_are_counted(call: Callable[[], None]) -> None:
    assert clock(call) >= 0.99 * SECONDS


def timed() -> tuple[float, float]:
    """By the benchmarks' clock, and by the wall's."""
    begin = time.perf_counter()
    return clock(work), time.perf_counter() - begin


@pytest.mark.skipif(not TASKS.exists(), reason="only Linux tells how long a thread waits for a core")
def test_what_others_have_of_the_core_is_not_counted() -> None:
    core = min(os.sched_getaffinity(0))
    before = os.sched_getaffinity(0)
    code = f"import os; os.sched_setaffinity(0, [{core}]); print('at work', flush=True)\nwhile True: pass"
    others = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for other in others:
            assert other.stdout is not None
            assert other.stdout.readline() == b"at work\n"
        os.sched_setaffinity(0, [core])
        seconds, wall = min(timed() for _ in range(3))
    finally:
        os.sched_setaffinity(0, before)
        for other in others:
            other.kill()
            other.communicate()
    assert wall > 1.5 * SECONDS, "the others were to take their share"
    # A virtual machine's own share of its core is nobody's here, and may be counted.
    assert SECONDS * 0.99 <= seconds < SECONDS + (wall - SECONDS) / 3
