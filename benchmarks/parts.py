"""Where a step's time goes: its operations, recorded once with the very tensors that they work on, and timed by kind.

A profiler's own work is as long as many of a step's operations. Here none is at work while anything is timed: the step
runs as it always does, and then the operations of each kind run again, one kind after the other, round after round.
What the step takes beyond all of them is Python between them, and memory that is no longer in a core's cache.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from aevb.fast.products import Library
from aevb.fast.products import products as chosen
from aevb.fast.replay import Replay
from benchmarks.engines import run_data
from benchmarks.recorder import Operation, Recorder
from benchmarks.turns import clock
from harness.experiments.config import Config
from harness.runs.build import build_learner
from harness.runs.steps import can_repeat, library, take_steps
from harness.runs.streams import stream
from harness.runs.tape import Tape
from harness.timing.intervals import of_median
from harness.timing.step import KINDS, REST, STEP

WHOLE_BLOCK = 10**9  # more steps than any block has


class Steps:
    """Some steps of a learner on minibatches and noise that are already drawn; they can be taken again and again.

    Args:
        config: of the run.
        n_steps: at a call, or fewer where a block of the tape ends.

    Attributes:
        library: what multiplies.
        n_steps: at a call.
    """

    def __init__(self, config: Config, n_steps: int) -> None:
        self.data, self._config = run_data("cpu", config.n_train), config
        assert isinstance(config.step_size, float)
        self.learner = build_learner(config, self.data, config.step_size)
        self.library: Library = library(config, self.data)
        self._generator = stream("training", config.seed)
        self._block = self._tape().take(n_steps)
        self.n_steps = self._block.n_steps
        learner: Any = self.learner
        self._taken_by = learner
        self.take()  # buffers are made in the first
        if can_repeat(learner, config):
            while learner.ascents[0].steps <= config.warm_up:
                self.take()
            self._taken_by = Replay(learner)
            self.take()

    def take(self) -> None:
        """All of them, as a run takes them after its warm-up."""
        with chosen(self.library):
            take_steps(self._taken_by, self.data, self._block, self._generator)

    def record(self) -> list[Operation]:
        """Take them by the learner's own Python, and tell what they asked torch for."""
        with chosen(self.library), Recorder() as recorder:
            take_steps(self.learner, self.data, self._block, self._generator)
        return recorder.operations

    def draw(self) -> float:
        """Seconds that drawing their minibatches and noise takes, which is done for a whole block of steps at once."""
        if not self._block.tensors:
            return 0.0
        drawn = 0

        def whole_block() -> None:
            nonlocal drawn
            drawn = self._tape().take(WHOLE_BLOCK).n_steps

        seconds = clock(whole_block)
        return seconds * self.n_steps / drawn

    def _tape(self) -> Tape:
        return Tape(self._config, self.data, self.learner)


class Parts:
    """The parts of some steps, timed one after the other.

    Args:
        steps: whose parts; between two rounds they are to be taken, so that numbers are those of a step again.
    """

    @torch.inference_mode()
    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        operations = steps.record()
        steps.take()
        with chosen(steps.library):
            self._calls = {kind: [op.call() for op in operations if op.kind == kind] for kind in KINDS}
        self.unknown = Counter(str(op.function) for op in operations if not op.kind)
        self._rounds: list[dict[str, float]] = []

    @torch.inference_mode()
    def time(self) -> None:
        """A round: seconds of each part."""
        with chosen(self._steps.library):
            seconds = {kind: clock(partial(_again, calls)) if calls else 0.0 for kind, calls in self._calls.items()}
        self._rounds.append(seconds | {"drawing": self._steps.draw()})

    def summary(self, times: Sequence[float]) -> dict[str, dict[str, float]]:
        """For the step, each part and the rest: seconds of one step with their interval, and operations.

        The step is what was timed and the share of a block's drawing; the rest is the step less all parts, round by
        round.

        Args:
            times: of the steps in the same rounds, seconds.
        """
        each: dict[str, list[float]] = {name: [] for name in (STEP, *KINDS, REST)}
        for seconds, parts in zip(times, self._rounds, strict=True):
            drawing = parts["drawing"]
            parts = {kind: parts[kind] + drawing * (kind == "noise") for kind in KINDS}
            whole = {STEP: seconds + drawing, **parts, REST: seconds + drawing - sum(parts.values())}
            for name, value in whole.items():
                each[name].append(value / self._steps.n_steps)
        operations = {kind: len(calls) / self._steps.n_steps for kind, calls in self._calls.items()}
        return {
            name: {**dict(zip(("seconds", "low", "high"), of_median(values), strict=True)),
                   "operations": operations.get(name, 0.0)}
            for name, values in each.items()
        }  # fmt: skip


def _again(calls: Sequence[Callable[[], object]]) -> None:
    for call in calls:
        call()
