"""Run after run, memory stays flat, and no file, thread or process is left open."""

import ctypes
import gc
import itertools
import os
import statistics
from multiprocessing import resource_tracker
from pathlib import Path

import pytest

from harness.runs.train import run
from harness.workers.local import Local
from harness.workers.schedule import in_parallel
from tests import forking, head_start
from tests.support import SMALL, small_job, wait_until

METHODS = [*["aevb", "wake_sleep"] * 5, "mcem"]
MCEM = {"measure": "marginal_log_likelihood", "batch_size": 0, "warm_up": 0}
MOST_MEGABYTES = 1.0  # 7 kB a run; the small learners alone have 10 to 50, their data and optimisers not counted


def resident_megabytes() -> float:
    """Memory of this process, once what is free has been given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def held() -> dict[str, int]:
    """What this process has open."""
    threads = list(Path("/proc/self/task").iterdir())
    children = [pid for thread in threads for pid in (thread / "children").read_text().split()]
    return {"files": len(os.listdir("/proc/self/fd")), "threads": len(threads), "children": len(children)}


def short_jobs(folder, array, n):
    for seed in range(n):
        method = METHODS[seed % len(METHODS)]
        more = MCEM if method == "mcem" else {}
        yield small_job(folder, array, SMALL, method=method, samples=400, seed=seed, evaluation_points=20, **more)


def run_and_weigh(jobs):
    for job in jobs:
        assert run(job).state == "finished"
    return os.getpid(), resident_megabytes()


def leaked(weights):
    """Megabytes that all steps between weighings have in common, times their number.

    A leak grows at every step; the system moves pages of libraries in and out as it likes, megabytes at once.
    """
    grown = [after - before for before, after in itertools.pairwise(weights)]
    return statistics.median(grown) * len(grown)


def test_a_leak_is_told_from_pages_that_come_and_go():
    assert leaked([100, 100, 115, 115, 115, 115]) == 0
    assert leaked([100 + 0.25 * k for k in range(8)]) == pytest.approx(1.75)


def test_two_hundred_runs_in_one_process_leak_nothing(tmp_path, array, capsys):
    jobs = list(short_jobs(tmp_path, array, 200))
    for job in jobs[:60]:
        run(job)
    weights, before = [resident_megabytes()], held()
    for first in range(60, 200, 20):
        weights.append(run_and_weigh(jobs[first : first + 20])[1])
    with capsys.disabled():
        print(f"\n{len(jobs)} runs: {', '.join(f'{weight - weights[0]:+.2f}' for weight in weights[1:])} MB; {before}")
    assert leaked(weights) < MOST_MEGABYTES
    assert held() == before


def test_runs_in_a_pool_leave_its_processes_flat_and_nobody_behind(tmp_path, array, capsys):
    resource_tracker.ensure_running()  # Python's own child, which stays
    if forking.AVAILABLE:
        head_start.server()  # which stays, too
    before, memory = held(), {}

    def weigh(jobs, future):
        pid, megabytes = future.result()
        memory.setdefault(pid, []).append(megabytes)

    n = len(METHODS)  # all methods at once, for what each loads when it is first used
    jobs = list(short_jobs(tmp_path, array, 12 * n))
    in_parallel(run_and_weigh, [jobs[first : first + n] for first in range(0, len(jobs), n)], Local(2), weigh)
    assert sum(map(len, memory.values())) == 12
    # One of the two may begin late; the other has half of the runs or more. In the first ones all is loaded.
    grown = [leaked(weights[1:]) for weights in memory.values() if len(weights) >= 6]
    assert grown
    with capsys.disabled():
        print(f"\n{len(jobs)} runs in two processes: {', '.join(f'{mb:+.2f} MB' for mb in grown)}")
    assert max(grown) < MOST_MEGABYTES
    wait_until(lambda: held() == before)  # a thread that has ended may still be leaving
