"""Work in parallel processes behind a `concurrent.futures.Executor`, one core each."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

import torch

SECONDS_BETWEEN_LOOKS = 0.25
# A worker that dies (killed by the system for want of memory, say) takes its pool with it; a fresh pool takes over.
POOLS = 2

Task = TypeVar("Task")
Result = TypeVar("Result")

_stop = threading.Event()
_busy = threading.Lock()


class WorkerDied(Exception):
    """The process that worked on a task died, and so did its successor; what it has saved can be resumed."""


def in_parallel(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    workers: int,
    done: Callable[[Task, Future[Result]], None],
    *,
    look: Callable[[], None] = lambda: None,
    saves: bool = False,
) -> None:
    """Call function(task) for every task, the first ones first, in `workers` single-threaded processes.

    Args:
        function: importable; runs in a worker.
        tasks: what to call it with.
        workers: processes, at most.
        done: called here with each task and its completed future, whose exception is `WorkerDied` where no worker
            lived to the end of it.
        look: called here a few times a second.
        saves: the function asks `should_stop` often, and then saves and returns. When this is left early, as by
            Ctrl-C, it waits for such a function; any other ends where it is.
    """
    left = list(tasks)
    for pool in range(POOLS):
        lost: list[Task] = []
        with _workers(max(1, min(workers, len(left)))) as executor:
            pending = {executor.submit(_call, function, task, saves): task for task in left}
            while pending:
                ready, _ = wait(pending, timeout=SECONDS_BETWEEN_LOOKS, return_when=FIRST_COMPLETED)
                for future in ready:
                    task = pending.pop(future)
                    if not isinstance(future.exception(), BrokenProcessPool):
                        done(task, future)
                    elif pool < POOLS - 1:
                        lost.append(task)
                    else:
                        dead: Future[Result] = Future()
                        dead.set_exception(WorkerDied("a worker process died twice (out of memory, or killed)"))
                        done(task, dead)
                look()
        left = lost
        if not left:
            return


def should_stop() -> bool:
    """In a worker: what is being computed is to be saved now."""
    return _stop.is_set()


@contextmanager
def _workers(n: int) -> Iterator[ProcessPoolExecutor]:
    """An executor; when the block is left early its processes save and end."""
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(n, mp_context=context, initializer=_start_worker, initargs=(os.getpid(),))
    try:
        yield executor
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _call(function: Callable[[Task], Result], task: Task, saves: bool) -> Result:
    """In a worker, which does not end before a function that saves returns."""
    if not saves:
        return function(task)
    with _busy:
        try:
            return function(task)
        finally:
            if _stop.is_set():
                os._exit(1)  # all is saved, and nobody waits for the answer


def _start_worker(parent: int) -> None:
    """One thread; the terminal's Ctrl-C is the parent's to handle; nobody outlives the parent."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: _end())
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _end() -> None:
    """Leave, now or as soon as what is being computed is saved."""
    _stop.set()
    if not _busy.locked():
        os._exit(1)


def _watch(parent: int) -> None:
    """Leave where the parent died (kill -9)."""
    while os.getppid() == parent:
        time.sleep(0.5)
    _end()
