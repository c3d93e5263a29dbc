"""Work in parallel: in what order, and what becomes of a task whose worker died."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from aevb.errors import UserError, one_line
from harness.store.files import unusable

SECONDS_BETWEEN_LOOKS = 0.25

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerDied(Exception):
    """What worked on a task died, and so did its successor; what it has saved can be resumed."""


class Interrupted(Exception):
    """A function was told to stop, and has saved all it computed."""


@dataclass(frozen=True)
class Failure:
    """What could not be completed, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        """As a user is told."""
        return f"failed: {self.name}: {self.reason}"


def failure(name: str, error: BaseException) -> Failure:
    """That of a task, with its error in one line."""
    if isinstance(error, WorkerDied):
        return Failure(name, f"{error}; the same command resumes")
    if isinstance(error, OSError) and error.filename is not None:
        error = unusable(error)
    return Failure(name, one_line(error if isinstance(error, UserError) else f"{type(error).__name__}: {error}"))


class Pool(Protocol):
    """Workers that take one task at a time each, the first submitted first."""

    def submit(self, function: Callable[[Task], Result], task: Task, saves: bool) -> Future[Result]:
        """Have a worker call function(task) on one thread."""

    def lost(self, future: Future[Any]) -> bool:
        """No worker lived to the end of this completed task."""

    def look(self) -> None:
        """Raises WorkerDied where there are no workers any more."""


class Place(Protocol):
    """Where there are workers: `harness.workers.local.Local` and `harness.workers.cluster.Cluster`."""

    def pool(self, n_tasks: int) -> AbstractContextManager[Pool]:
        """Workers for so many tasks; when the block is left early, what still runs is told to stop."""


def in_parallel(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    place: Place,
    done: Callable[[Task, Future[Result]], None],
    *,
    look: Callable[[], None] = lambda: None,
    saves: bool = False,
) -> None:
    """Call function(task) for every task, the first ones first, in single-threaded workers.

    Args:
        function: importable; runs in a worker.
        tasks: what to call it with.
        place: where.
        done: called here with each task and its completed future, whose exception is `WorkerDied` where no worker
            lived to the end of it.
        look: called here a few times a second.
        saves: the function asks `should_stop` often, and then saves and raises `Interrupted`. When this is left
            early, as by Ctrl-C, it waits for such a function; any other ends where it is.

    A worker that dies (killed for want of memory, say) may take its pool with it. What was running then is tried once
    more, each task by itself, so that the one at fault takes nothing else down; a fresh pool does the rest.
    """
    left = list(tasks)
    while left:
        suspects, left = _in_pool(function, left, place, done, look, saves)
        for task in suspects:
            again, waiting = _in_pool(function, [task], place, done, look, saves)
            if again or waiting:
                dead: Future[Result] = Future()
                dead.set_exception(WorkerDied("every worker that tried it died (out of memory, or killed)"))
                done(task, dead)


def _in_pool(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    place: Place,
    done: Callable[[Task, Future[Result]], None],
    look: Callable[[], None],
    saves: bool,
) -> tuple[list[Task], list[Task]]:
    """All tasks in one pool; where it breaks, those that were running and those that were waiting, in their order."""
    lost: list[int] = []
    ran: set[int] = set()
    with place.pool(len(tasks)) as pool:
        pending = {pool.submit(function, task, saves): n for n, task in enumerate(tasks)}
        while pending:
            ready, _ = wait(pending, timeout=SECONDS_BETWEEN_LOOKS, return_when=FIRST_COMPLETED)
            for future in sorted(ready, key=pending.__getitem__):
                n = pending.pop(future)
                if pool.lost(future):
                    lost.append(n)
                else:
                    done(tasks[n], future)
            ran |= {n for future, n in pending.items() if future.running()}
            pool.look()
            look()
    suspects = sorted(ran & {*lost}) or sorted(lost)
    return [tasks[n] for n in suspects], [tasks[n] for n in sorted({*lost} - {*suspects})]


def should_stop() -> bool:
    """In a worker: what is being computed is to be saved now."""
    return _told()


def stop_when(told: Callable[[], bool]) -> None:
    """In a worker: what `should_stop` answers from now on."""
    global _told
    _told = told


def _never() -> bool:
    return False


_told = _never
