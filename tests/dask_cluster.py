"""A real scheduler with real worker processes on loopback, and what they are asked to compute."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distributed import get_worker

from harness.runs import train
from harness.runs.job import Job
from harness.workers.schedule import Interrupted, Place, in_parallel, should_stop
from tests.support import ROOT, wait_until


class Scheduler:
    """A scheduler and its workers, in one process group, working in a folder that is nobody else's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        file = folder / "scheduler.json"
        self.process = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
        wait_until(lambda: file.exists() and file.read_text().endswith("}"))
        self.address = json.loads(file.read_text())["address"]

    def _start(self, *arguments: str, group: int | None = None) -> subprocess.Popen[bytes]:
        env = {k: v for k, v in os.environ.items() if k != "AEVB_DATA_DIR"} | {"PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
        return subprocess.Popen(command, cwd=self.folder, env=env, process_group=group or 0, stderr=subprocess.DEVNULL)

    def start_worker(self, *arguments: str) -> subprocess.Popen[bytes]:
        return self._start("worker", self.address, *arguments, group=self.process.pid)

    def members(self) -> list[int]:
        """Living processes of the group."""
        listing = subprocess.run(["ps", "-eo", "pid,pgid,stat"], capture_output=True, text=True, check=True).stdout
        rows = [line.split() for line in listing.splitlines()[1:]]
        return [int(pid) for pid, group, state in rows if group == str(self.process.pid) and state[0] != "Z"]

    def owner(self, file: Path) -> int | None:
        """The process that has this file open."""
        for pid in self.members():
            for link in Path(f"/proc/{pid}/fd").glob("*"):
                try:
                    if link.readlink() == file:
                        return pid
                except OSError:
                    continue
        return None


@contextmanager
def scheduler(folder: Path, workers: int, *arguments: str) -> Iterator[Scheduler]:
    """A scheduler with so many workers of one thread, of which nothing is left in the end."""
    running = Scheduler(folder)
    try:
        started = [running.start_worker("--nthreads", "1", *arguments) for _ in range(workers)]
        yield running
        os.killpg(running.process.pid, signal.SIGTERM)
        for process in (running.process, *started):
            process.wait(30)
        wait_until(lambda: not running.members())
    finally:
        if running.members():
            os.killpg(running.process.pid, signal.SIGKILL)


def die_if_told(name: str) -> str:
    if name == "kills":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.1)
    return name


def tell_who(path: Path) -> int:
    """The number of threads of the worker that does this."""
    path.touch()
    time.sleep(0.2)
    return get_worker().state.nthreads


def save_when_told(path: Path) -> None:
    path.with_suffix(".began").write_text("")
    while not should_stop():
        time.sleep(0.01)
    time.sleep(0.5)
    path.write_text("saved")
    raise Interrupted


def never_end(path: Path) -> None:
    path.with_suffix(".began").write_text("")
    try:
        while True:
            time.sleep(0.01)
    finally:
        path.with_suffix(".ended").write_text("")


def run_with_a_diary(job: Job) -> str:
    """Run a job with a checkpoint after every burst, and note at how many samples the work on it began."""
    train.SECONDS_BETWEEN_CHECKPOINTS = 0.0
    original = train.train

    def noting(runs, samples, should_stop):
        with (job.root / "diary").open("a") as diary:
            diary.write(f"{runs[0].progress.samples}\n")
        original(runs, samples, should_stop)

    train.train = noting
    try:
        return train.run(job, should_stop).state
    finally:
        train.train = original


def outcomes(function: Callable[[Any], Any], tasks: Sequence[Any], place: Place, **more: Any) -> dict[Any, Any]:
    """What each task came to: what the function returned, or its error."""
    found: dict[Any, Any] = {}
    in_parallel(
        function, tasks, place, lambda task, future: found.update({task: future.exception() or future.result()}), **more
    )
    return found
