"""All cases for a number of seeds, in this process or in several."""

import math
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from aevb.data import load_dataset
from aevb.errors import UserError, one_line
from aevb.threads import one_thread
from harness.check.case import Case, Place
from harness.check.waves import write_waves
from harness.store.files import scratch
from harness.workers.local import Local
from harness.workers.schedule import in_parallel

# What faulty code raises; it is a finding, and the other cases go on.
FAULTS = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class Task:
    """A case, how many seeds, and where."""

    case: Case
    n_seeds: int
    place: Place


@dataclass(frozen=True)
class Measured:
    """A quantity's value for each seed, NaN where there is none; `fault` says why a case has no quantities at all."""

    values: dict[str, list[float]]
    fault: str = ""


Done = Callable[[Task, Future[Measured]], None]


def measure(task: Task) -> Measured:
    """The case for seeds 0, 1, …."""
    try:
        rows = [task.case.measure(seed, task.place) for seed in range(task.n_seeds if task.case.random else 1)]
    except UserError as error:
        return Measured({}, str(error))
    except FAULTS as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return Measured({}, one_line(f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"))
    rows = rows if task.case.random else rows * task.n_seeds
    quantities = dict.fromkeys(quantity for row in rows for quantity in row)
    return Measured({quantity: [row.get(quantity, math.nan) for row in rows] for quantity in quantities})


def measure_all(
    cases: Sequence[Case], n_seeds: int, *, engine: str, device: str, workers: int, done: Done
) -> dict[str, Measured]:
    """Every case by name. Single-threaded: in this process, or with several workers in processes of their own.

    Raises:
        UserError: the temporary folder cannot be written.
        WorkerDied: a worker process did, twice.
    """
    results: dict[str, Measured] = {}

    def keep(task: Task, future: Future[Measured]) -> None:
        results[task.case.name] = future.result()
        done(task, future)

    with scratch() as folder:
        path = write_waves(folder)
        place = Place(path, load_dataset(str(path)).sha256, engine, device)
        tasks = [Task(case, n_seeds, place) for case in cases]
        if workers > 1:
            in_parallel(measure, tasks, Local(workers), keep)
        else:
            _in_turn(tasks, keep)
    return {case.name: results[case.name] for case in cases}


def _in_turn(tasks: Sequence[Task], done: Done) -> None:
    with one_thread():
        for task in tasks:
            future: Future[Measured] = Future()
            future.set_result(measure(task))
            done(task, future)
