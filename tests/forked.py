"""Processes that compute runs and can be killed, forked from one that has imported all: that takes no time."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.runs import train
from harness.runs.job import Job
from tests import forking
from tests.support import ROOT

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.forked", "tests.warm"])
INTERRUPTED = 130


def start(function: Callable[..., Any], *arguments: Any, daemon: bool = True) -> BaseProcess:
    """A process in which `function(*arguments)` has just begun; one that has children of its own is no daemon."""
    ours, theirs = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_live, args=(theirs, function, arguments), daemon=daemon)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))  # for the server, should this be the first process
        process.start()
    theirs.close()
    ours.recv()
    return process


def send(process: BaseProcess, number: int) -> None:
    """A signal, if it still lives; it may end at this very moment."""
    if process.pid is not None and process.is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def finish(process: BaseProcess, seconds: float = 60) -> int:
    """Its exit status; minus the signal that killed it."""
    process.join(seconds)
    assert process.exitcode is not None, "the process hangs"
    return process.exitcode


def _live(begun: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    if not multiprocessing.current_process().daemon:
        forking.fork_workers()
    begun.send(None)
    try:
        function(*arguments)
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)


def run_with_frequent_saves(*jobs: Job) -> None:
    """Runs whose checkpoints are far closer than they are to each other in life."""
    train.SECONDS_BETWEEN_CHECKPOINTS = train.SECONDS_BETWEEN_REPORTS = 0.02
    train.SECONDS_OF_A_BURST = 0.005
    os.fsync = lambda _: None  # which a kill does not ask for, and the disk takes its time for
    train.run_together(jobs)


def run_and_die_writing(job: Job, n: int) -> None:
    """`kill -9` at the n-th time that a file's content, its name or the disk is about to change."""
    left = n

    def dying(change: Callable[..., Any], half: bool = False) -> Callable[..., Any]:
        def changed(*arguments: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                if half:
                    path, content = arguments
                    with Path(path).open("wb") as file:
                        file.write(bytes(content[: len(content) // 2]))
                os.kill(os.getpid(), signal.SIGKILL)
            return change(*arguments)

        return changed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", dying(Path.replace))
        patch.setattr(Path, "write_bytes", dying(Path.write_bytes, half=True))
        run_with_frequent_saves(job)


def seconds_of(function: Callable[..., Any], *arguments: Any) -> float:
    """What it takes in a process of its own."""
    finish(start(int))  # the first process waits for the server
    began, process = time.perf_counter(), start(function, *arguments)
    assert finish(process) == 0
    return time.perf_counter() - began
