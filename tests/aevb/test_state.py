"""A learner's state is of the moment in which it was taken, and is taken as a whole or not at all."""

import pytest
import torch
from torch.nn.utils import parameters_to_vector

from aevb.aevb import AEVB
from aevb.ascent import AscentOptions
from aevb.encoder import GaussianEncoder
from aevb.errors import ArgumentError
from aevb.fast.aevb import FastAEVB
from aevb.learner import Batch, Noise, draw_noise
from aevb.model import BernoulliModel
from baselines.fast_wake_sleep import FastWakeSleep
from baselines.mcem import MonteCarloEM
from baselines.reweighted_wake_sleep import ReweightedWakeSleep
from baselines.wake_sleep import WakeSleep

M, PIXELS = 10, 9
WITH_ENCODER = [AEVB, FastAEVB, WakeSleep, FastWakeSleep, ReweightedWakeSleep]


def learner_of(kind, generator, n_latent=2):
    model = BernoulliModel(n_latent, PIXELS, (6,), generator=generator)
    options = AscentOptions(0.1, warm_up=0)
    if kind is MonteCarloEM:
        return MonteCarloEM(model, M, generator, options)
    return kind(model, GaussianEncoder(PIXELS, n_latent, (6,), generator=generator), M, options)


def batch_of(generator):
    return Batch(torch.rand(M, PIXELS, generator=generator), torch.arange(M))


def weights(learner):
    return parameters_to_vector(learner.model.parameters()).detach().clone()


@pytest.mark.parametrize("kind", [*WITH_ENCODER, MonteCarloEM])
def test_a_state_is_left_alone_by_later_steps(kind, generator):
    learner, batch = learner_of(kind, generator), batch_of(generator)
    learner.step(batch, generator)
    state, before = learner.state_dict(), weights(learner)
    for _ in range(3):
        learner.step(batch, generator)
    assert not torch.equal(weights(learner), before)
    learner.load_state_dict(state)
    assert torch.equal(weights(learner), before)


class WithAdam(AEVB):
    """AEVB beside which an optimiser of torch's climbs."""

    def __init__(self, *given):
        super().__init__(*given)
        self.adam = torch.optim.Adam(self.model.parameters())

    def step(self, batch, generator, noise=None):
        info = super().step(batch, generator, noise)
        self.adam.step()
        return info

    def _parts(self):
        return super()._parts() | {"adam": self.adam}


def test_the_state_of_an_optimiser_is_shared_neither_as_it_is_taken_nor_as_it_is_loaded(generator):
    learner, other = (learner_of(WithAdam, generator) for _ in range(2))
    batch = batch_of(generator)
    learner.step(batch, generator)
    state = learner.state_dict()
    first = state["adam"]["state"][0]["exp_avg"].clone()
    other.load_state_dict(state)
    for one in (learner, other):
        one.step(batch, generator)
        assert torch.equal(state["adam"]["state"][0]["exp_avg"], first)
        assert float(state["adam"]["state"][0]["step"]) == 1


@pytest.mark.parametrize("kind", WITH_ENCODER)
def test_the_state_of_a_learner_of_another_size_is_refused_and_changes_nothing(kind, generator):
    learner, other = learner_of(kind, generator), learner_of(kind, generator, n_latent=3)
    before = weights(learner)
    with pytest.raises(ArgumentError, match=r"`state` must have a model of sizes .*: give what"):
        learner.load_state_dict(other.state_dict())
    assert torch.equal(weights(learner), before)


@pytest.mark.parametrize("kind", WITH_ENCODER)
def test_noise_of_a_whole_stack_is_not_that_of_one_run(kind, generator):
    learner, batch = learner_of(kind, generator), batch_of(generator)
    noise = draw_noise(learner, batch, generator)
    pixels = None if noise.pixels is None else noise.pixels.repeat(5, 1, 1)
    for wrong in (Noise(noise.normal.repeat(5, 1, 1, 1), pixels), Noise(noise.normal.double(), noise.pixels)):
        with pytest.raises(ArgumentError, match=r"noise.* must .*, got .*: "):
            learner.step(batch, generator, wrong)
