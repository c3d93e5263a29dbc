"""A learner that breaks a law is found out, and so is one that is wrong in another way."""

import copy
import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from aevb.aevb import AEVB
from aevb.errors import ArgumentError
from aevb.learner import StepInfo
from aevb.model import BernoulliModel, GaussianModel
from aevb.testing import (
    LEARNER_LAWS,
    LawBroken,
    check_learner,
)
from aevb.testing.problem import N
from baselines.wake_sleep import WakeSleep
from tests.law_broken import law_broken


class Forgetful(AEVB):
    """Loads its networks, and not its ascent."""

    def load_state_dict(self, state):
        super().load_state_dict({**state, "ascent": self._ascent.state_dict()})


class Restless(AEVB):
    """Draws from everybody's generator."""

    def step(self, batch, generator, noise=None):
        return super().step(batch, torch.Generator().manual_seed(torch.initial_seed() + next(COUNT)), noise)


class Monotonous(AEVB):
    """Draws the same noise at every step."""

    def step(self, batch, generator, noise=None):
        return super().step(batch, torch.Generator().manual_seed(0), noise)


class Deaf(AEVB):
    """Draws noise of its own, whatever it is given."""

    def step(self, batch, generator, noise=None):
        return super().step(batch, generator)


class Live(AEVB):
    """Gives tensors that go on with it as its state."""

    def state_dict(self):
        return {name: part.state_dict() for name, part in self._parts().items()}


class Piecemeal(AEVB):
    """Loads part by part, until one refuses."""

    def load_state_dict(self, state):
        for name, part in self._parts().items():
            part.load_state_dict(copy.deepcopy(state[name]))


def with_objective(objective_of: Callable) -> type[AEVB]:
    """AEVB that climbs what this makes of the datapoints' bounds."""

    class Changed(AEVB):
        def step(self, batch, generator, noise=None):
            self._check(batch)
            noise = self._noise(batch, generator, noise)
            bound = self._estimator(self.model, self._q, batch.x, noise.normal)
            self._ascent.step(objective_of(bound), prior_scale=len(batch.x) / self._n_datapoints)
            return StepInfo(bound.detach(), len(batch.x))

    return Changed


class Boastful(AEVB):
    """Reports a bound without its KL."""

    def step(self, batch, generator, noise=None):
        kl = self.encoder(batch.x).kl_to_standard_normal().detach()
        info = super().step(batch, generator, noise)
        return StepInfo(info.bound + kl, info.samples)


class Blind(AEVB):
    """Looks at no batch."""

    def _check(self, batch):
        return False


class Idle(AEVB):
    """Learns nothing."""

    def step(self, batch, generator, noise=None):
        before = [p.detach().clone() for p in self.model.parameters()]
        info = super().step(batch, generator, noise)
        with torch.no_grad():
            for parameter, kept in zip(self.model.parameters(), before, strict=True):
                parameter.copy_(kept)
        return info


class Mute(AEVB):
    """Says nothing of its bound."""

    def step(self, batch, generator, noise=None):
        return StepInfo(None, super().step(batch, generator, noise).samples)


def with_steps(change: Callable) -> type[AEVB]:
    """AEVB whose step reports what `change` makes of it."""

    class Changed(AEVB):
        def step(self, batch, generator, noise=None):
            return change(super().step(batch, generator, noise))

    return Changed


def with_encoder_steps(factor: float) -> type[AEVB]:
    """AEVB whose encoder goes this many times as far."""

    class Changed(AEVB):
        def step(self, batch, generator, noise=None):
            before = [p.detach().clone() for p in self.encoder.parameters()]
            info = super().step(batch, generator, noise)
            with torch.no_grad():
                for parameter, kept in zip(self.encoder.parameters(), before, strict=True):
                    parameter.copy_(kept + factor * (parameter - kept))
            return info

    return Changed


