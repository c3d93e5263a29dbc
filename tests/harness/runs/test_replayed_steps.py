"""A run's steps are replayed once its warm-up is over, and are the steps that its learner takes itself."""

import math
from dataclasses import replace
from unittest import mock

import pytest
import torch

from aevb.fast.aevb import FastAEVB
from harness.runs.build import build_learner, load, prepare
from harness.runs.steps import Trainer
from harness.runs.streams import stream
from harness.runs.tape import Tape
from tests.support import small_job

CPU = torch.device("cpu")
WARM_UP = 7
PIECES = (5, 3, 60, 1, 31)


def trained(config, data, n_runs, replayed):
    """What it does in pieces, and the trainer."""
    configs = [replace(config, seed=seed) for seed in range(n_runs)]
    learners = [build_learner(each, data, 0.05) for each in configs]
    tapes = [Tape(each, data, learner) for each, learner in zip(configs, learners, strict=True)]
    trainer = Trainer(config, data, learners, tapes, stream("training", 0, CPU))
    if not replayed:
        trainer._eager_steps = math.inf
    bounds = [trainer.advance(n) for n in PIECES]
    assert all(ascent.steps == sum(PIECES) for learner in learners for ascent in learner.ascents)
    return bounds, [p.detach() for each in learners for p in each.model.parameters()], trainer


@pytest.mark.parametrize("method", ["aevb", "wake_sleep"])
@pytest.mark.parametrize("binarization", ["none", "dynamic"])
@pytest.mark.parametrize("n_runs", [1, 3])
def test_replayed_steps_are_those_of_the_learner(method, binarization, n_runs, tmp_path, array):
    config = small_job(tmp_path, array, method=method, warm_up=WARM_UP, binarization=binarization).config
    data = prepare(config, load(config, array), CPU)
    (bounds, parameters, own), (others, other_parameters, replayed) = (
        trained(config, data, n_runs, each) for each in (False, True)
    )
    assert bounds == others
    assert all(map(torch.equal, parameters, other_parameters))
    assert own._replay.x is None
    assert replayed._replay.x is not None
    assert not replayed._replay.refused


def test_the_warm_up_is_the_learners_own_and_all_later_steps_but_one_are_replayed(tmp_path, array):
    config = small_job(tmp_path, array, method="aevb", warm_up=WARM_UP).config
    data = prepare(config, load(config, array), CPU)
    with mock.patch.object(FastAEVB, "step", autospec=True, side_effect=FastAEVB.step) as step:
        trained(config, data, 1, True)
    assert step.call_count == sum(PIECES[:2]) + 1


class ByNumberOfSteps(FastAEVB):
    """Somebody's: its steps are not alike."""

    def __init__(self, model, encoder, n_datapoints, options):
        super().__init__(model, encoder, n_datapoints, options)

    def step(self, batch, generator, noise=None):
        info = super().step(batch, generator, noise)
        if self._ascent.steps % 7 == 0:
            self.model.output.bias.data.mul_(0.5)
        return info


def test_somebody_elses_steps_are_their_own(tmp_path, array):
    place = f"{__name__}:{ByNumberOfSteps.__name__}"
    config = small_job(tmp_path, array, method=place, warm_up=WARM_UP).config
    data = prepare(config, load(config, array), CPU)
    generator = stream("training", 0, CPU)
    learner = build_learner(config, data, 0.05, "reference")
    trainer = Trainer(config, data, [learner], [Tape(config, data, learner)], generator)
    trainer.advance(sum(PIECES))
    assert isinstance(learner, ByNumberOfSteps)
    assert trainer._replay.x is None
