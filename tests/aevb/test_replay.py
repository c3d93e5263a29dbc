"""Steps that are replayed are the learner's own, bit for bit."""

import copy
from unittest import mock

import pytest
import torch

from aevb.errors import ArgumentError
from aevb.fast.aevb import FastAEVB
from aevb.fast.products import products
from aevb.fast.replay import Replay
from aevb.fast.stack import Stack
from aevb.fast.unseen import unseen
from aevb.learner import Batch, Noise, draw_noise
from tests.aevb.test_fast import DECODERS, D, M, pair

STEPS = 4


def twins(generator, method="aevb", decoder="bernoulli", hidden=(7,), **more):
    """Equal learners past their warm-up."""
    _, learner = pair(method, decoder, hidden, generator, torch.float32, **more)
    learners = learner, copy.deepcopy(learner)
    for batch, noise in steps_of(learner, generator):
        for each in learners:
            each.step(batch, generator, noise)
    return learners


def steps_of(learner, generator):
    """Batches and noise."""
    for _ in range(STEPS):
        batch = Batch(torch.rand(M, D, generator=generator), torch.arange(M))
        yield batch, draw_noise(learner, batch, generator)


def follow(own, replay, steps, generator):
    """Assert that it takes the same steps."""
    for batch, noise in steps:
        one, other = own.step(batch, generator, noise), replay.step(batch, generator, noise)
        assert torch.equal(one.bound, other.bound)
        assert one.samples == other.samples


def assert_alike(one, other):
    states = [torch.cat([p.flatten() for module in (each.model, each.encoder) for p in module.parameters()])
              for each in (one, other)]  # fmt: skip
    assert torch.equal(*states)
    for ours, theirs in zip(one.ascents, other.ascents, strict=True):
        assert ours.steps == theirs.steps
        assert all(map(torch.equal, ours.accumulators, theirs.accumulators))


@pytest.mark.parametrize("library", ["blas", "openblas"])
@pytest.mark.parametrize("hidden", [(), (7, 5)], ids=str)
@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(("method", "estimator"), [("aevb", "a"), ("aevb", "b"), ("wake_sleep", "b")])
@pytest.mark.parametrize("n_samples", [1, 3])
def test_replayed_steps_are_the_learners(method, estimator, n_samples, decoder, hidden, library, generator):
    learner, twin = twins(generator, method, decoder, hidden, estimator=estimator, n_samples=n_samples)
    replay = Replay(twin)
    with products(library):
        follow(learner, replay, steps_of(learner, generator), generator)
    assert not replay.refused
    assert_alike(learner, twin)


def test_the_steps_after_the_first_are_not_the_learners_own(generator, monkeypatch):
    learner, _ = twins(generator)
    replay, (first, *others) = Replay(learner), steps_of(learner, generator)
    replay.step(first[0], generator, first[1])
    monkeypatch.setattr(FastAEVB, "step", None)
    before = [parameter.clone() for parameter in learner.model.parameters()]
    for batch, noise in others:
        replay.step(batch, generator, noise)
    assert not any(map(torch.equal, before, learner.model.parameters()))


def test_what_is_given_stays_as_it_is_and_bounds_are_their_own(generator):
    learner, twin = twins(generator, "wake_sleep")
    replay, steps = Replay(twin), [*steps_of(learner, generator)]
    kept = copy.deepcopy([(batch.x, noise.normal, noise.pixels) for batch, noise in steps])
    bounds = [replay.step(batch, generator, noise).bound for batch, noise in steps]
    for (batch, noise), before in zip(steps, kept, strict=True):
        assert all(map(torch.equal, (batch.x, noise.normal, noise.pixels), before))
    assert all(map(torch.equal, bounds, [learner.step(batch, generator, noise).bound for batch, noise in steps]))


