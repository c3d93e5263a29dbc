"""Many steps at a call: of one run or of a stack of equal runs, one by one or as a single launch of a GPU."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from aevb.fast.graph import Graph
from aevb.fast.posterior import ROWS
from aevb.fast.products import EXACT, Library, choose_library, is_right, products
from aevb.fast.replay import Replay
from aevb.fast.stack import Stack
from aevb.fast.unseen import unseen
from aevb.learner import Learner
from harness.experiments.config import Config
from harness.experiments.methods import method_of
from harness.experiments.values import STEP_SIZE_CANDIDATES
from harness.runs.build import RunData, build_learner
from harness.runs.learners import by_hand, stackable
from harness.runs.streams import stream
from harness.runs.tape import GRAPH_STEPS, Block, Tape, stacked
from harness.runs.watched import Watched
from harness.workers.schedule import Interrupted


class Trainer:
    """Learners of equal settings with a tape for each; what one computes does not depend on its company.

    Once the warm-up is over, whose step size would be frozen, hand-written steps on minibatches run as a graph on a GPU
    and are replayed on a CPU.

    Args:
        config: of the runs, which differ in their seeds alone.
        data: of all of them.
        learners: one for each run.
        tapes: one for each run.
        generator: of what a learner draws for itself.
        kept: what multiplies on a CPU, where that is decided; None for what is fastest.
        n_taken: steps that the learners have taken before.

    Raises:
        UserError: this machine cannot multiply in the config's precision.
    """

    def __init__(
        self,
        config: Config,
        data: RunData,
        learners: Sequence[Any],
        tapes: Sequence[Tape],
        generator: torch.Generator,
        kept: Library | None = None,
        n_taken: int = 0,
    ) -> None:
        self._data, self._learners, self._tapes, self._generator = data, learners, tapes, generator
        self._learner: Any = Stack(learners) if len(learners) > 1 else learners[0]
        self._library = kept or library(config, data)
        self._graph: Graph | None = None
        self._eager_steps = config.warm_up + 1 if can_repeat(self._learner, config) else math.inf
        self._replay = Replay(self._learner)
        self._eager: Any = Watched(self._learner, config, n_taken) if config.places else self._learner

    def advance(self, n_steps: int) -> list[list[float]]:
        """Take so many steps; each run's mean bound of each step, nats (none for a learner without a bound)."""
        means: list[Tensor] = []
        with products(self._library):
            while n_steps:
                blocks = [tape.take(min(n_steps, GRAPH_STEPS)) for tape in self._tapes]
                block = stacked(blocks) if len(blocks) > 1 else blocks[0]
                means.append(self._take(block))
                n_steps -= block.n_steps
        if self._data.train.is_cuda:
            torch.cuda.synchronize(self._data.train.device)
        return torch.cat(means).view(-1, len(self._learners)).T.tolist()

    def _take(self, block: Block) -> Tensor:
        on_cuda = self._data.train.is_cuda
        if self._eager_steps > 0 or (on_cuda and block.n_steps != GRAPH_STEPS):
            self._eager_steps -= block.n_steps
            return take_steps(self._eager, self._data, block, self._generator)
        if not on_cuda:
            return take_steps(self._replay, self._data, block, self._generator)
        ascents = self._learner.ascents
        before = [ascent.steps for ascent in ascents]
        if self._graph is None:
            self._graph = Graph(
                lambda tensors: take_steps(self._learner, self._data, Block(GRAPH_STEPS, **tensors), self._generator),
                block.tensors,
            )
        for ascent, steps in zip(ascents, before, strict=True):
            ascent.steps = steps + block.n_steps  # recording counts them too, replaying does not
        return self._graph(block.tensors)


def can_repeat(learner: Any, config: Config) -> bool:
    """Its steps on minibatches are the same operations at the same tensors each time, once the warm-up is over.

    Of the project's own with gradients by hand that is known; of somebody's it is not.
    """
    return stackable(config) and hasattr(learner, "ascents") and bool(config.batch_size)


def take_steps(learner: Any, data: RunData, block: Block, generator: torch.Generator) -> Tensor:
    """The steps of a block, one by one: mean bounds in nats, shape (step,) or (step, run); empty without bounds."""
    x = learner.x if isinstance(learner, Replay) else None
    with unseen(learner):
        bounds = [learner.step(batch, generator, noise).bound for batch, noise in block.batches(data, x)]
        return torch.stack(bounds).mean(-1, dtype=torch.float64) if bounds[0] is not None else torch.empty(0)


def samples_per_step(config: Config, data: RunData) -> int:
    """How far a step gets along the paper's x axes, which count evaluations of training points."""
    evaluations = config.chain_leapfrog + config.weight_steps if method_of(config.method).like == "mcem" else 1
    return evaluations * (config.batch_size or len(data.train))


def library(config: Config, data: RunData, engine: str = "fast", before: str = "") -> Library:
    """What multiplies this run's matrices on a CPU, measured for its largest ones.

    Args:
        config: of the run.
        data: of the run.
        engine: "fast" or "reference".
        before: what the run has multiplied with so far; it keeps to that, whose last digits are its own, if it is right
            on this machine.

    Raises:
        UserError: this machine cannot multiply in the config's precision.
    """
    rows, width, pixels = config.batch_size or ROWS, max(config.hidden, default=config.n_latent), data.train.shape[1]
    shapes = ((rows, pixels, width), (width, rows, pixels), (rows, width, pixels))
    by_torch = engine == "reference" or not by_hand(config) or data.train.is_cuda
    for known in EXACT:
        kept = before == known and config.precision == "float32" and not (by_torch and known == "openblas")
        if kept and is_right(known, shapes):
            return known
    return choose_library(shapes, config.precision, by_torch)


def choose_step_size(
    config: Config,
    data: RunData,
    engine: str,
    should_stop: Callable[[], bool] = lambda: False,
    kept: Library | None = None,
) -> float:
    """The config's η; for "auto" the candidate with the best training bound after the first iterations.

    The mean bound of each candidate's last fifth of `auto_steps` iterations decides; what is not finite loses. These
    iterations are not counted on the axis (Kingma & Welling 2013, section 5).

    Raises:
        Interrupted: `should_stop` said so; the choice begins anew next time.
    """
    if config.step_size != "auto":
        return config.step_size
    results: dict[float, float] = {}
    for step_size in STEP_SIZE_CANDIDATES:
        learner: Learner = build_learner(config, data, step_size, engine)
        generator = stream("training", config.seed, data.train.device)
        trainer = Trainer(config, data, [learner], [Tape(config, data, learner)], generator, kept)
        bounds: list[float] = []
        while len(bounds) < config.auto_steps:
            if should_stop():
                raise Interrupted
            bounds += trainer.advance(min(GRAPH_STEPS, config.auto_steps - len(bounds)))[0]
        last = bounds[-max(config.auto_steps // 5, 1) :]
        mean = sum(last) / len(last)
        results[step_size] = mean if math.isfinite(mean) else -math.inf
    return max(results, key=lambda step_size: results[step_size])
