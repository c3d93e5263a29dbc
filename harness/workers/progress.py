"""One live display of all runs on a terminal, plain log lines elsewhere. It reads the store, as anybody may."""

import errno
import os
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.experiments.config import Config
from harness.store.columns import NARROWEST, fold
from harness.store.notices import tell_once
from harness.store.run_folder import RunFolder
from harness.store.status import Status

SECONDS_BETWEEN_LINES = 10.0

Task = TypeVar("Task")


def duration(seconds: float | None) -> str:
    """Hours, minutes and seconds as people write them."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def countdown(total: int, name: Callable[[Task], str]) -> Callable[[Task, Future[Any]], None]:
    """What prints a line for each finished task, how many are done and the time left; a task's error is raised."""
    began = time.monotonic()
    done = 0
    print(f"{total} to compute", file=sys.stderr, flush=True)

    def line(task: Task, future: Future[Any]) -> None:
        nonlocal done
        future.result()
        done += 1
        left = duration((time.monotonic() - began) / done * (total - done))
        print(fold(f"[{done}/{total}] {name(task)}; about {left} left"), flush=True)

    return line


@dataclass(frozen=True)
class Way:
    """What a run has before it: up to so many samples, and how much work one sample is."""

    samples: int
    cost: float


class Terminal(Console):
    """What tells on stderr how far things are. Who reads it may go away: then the command ends, with all saved."""

    def __init__(self) -> None:
        super().__init__(stderr=True)

    def on_broken_pipe(self) -> None:
        """Raise the error that there was: rich would end the process with the status of a run that failed."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class Display:
    """Progress of a set of runs; `start`, then `look` often, then `stop`, and `sum_up` where it came to its end."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Terminal()
        self._live: Live | None = None
        self._ways: dict[RunFolder, Way] = {}
        self._steps = 0
        self._there = 0
        self._first: dict[str, int] = {}
        self._status: dict[str, Status] = {}
        self._finished = 0
        self._began = self._last_line = time.monotonic()
        self._moves: tuple[float, float] | None = None  # when work was first seen to be done, and how much it was

    def start(self, ways: Mapping[RunFolder, Way], there: int = 0) -> None:
        """Begin with these runs; so many others are there already."""
        self._ways, self._there = dict(ways), there
        # A run whose samples have not moved since now is waiting, whatever an earlier process wrote.
        self._first = {folder.config.id: 0 if folder.is_stale() else _samples(folder.status()) for folder in ways}
        self._began = self._last_line = time.monotonic()
        if ways:
            self._say(f"{len(ways)} {'run' if len(ways) == 1 else 'runs'} to compute, {there} there already")
        if self._console.is_terminal and ways:
            self._live = Live(console=self._console, transient=True, refresh_per_second=4)
            self._live.start()

    def finished(self, config: Config, status: Status) -> None:
        """Say that a run came to its end."""
        self._finished += 1
        self._steps += status.steps
        bound = "–" if status.bound is None else f"{status.bound:.1f} nats"
        rate = f"{status.samples_per_second:,.0f} samples/s" if status.samples_per_second else "–"
        note = f" – {status.message}" if status.message else ""
        counted = f"[{self._finished}/{len(self._ways)}]"
        line = f"{counted} {config.name}: {status.state}, training {bound}, {rate}{note}"
        self._say(line)

    def look(self) -> None:
        """Read the store and show what has changed."""
        for folder in self._ways:
            if not folder.is_stale() and (status := folder.status()) is not None:
                if status.message and status.state == "running":
                    tell_once(f"{folder.config.name}: {status.message}")
                self._status[folder.config.id] = status
        if self._moves is None and (done := self._work()[0]):
            self._moves = time.monotonic(), done
        if self._live is not None:
            self._live.update(self._table())
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            running = "; ".join(
                f"{folder.config.name} {min(status.samples / self._ways[folder].samples, 1):.0%}"
                for folder, status in self._running()
            )
            line = f"{running or 'starting'}; all done in about {duration(self._seconds_left())}"
            self._say(line)

    def stop(self) -> None:
        """Leave the screen clean."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def sum_up(self) -> None:
        """Say how much there was to do, once it is done."""
        done = f"{self._steps:,} training steps computed, in {self._finished} of {len(self._ways)} runs"
        line = f"{done}; {self._there} were there already"
        self._say(line)

    def _say(self, line: str) -> None:
        width = max(self._console.width, NARROWEST)
        self._console.print(fold(line, width), markup=False, highlight=False, soft_wrap=True)

    def _running(self) -> list[tuple[RunFolder, Status]]:
        pairs = [(folder, self._status.get(folder.config.id)) for folder in self._ways]
        return [
            (folder, status)
            for folder, status in pairs
            if status is not None and status.state == "running" and status.samples != self._first[folder.config.id]
        ]

    def _work(self) -> tuple[float, float]:
        """What was done since the start, and what is left."""
        done = left = 0.0
        for folder, way in self._ways.items():
            status = self._status.get(folder.config.id)
            samples = min(_samples(status), way.samples)  # a last big step may go beyond
            end = samples if status is not None and status.reaches(way.samples) else way.samples
            # A run that was killed goes on from its last checkpoint, behind the last status.
            done += way.cost * max(samples - self._first[folder.config.id], 0)
            left += way.cost * (end - samples)
        return done, left

    def _seconds_left(self) -> float | None:
        """Work that is left over the speed since it was first seen to move: before it, workers start and read data."""
        done, left = self._work()
        since, before = self._moves or (self._began, 0.0)
        if done <= before:  # nothing since then
            since, before = self._began, 0.0
        return left * (time.monotonic() - since) / (done - before) if done else None

    def _table(self) -> Group:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for heading in ("run", "", "samples", "samples/s", "train, nats", "time left"):
            table.add_column(heading, justify="left" if heading in ("run", "") else "right")
        for folder, status in self._running():
            end, rate = self._ways[folder].samples, status.samples_per_second
            table.add_row(
                folder.config.name,
                ProgressBar(total=end, completed=status.samples, width=24),
                f"{status.samples:,}",
                f"{rate:,.0f}" if rate else "–",
                "–" if status.bound is None else f"{status.bound:.1f}",
                duration(max(end - status.samples, 0) / rate if rate else None),
            )
        total = f"{self._finished} of {len(self._ways)} runs done, about {duration(self._seconds_left())} left"
        return Group(table, Text(total))


def _samples(status: Status | None) -> int:
    return 0 if status is None else status.samples
