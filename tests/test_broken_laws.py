"""Each law of `aevb.testing` is broken by something, and finds it out with a rule, what came and a remedy."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from aevb.aevb import AEVB
from aevb.estimators import LowerBound, check_noise, lower_bound_a
from aevb.learner import StepInfo
from aevb.linear_gaussian import exact_posterior
from aevb.marginal.gaussian import FullGaussian
from aevb.marginal.importance import importance_log_likelihood
from aevb.model import BernoulliModel, GaussianModel
from aevb.testing import BOUND_LAWS, DECODER_LAWS, ESTIMATOR_LAWS, LEARNER_LAWS, LawBroken
from aevb.testing.estimator import Estimator, check_estimator

WORDS = r"must .*, got .*: "


class Forgetful(AEVB):
    """Loads its networks, and not its ascent."""

    def load_state_dict(self, state):
        super().load_state_dict({**state, "ascent": self._ascent.state_dict()})


class Restless(AEVB):
    """Draws from everybody's generator."""

    def step(self, batch, generator, noise=None):
        return super().step(batch, torch.Generator().manual_seed(torch.initial_seed() + next(COUNT)), noise)


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


COUNT = itertools.count()
BROKEN_LEARNERS = {
    "a_step_says_what_it_did": Mute,
    "the_same_seed_gives_the_same_steps_bit_for_bit": Restless,
    "one_that_is_saved_and_loaded_goes_on_as_if_nothing_had_happened": Forgetful,
    "the_reported_bound_is_below_the_exact_log_likelihood_and_near_it_at_the_exact_posterior": Boastful,
    "training_raises_the_likelihood_of_what_is_trained_on": Idle,
    "it_refuses_what_the_model_does_not_take": Blind,
}


@pytest.mark.parametrize("law", LEARNER_LAWS, ids=lambda law: law.__name__)
def test_a_learner_that_breaks_a_law_is_found_out(law: Callable) -> None:
    with pytest.raises(LawBroken, match=WORDS):
        law(BROKEN_LEARNERS[law.__name__], BernoulliModel)


BROKEN_DECODERS: dict[str, Callable[[GaussianModel], object]] = {
    "the_same_generator_makes_the_same_weights": lambda model: nn.init.normal_(model.output.bias),
    "each_datapoint_has_its_own_density": lambda model: setattr(
        model, "log_likelihood", lambda x, z: GaussianModel.log_likelihood(model, x - x.mean(0), z)
    ),
    "the_joint_is_prior_times_likelihood": lambda model: setattr(model, "log_joint", model.log_likelihood),
    "drawn_pixels_have_the_mean_that_is_shown": lambda model: setattr(
        model, "pixel_mean", lambda z: GaussianModel.pixel_mean(model, z) + 0.1
    ),
    "densities_are_normalised": lambda model: setattr(
        model, "log_likelihood", lambda x, z: GaussianModel.log_likelihood(model, x, z) + z.sum(-1)
    ),
    "its_gradient_in_z_is_that_of_finite_differences": lambda model: setattr(
        model,
        "log_likelihood",
        lambda x, z: GaussianModel.log_likelihood(model, x, z) + 0 * z.sum(-1) + z.detach()[..., 0],
    ),
    "the_density_that_chains_sample_is_the_joint_and_its_gradient": lambda model: setattr(
        model, "log_joint", lambda x, z: GaussianModel.log_joint(model, x, z) + z.sum(-1)
    ),
}


@pytest.mark.parametrize("law", DECODER_LAWS, ids=lambda law: law.__name__)
def test_a_decoder_that_breaks_a_law_is_found_out(law: Callable) -> None:
    def make(*sizes, **how):
        model = GaussianModel(*sizes, **how)
        BROKEN_DECODERS[law.__name__](model)
        return model

    with pytest.raises(LawBroken, match=WORDS):
        law(make)


def no_prior(model, encoder, x, eps):
    """Without log p(z)."""
    check_noise(model, x, eps)
    q = encoder(x)
    return (model.log_likelihood(x, q.at(eps)) - q.log_density(q.at(eps))).mean(0)


BROKEN_BOUNDS: dict[str, LowerBound] = {
    "it_is_below_the_exact_log_likelihood": no_prior,
    "it_is_the_exact_log_likelihood_at_the_exact_posterior": no_prior,
    "its_gradient_is_unbiased": lambda model, encoder, x, eps: lower_bound_a(
        model, lambda x: encoder(x).detach(), x, eps
    ),
    "it_refuses_noise_of_another_shape": lambda model, encoder, x, eps: eps.sum((0, 2)),
}


@pytest.mark.parametrize("law", BOUND_LAWS, ids=lambda law: law.__name__)
def test_a_bound_that_breaks_a_law_is_found_out(law: Callable) -> None:
    with pytest.raises(LawBroken, match=WORDS):
        law(BROKEN_BOUNDS[law.__name__], 1)


def changed(**fields: Callable[[Tensor], Tensor]) -> Estimator:
    """Importance sampling with some of what it says changed."""

    def estimator(model, x, z, g):
        posterior = exact_posterior(model, x)
        wider = FullGaussian(posterior.mean, 1.3 * posterior.cholesky)  # with the posterior there would be no error
        estimate = importance_log_likelihood(model, x, wider, g)
        return replace(estimate, **{name: change(getattr(estimate, name)) for name, change in fields.items()})

    return estimator


BROKEN_ESTIMATORS = {
    "an_estimate_has_every_field_for_every_datapoint_and_the_same_generator_gives_it_again": changed(
        log_likelihood=lambda nats: nats + 1e-9 * next(COUNT)
    ),
    "trusted_estimates_are_right_within_their_errors_and_untrusted_ones_are_few": changed(
        standard_error=lambda error: error / 10
    ),
    "it_refuses_what_is_no_number": lambda model, x, z, g: None,
}


@pytest.mark.parametrize("law", ESTIMATOR_LAWS, ids=lambda law: law.__name__)
def test_an_estimator_that_breaks_a_law_is_found_out(law: Callable) -> None:
    with pytest.raises(LawBroken, match=WORDS):
        law(BROKEN_ESTIMATORS[law.__name__])


def test_an_exact_estimator_keeps_every_law():
    def exact(model, x, z, generator):
        return importance_log_likelihood(model, x, exact_posterior(model, x), generator)

    check_estimator(exact)