def with_prior_scale(scale_of: Callable[[int, int], float]) -> type[AEVB]:
    """AEVB whose prior has this scale, by M and N."""

    class Changed(AEVB):
        def step(self, batch, generator, noise=None):
            noise = self._noise(batch, generator, noise)
            bound = self._estimator(self.model, self._q, batch.x, noise.normal)
            self._ascent.step(bound.sum(), prior_scale=scale_of(len(batch.x), self._n_datapoints))
            return StepInfo(bound.detach(), len(batch.x))

    return Changed


COUNT = itertools.count()
BROKEN_LEARNERS = {
    "a_step_says_what_it_did": Mute,
    "the_same_seed_gives_the_same_steps_bit_for_bit": Restless,
    "each_step_draws_noise_of_its_own": Monotonous,
    "a_step_takes_the_noise_that_it_is_given": Deaf,
    "every_row_of_a_batch_moves_the_parameters": with_objective(lambda bound: 2 * bound[: len(bound) // 2].sum()),
    "a_state_stays_as_it_was_while_the_learner_goes_on": Live,
    "a_state_that_is_refused_changes_nothing": Piecemeal,
    "one_that_is_saved_and_loaded_goes_on_as_if_nothing_had_happened": Forgetful,
    "the_reported_bound_is_below_the_exact_log_likelihood_and_near_it_at_the_exact_posterior": Boastful,
    "training_raises_the_likelihood_of_what_is_trained_on": Idle,
    "training_brings_the_encoder_nearer_to_the_posterior": with_encoder_steps(0),
    "the_prior_weighs_by_the_share_of_the_training_set": with_prior_scale(lambda m, n: n),
    "it_refuses_what_the_model_does_not_take": Blind,
}


@pytest.mark.parametrize("law", LEARNER_LAWS, ids=lambda law: law.__name__)
def test_a_learner_that_breaks_a_law_is_found_out(law: Callable) -> None:
    with law_broken():
        law(BROKEN_LEARNERS[law.__name__], BernoulliModel)


class Bound(AEVB):
    """Takes no third argument."""

    def step(self, batch, generator):
        return super().step(batch, generator)


class Refusing(AEVB):
    """Takes no noise, and does not say so."""

    def step(self, batch, generator, noise=None):
        if noise is not None:
            raise TypeError("no noise, please")
        return super().step(batch, generator)


class Wakeful(WakeSleep):
    """Wake-sleep that takes its normal noise, and dreams of its own accord."""

    def step(self, batch, generator, noise=None):
        if noise is not None:
            noise = replace(noise, pixels=self.model.pixel_noise(len(batch.x), generator))
        return super().step(batch, generator, noise)


class Sharing(AEVB):
    """Goes on in the tensors that it was given to load."""

    def load_state_dict(self, state):
        super().load_state_dict(state)
        for parameter, tensor in zip(self.model.parameters(), state["model"].values(), strict=True):
            parameter.data = tensor


WRONG_LEARNERS = {
    "a step without noise": (Bound, r"`step` must take \(batch, generator, noise=None\), got \(batch, generator\)"),
    "a step that raises when given noise": (Refusing, "a step that is given its noise must answer, got TypeError"),
    "noise that is drawn beside what is given": (Deaf, "a step must take the noise that it is given"),
    "dreams that are drawn beside what is given": (Wakeful, "a step must take the noise that it is given"),
    "half of the batch": (
        with_objective(lambda bound: 2 * bound[: len(bound) // 2].sum()),
        "every row of a batch must move the parameters, got 5 of 10 that do not",
    ),
    "all but the last row": (
        with_objective(lambda bound: bound[:-1].sum()),
        "every row of a batch must move the parameters, got 1 of 10 that do not",
    ),
    "a state that goes on": (Live, "a state must stay as it was"),
    "a state that is gone on in": (Sharing, "a state must stay as it was"),
    "an encoder that goes down": (with_encoder_steps(-1), "KL"),
    "an encoder that stays": (with_encoder_steps(0), "KL"),
    "a prior times N": (with_prior_scale(lambda m, n: n), "prior's weight"),
    "a prior times M": (with_prior_scale(lambda m, n: m), "prior's weight"),
    "a prior for each minibatch": (with_prior_scale(lambda m, n: 1), "prior's weight"),
    "ten times the samples": (with_steps(lambda info: replace(info, samples=10 * info.samples)), "count 10 samples"),
    "all samples": (with_steps(lambda info: replace(info, samples=N)), "count 10 samples"),
    "samples that are none": (with_steps(lambda info: replace(info, samples=None)), "count 10 samples"),
    "no information": (with_steps(lambda info: None), "must return a StepInfo, got None"),
    "a bound in a tuple": (with_steps(lambda info: (info.bound, info.samples)), "must return a StepInfo"),
    "one bound for all": (with_steps(lambda info: replace(info, bound=info.bound.mean())), "must have shape"),
    "a float": (with_steps(lambda info: replace(info, bound=float(info.bound.mean()))), "tensor of floats"),
    "NaN": (with_steps(lambda info: replace(info, bound=math.nan * info.bound)), "must be a number everywhere"),
    "a bound with gradients": (
        with_steps(lambda info: replace(info, bound=info.bound.requires_grad_())),
        "without gradients",
    ),
}


@pytest.mark.parametrize("decoder", [BernoulliModel, GaussianModel])
@pytest.mark.parametrize("name", WRONG_LEARNERS)
def test_a_wrong_learner_does_not_pass(name: str, decoder: type) -> None:
    learner, said = WRONG_LEARNERS[name]
    with law_broken(said):
        check_learner(learner, [decoder])


def without(*names: str, **others: object) -> Callable:
    """A learner that inherits from nothing and does what AEVB does, less these members, and with others of its own."""

    class Bare:
        def __init__(self, *given):
            own = AEVB(*given)
            members = {name: getattr(own, name) for name in MEMBERS} | others
            vars(self).update({name: value for name, value in members.items() if name not in names})

    return Bare


MEMBERS = ("model", "encoder", "n_normal", "dreams", "step", "diagnostics", "state_dict", "load_state_dict")


@pytest.mark.parametrize("name", MEMBERS)
def test_a_learner_that_lacks_a_member_is_told_which(name: str) -> None:
    with pytest.raises(LawBroken, match=f"must have all of `aevb.learner.Learner`, got no {name}: add it"):
        check_learner(without(name), [BernoulliModel])


def test_a_learner_that_inherits_from_nothing_keeps_every_law() -> None:
    check_learner(without(), [BernoulliModel])


@pytest.mark.parametrize(
    ("name", "value"), [("n_normal", None), ("n_normal", 1.5), ("n_normal", -1), ("dreams", None), ("dreams", 1)]
)
def test_a_learner_says_what_noise_it_takes(name: str, value: object) -> None:
    with pytest.raises(LawBroken, match=f"`{name}` must be .*, got {value}: set"):
        check_learner(without(**{name: value}), [BernoulliModel])


def draws_without_noise() -> type:
    """AEVB that takes no noise, as `LearnerState` says unless told otherwise, and draws for itself in its own way."""

    class Own(AEVB):
        def __init__(self, *given):
            super().__init__(*given)
            self._own, self.n_normal = AEVB(*given), 0
            self._ascent = self._own._ascent

        def step(self, batch, generator, noise=None):
            assert noise is None
            torch.randn(1, generator=generator)
            return self._own.step(batch, generator)

    return Own


def test_a_learner_that_takes_no_noise_is_given_none() -> None:
    check_learner(draws_without_noise(), [BernoulliModel])


@pytest.mark.parametrize("decoders", [[], (), BernoulliModel])
def test_a_learner_is_held_to_laws_with_one_decoder_at_least(decoders: object) -> None:
    with pytest.raises(ArgumentError, match="`decoders` must be a list of one class or more, got"):
        check_learner(AEVB, decoders)
