"""The engines that take a learner's steps, and the readable reference that they are held to."""

from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from aevb.data import load_dataset
from aevb.learner import Learner
from harness.experiments.config import Config
from harness.runs.build import RunData, build_learner, prepare
from harness.runs.steps import Trainer, take_steps
from harness.runs.streams import stream
from harness.runs.tape import Tape

STACKED = {"cpu": 3, "cuda": 32}  # runs of a stack; so many are a GPU's work


def make_config(**changes: object) -> Config:
    """The paper's MNIST setting, but the parameters move from the start, and so little that rounding does not grow."""
    values: dict[str, object] = {
        "dataset": "mnist", "method": "aevb", "n_latent": 20, "seed": 0, "protocol": "author",
        "warm_up": 3, "step_size": 0.001, "evaluation_points": 1000,
    }  # fmt: skip
    return Config(**values | changes)  # type: ignore[arg-type]


@cache
def run_data(device: str, n_train: int = 0, binarization: str = "none") -> RunData:
    """MNIST on the device."""
    config = make_config(n_train=n_train, binarization=binarization)
    return prepare(config, load_dataset("mnist"), torch.device(device))


class Engine:
    """One or several runs of a config, from their seeds on.

    Args:
        config: of the first run; the others have the seeds after its own.
        name: "reference", gradients from autograd; "fast", by hand; "graph", those as a CUDA graph; "stacked", several
            runs at once, on CUDA as a graph too.
        device: "cpu" or "cuda".
    """

    def __init__(self, config: Config, name: str, device: str) -> None:
        self.data = run_data(device, config.n_train)
        self._name, self._steps = name, 0
        n_runs = STACKED[device] if name == "stacked" else 1
        self.configs = [replace(config, seed=config.seed + k) for k in range(n_runs)]
        kind = "reference" if name == "reference" else "fast"
        assert isinstance(config.step_size, float)
        self.learners = [build_learner(each, self.data, config.step_size, kind) for each in self.configs]
        self._tapes = [
            Tape(each, self.data, learner) for each, learner in zip(self.configs, self.learners, strict=True)
        ]
        self._generator = stream("training", config.seed, self.data.train.device)
        self._start = [_parameters(learner) for learner in self.learners]
        if name != "fast" or device == "cpu":
            self._trainer = Trainer(config, self.data, self.learners, self._tapes, self._generator)

    def advance(self, n_steps: int) -> list[float]:
        """So many steps of every run; the first run's mean bound at each, nats (none without an encoder)."""
        self._steps += n_steps
        if self._name != "fast" or not self.data.train.is_cuda:
            return self._trainer.advance(n_steps)[0]
        bounds: list[float] = []
        while n_steps:  # the trainer would make a graph of them
            block = self._tapes[0].take(n_steps)
            bounds += take_steps(self.learners[0], self.data, block, self._generator).tolist()
            n_steps -= block.n_steps
        return bounds

    def distance_to_reference(self) -> float:
        """|θ − θ′| / |θ′ − θ₀| after all the steps so far, θ′ by the reference: the worst of the runs; 0 is perfect.

        Of a stack the first run, the last and the one in the middle are looked at: all of a CPU's three, but of a GPU's
        many these alone, since every one needs a reference of its own.
        """
        worst, n_runs = 0.0, len(self.configs)
        for k in sorted({0, n_runs // 2, n_runs - 1}):
            other = Engine(self.configs[k], "reference", self.data.train.device.type)
            other.advance(self._steps)
            theirs = _parameters(other.learners[0])
            ratio = (_parameters(self.learners[k]) - theirs).norm() / (theirs - self._start[k]).norm()
            worst = max(worst, float(ratio))
        return worst


def _parameters(learner: Learner) -> Tensor:
    modules = [module for module in (learner.model, learner.encoder) if module is not None]
    return torch.cat([p.detach().flatten().double() for module in modules for p in module.parameters()])
