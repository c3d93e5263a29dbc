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

Task = TypeVar("Task")
Result = TypeVar("Result")

_stop = False
_busy = threading.Lock()


class WorkerDied(Exception):
    """The process that worked on a task died, and so did its successor; what it has saved can be resumed."""


class Interrupted(Exception):
    """A function was told to stop, and has saved all it computed."""


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

    A worker that dies (killed for want of memory, say) takes its pool with it. What was running then is tried once
    more, each task in a process of its own, so that the one at fault takes nothing else down; a fresh pool does the
    rest.
    """
    left = list(tasks)
    while left:
        suspects, left = _in_pool(function, left, workers, done, look, saves)
        for task in suspects:
            again, waiting = _in_pool(function, [task], 1, done, look, saves)
            if again or waiting:
                dead: Future[Result] = Future()
                dead.set_exception(WorkerDied("a worker process died twice (out of memory, or killed)"))
                done(task, dead)


def _in_pool(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    workers: int,
    done: Callable[[Task, Future[Result]], None],
    look: Callable[[], None],
    saves: bool,
) -> tuple[list[Task], list[Task]]:
    """All tasks in one pool; where it breaks, those that were running and those that were waiting, in their order."""
    lost: list[int] = []
    ran: set[int] = set()
    with _workers(min(workers, len(tasks))) as executor:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited: Ctrl-C is the parent's, from the first
        pending = {executor.submit(_call, function, task, saves): n for n, task in enumerate(tasks)}
        signal.signal(signal.SIGINT, before)
        while pending:
            ready, _ = wait(pending, timeout=SECONDS_BETWEEN_LOOKS, return_when=FIRST_COMPLETED)
            for future in ready:
                n = pending.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    lost.append(n)
                else:
                    done(tasks[n], future)
            ran |= {n for future, n in pending.items() if future.running()}
            look()
    suspects = sorted(ran & {*lost}) or sorted(lost)
    return [tasks[n] for n in suspects], [tasks[n] for n in sorted({*lost} - {*suspects})]


def should_stop() -> bool:
    """In a worker: what is being computed is to be saved now."""
    return _stop


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
            if _stop:
                os._exit(1)  # all is saved, and nobody waits for the answer


def _start_worker(parent: int) -> None:
    """One thread; nobody outlives the parent."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, lambda *_: _end())
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _end() -> None:
    """Leave, now or as soon as what is being computed is saved."""
    global _stop
    _stop = True  # not an Event: its lock is not for signal handlers
    if not _busy.locked():
        os._exit(1)


def _watch(parent: int) -> None:
    """Leave where the parent died (kill -9)."""
    while True:
        if os.getppid() != parent:
            _end()
        time.sleep(0.5)