def test_pixels_may_be_put_where_the_replay_has_them(generator):
    learner, twin = twins(generator)
    replay = Replay(twin)
    for batch, noise in steps_of(learner, generator):
        with unseen(replay):
            there = batch if replay.x is None else Batch(replay.x.copy_(batch.x), batch.indices)
            assert torch.equal(learner.step(batch, generator, noise).bound, replay.step(there, generator, noise).bound)


def test_a_stack_is_replayed(generator):
    learners, others = zip(*(twins(generator) for _ in range(2)), strict=True)
    own, replay = Stack(learners), Replay(Stack(others))
    both = zip(*(steps_of(learner, generator) for learner in learners), strict=True)
    steps = []
    for pairs in both:
        x, normal = (torch.stack(each) for each in zip(*((b.x, n.normal) for b, n in pairs), strict=True))
        steps.append((Batch(x, torch.arange(M)), Noise(normal)))
    follow(own, replay, steps, generator)
    for learner, twin in zip(learners, others, strict=True):
        assert_alike(learner, twin)


class InEveryWay(FastAEVB):
    """Changes tensors in the ways that Python has."""

    def step(self, batch, generator, noise=None):
        info = super().step(batch, generator, noise)
        bias = self.model.output.bias.data
        one, other = bias.chunk(2)
        one += 0.01 * batch.x.mean()
        other -= torch.stack([one, 1 - other]).prod(0)
        bias[3:5] = bias[5:7]
        bias[0] *= 0.5
        torch.nn.functional.leaky_relu(one, 0.3, inplace=True)
        torch.nn.functional.relu(other, inplace=True)
        bias.add_(torch.sum(bias).mul(0.1)).add_(torch.mul(bias, 0.1, out=None))
        odd = bias > bias.mean()
        odd &= bias < 1
        bias.add_(odd.float(), alpha=0.01)
        return info


def test_whatever_changes_a_tensor_is_done_again(generator):
    learner, twin = twins(generator)
    learner.__class__ = twin.__class__ = InEveryWay
    replay = Replay(twin)
    follow(learner, replay, steps_of(learner, generator), generator)
    assert not replay.refused
    assert_alike(learner, twin)


@pytest.mark.parametrize("other", ["fewer points", "another type"])
def test_a_batch_that_is_not_like_the_first_is_the_learners_own(other, generator):
    learner, twin = twins(generator)
    replay, steps = Replay(twin), [*steps_of(learner, generator)]
    follow(learner, replay, steps, generator)
    batch, noise = steps[0]
    if other == "another type":
        with pytest.raises(ArgumentError, match="`x`"):
            replay.step(Batch(batch.x.double(), batch.indices), generator, noise)
        return
    few = [(Batch(batch.x[:1], batch.indices[:1]), Noise(noise.normal[:, :1]))]
    follow(learner, replay, [*few, *steps], generator)
    assert_alike(learner, twin)


def test_a_recording_that_was_interrupted_begins_anew(generator, monkeypatch):
    learner, twin = twins(generator)
    replay, (first, *others) = Replay(twin), steps_of(learner, generator)
    with monkeypatch.context() as patched:
        patched.setattr(FastAEVB, "_check", mock.Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            replay.step(first[0], generator, first[1])
    follow(learner, replay, [first, *others], generator)
    assert_alike(learner, twin)


class ReadsBack(FastAEVB):
    """What it does depends on a value."""

    def step(self, batch, generator, noise=None):
        info = super().step(batch, generator, noise)
        if info.bound.mean() > -8:
            self.model.output.bias.data.mul_(0.5)
        return info


@pytest.mark.parametrize("read", ["bool", "item", "tolist"])
def test_a_learner_that_reads_a_value_back_goes_on_by_itself(read, generator, monkeypatch):
    learner, twin = twins(generator)
    learner.__class__ = twin.__class__ = ReadsBack
    if read != "bool":
        monkeypatch.setattr(torch.Tensor, "__bool__", lambda value: bool(getattr(value, read)()))
    replay = Replay(twin)
    follow(learner, replay, steps_of(learner, generator), generator)
    assert replay.refused
    assert_alike(learner, twin)
