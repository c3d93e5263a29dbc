"""Runs in parallel processes behind a `concurrent.futures.Executor`, one core each."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch

from aevb.errors import UserError
from harness.progress import Display
from harness.store import RunFolder, Status
from harness.train import Interrupted, Job, run

SECONDS_BETWEEN_LOOKS = 0.25

T = TypeVar("T")

_stop = threading.Event()
_busy = threading.Lock()


@dataclass(frozen=True)
class Failure:
    """A run that could not be completed, and why."""

    job: Job
    reason: str


@contextmanager
def worker_processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """An executor of `workers` single-threaded processes; when the block is left early they save and end."""
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(os.getpid(),))
    try:
        yield executor
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def execute(jobs: Sequence[Job], executor: Executor, display: Display) -> list[Failure]:
    """Compute all jobs, the most expensive first, so that no core waits long at the end.

    Returns:
        What could not be completed; all other runs are in the store.
    """
    failures = []
    pending: dict[Future[Status], Job] = {}
    for job in sorted(jobs, key=lambda job: cost(job), reverse=True):
        pending[executor.submit(work, job)] = job
    display.start({RunFolder(job.root, job.config): cost(job) for job in jobs})
    while pending:
        done, _ = wait(pending, timeout=SECONDS_BETWEEN_LOOKS, return_when=FIRST_COMPLETED)
        for future in done:
            job = pending.pop(future)
            try:
                status = future.result()
            except UserError as error:
                failures.append(Failure(job, str(error)))
            except BrokenProcessPool:
                failures.append(
                    Failure(job, "a worker process died (out of memory, or killed); the same command resumes")
                )
            except Interrupted:
                failures.append(Failure(job, "interrupted; the same command resumes"))
            except Exception as error:  # noqa: BLE001 - a run's fault, whatever it is, must not take the others down
                failures.append(Failure(job, f"{type(error).__name__}: {error}".splitlines()[0]))
            else:
                display.finished(job.config, status)
        display.look()
    return failures


def cost(job: Job) -> float:
    """Rough work of a run: large products, 7 a sample for wake-sleep where AEVB has 5."""
    config = job.config
    products = 7 if config.method == "wake_sleep" else 5
    return products * sum(config.hidden) * (1 + config.n_latent / 500) * config.samples


def work(job: Job) -> Status:
    """One job in a worker process."""
    return guarded(run, job, _stop.is_set)


def guarded(function: Callable[..., T], *arguments: object) -> T:
    """Call a function in a worker process, which does not end before it returns, unless it is to stop already."""
    with _busy:
        if _stop.is_set():
            raise Interrupted
        return function(*arguments)


def _start_worker(parent: int) -> None:
    """One thread; the terminal's Ctrl-C is the parent's to handle; nobody outlives the parent."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: _stop.set())
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    """Stop where the parent died (kill -9): save what is being computed, then leave."""
    while os.getppid() == parent:
        time.sleep(0.5)
    _stop.set()
    with _busy:
        os._exit(1)
