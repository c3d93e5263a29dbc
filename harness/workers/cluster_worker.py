"""What a Dask worker does: check that it is fit, compute one task on one thread, and stop when nobody waits for it."""

import asyncio
import ctypes
import hashlib
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from aevb.errors import UserError
from harness.store.checkout import ROOT
from harness.store.environment import cpu_name
from harness.store.files import check_writable
from harness.workers.schedule import Interrupted, Result, Task, stop_when

if TYPE_CHECKING:
    from distributed import Worker

PACKAGES = ("torch", "numpy", "scipy", "pandas", "distributed")
SECONDS_BETWEEN_LOOKS = 0.1
SECONDS_TO_SAVE = 30
SECONDS_OF_A_REFUSAL = 1.0

_serving: Path | None = None  # the token of who waits for what is computed now


class Unfit(UserError):
    """A worker would not give the results that the client's machine gives, or not where they belong."""


@dataclass(frozen=True)
class Expected:
    """What a worker must have.

    Attributes:
        versions: of Python, of packages and of the project's code.
        token: a file in the root of the store.
        data: files and folders.
    """

    versions: Mapping[str, str]
    token: Path
    data: tuple[Path, ...]

    @classmethod
    def of_this_process(cls, token: Path, data: tuple[Path, ...]) -> "Expected":
        """What this process has."""
        return cls(versions(), token, data)


@dataclass(frozen=True)
class Inspection:
    """What is wrong with a worker, "" if nothing, and its processor."""

    problem: str
    cpu: str


def inspect(expected: Expected, dask_worker: "Worker") -> Inspection:
    """In a worker: is it fit?"""
    return Inspection(_problem(expected, dask_worker), cpu_name())


def _problem(expected: Expected, worker: "Worker") -> str:
    own, wanted = versions(), expected.versions
    if others := [f"{name} {own[name]}, not {wanted[name]}" for name in wanted if own[name] != wanted[name]]:
        return (
            f"workers must have the versions that are here; {worker.address}: {'; '.join(others)}: "
            "install the same ones, and start the worker again"
        )
    if (n := worker.state.nthreads) != 1:
        return (
            f"a worker must have one thread, as torch's settings hold for a whole process; {worker.address} has {n}: "
            "start it with --nthreads 1, and more workers instead"
        )
    folder = expected.token.parent
    if not expected.token.exists():
        return (
            f"results must lie in a folder that all workers share; {platform.node()} ({worker.address}) does not see "
            f"this machine's {folder}: choose a shared one with --results DIR"
        )
    for path in expected.data:
        if not path.exists():
            return (
                f"data must lie in a folder that all workers share; {platform.node()} ({worker.address}) does not see "
                f"{path}: move it to a shared one"
            )
    try:
        check_writable(folder)
    except UserError as error:
        return f"{platform.node()} ({worker.address}): {error}"
    return ""


@lru_cache
def versions() -> Mapping[str, str]:
    """Of Python, of the packages that compute, and a hash of the project's code as it was when first asked."""
    code = hashlib.sha256()
    for path in sorted(path for room in ("aevb", "baselines", "harness") for path in (ROOT / room).rglob("*.py")):
        code.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    packages = {name: version(name) for name in PACKAGES}
    return {"Python": platform.python_version(), **packages, "the project's code": code.hexdigest()[:12]}


def call(expected: Expected, function: Callable[[Task], Result], task: Task, saves: bool) -> Result:
    """In a worker: function(task), unless the worker is not fit for it, and leaves it to another.

    It is told to stop where the client has cancelled the task or is gone, where the scheduler is gone, and where the
    worker has to leave; Dask then has another worker go on, if anybody wants the result.
    """
    from distributed import Reschedule, get_worker
    from distributed.utils import sync

    worker = get_worker()
    key = worker.get_current_task()
    if _problem(expected, worker):  # the client tells which
        time.sleep(SECONDS_OF_A_REFUSAL)  # in which others take what else there is to do
        sync(worker.loop, _look_away, worker)
        raise Reschedule

    def told() -> bool:
        state = worker.state.tasks.get(key)
        leaving = worker.status.name not in ("running", "paused")
        return leaving or state is None or state.state != "executing"

    global _serving
    _serving = expected.token
    torch.set_num_threads(1)
    stop_when(told)
    try:
        with nullcontext() if saves else _interrupted(told):
            return function(task)
    except Interrupted:
        raise Reschedule from None
    finally:
        _serving = None


async def _look_away(worker: "Worker") -> None:
    """Pause, so that what is let go of next is given to another; the worker finds by itself that it may go on."""
    from distributed import Status

    if worker.status is Status.running:
        worker.status = Status.paused


@contextmanager
def _interrupted(told: Callable[[], bool]) -> Iterator[None]:
    """Interrupted is raised in the block as soon as it is told to stop, between two steps of the interpreter."""
    thread, over, deciding = threading.get_ident(), threading.Event(), threading.Lock()

    def watch() -> None:
        while not over.wait(SECONDS_BETWEEN_LOOKS):
            with deciding:
                if told() and not over.is_set():
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Interrupted))
                    return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        with deciding:
            over.set()


async def quiet(token: Path) -> None:
    """In a worker: wait until nothing is computed for this client, half a minute at most."""
    for _ in range(round(SECONDS_TO_SAVE / SECONDS_BETWEEN_LOOKS)):
        if _serving != token:
            return
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
