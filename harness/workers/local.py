"""Parallel processes on this machine, one core each."""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from types import ModuleType
from typing import Any

import torch

from aevb.errors import UserError
from harness.workers.schedule import Result, Task, stop_when

SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_TO_SAVE = 60.0

_stop = False
_busy = threading.Lock()


@dataclass(frozen=True)
class Local:
    """This machine, with so many processes at most."""

    n_processes: int

    @contextmanager
    def pool(self, n_tasks: int) -> Iterator["Processes"]:
        """Processes for so many tasks; when the block is left early they save and end."""
        context, n = multiprocessing.get_context("spawn"), min(self.n_processes, n_tasks)
        _track_resources()
        others = {*multiprocessing.active_children()}  # of a script that calls us
        executor = ProcessPoolExecutor(n, mp_context=context, initializer=_start, initargs=(os.getpid(),))
        try:
            yield Processes(executor)
        except BaseException:
            for process in {*multiprocessing.active_children()} - others:
                process.terminate()
            raise
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


class Processes:
    """A `harness.workers.schedule.Pool`; one process that dies takes all of it down."""

    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self._executor = executor

    def submit(self, function: Callable[[Task], Result], task: Task, saves: bool) -> Future[Result]:
        """Have a process call function(task). In a pool that broke already the task is lost from the first.

        Raises:
            UserError: they are the user's script's own; no process imports it.
        """
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited: Ctrl-C is the parent's, from the first
        try:
            with _no_script():
                _check_importable(function, task)
                return self._executor.submit(_call, function, task, saves)
        except BrokenProcessPool as error:
            lost: Future[Result] = Future()
            lost.set_exception(error)
            return lost
        finally:
            signal.signal(signal.SIGINT, before)

    def lost(self, future: Future[Any]) -> bool:
        """The pool broke before this task was done."""
        return isinstance(future.exception(), BrokenProcessPool)

    def look(self) -> None:
        """Nothing can happen that the futures do not tell."""


def _track_resources() -> None:
    """Start the process that looks after the pool's semaphores; it is to outlive a terminal that closes, as Ctrl-C."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # inherited
    try:
        resource_tracker.ensure_running()
    finally:
        signal.signal(signal.SIGHUP, before)


@contextmanager
def _no_script() -> Iterator[None]:
    """Processes that start meanwhile do not import the user's script: it may lack a main guard, or even a file."""
    script, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def _check_importable(*what: Any) -> None:
    try:
        pickle.dumps(what)
    except (pickle.PicklingError, AttributeError) as error:
        raise UserError(
            f"what parallel processes compute must be importable from a module; {error}: "
            "move it from the script to a module of its own"
        ) from error


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


def _start(parent: int) -> None:
    """One thread; nobody outlives the parent."""
    torch.set_num_threads(1)
    stop_when(lambda: _stop)
    for number in (signal.SIGTERM, signal.SIGHUP):  # which a closed terminal sends to all; `nohup` has it ignored
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: _end())
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _end() -> None:
    """Leave, now or as soon as what is being computed is saved."""
    global _stop
    _stop = True  # not an Event: its lock is not for signal handlers
    if not _busy.locked():
        os._exit(1)


def _watch(parent: int) -> None:
    """Leave where the parent died (kill -9), and where saving takes too long, as on a disk that does not answer."""
    seconds = 0.0
    while seconds < SECONDS_TO_SAVE:
        if os.getppid() != parent:
            _end()
        time.sleep(SECONDS_BETWEEN_LOOKS)
        seconds += SECONDS_BETWEEN_LOOKS * _stop
    os._exit(1)
