"""Laws of bounds and of estimators of log p(x) are broken by something, and say so: a rule, what came and a remedy."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from aevb.errors import ArgumentError
from aevb.estimators import LowerBound, check_noise, lower_bound_a
from aevb.linear_gaussian import exact_posterior
from aevb.marginal.gaussian import FullGaussian
from aevb.marginal.importance import importance_log_likelihood
from aevb.testing import (
    BOUND_LAWS,
    ESTIMATOR_LAWS,
    check_bound,
    check_estimator,
)
from aevb.testing.estimator import Estimator
from baselines.importance_weighted import importance_weighted_bound
from tests.law_broken import law_broken

COUNT = itertools.count()


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
    with law_broken():
        law(BROKEN_BOUNDS[law.__name__], 1)


WRONG_BOUNDS: dict[str, tuple[LowerBound, str]] = {
    "a sum over draws": (lambda *given: len(given[-1]) * lower_bound_a(*given), "log p"),
    "IWAE without its -log K": (
        lambda *given: importance_weighted_bound(*given) + math.log(len(given[-1])),
        "below log p",
    ),
    "detached": (lambda *given: lower_bound_a(*given).detach(), "must have a gradient, got one without"),
    "all draws": (lambda *given: lower_bound_a(*given).expand(len(given[-1]), -1), "must have shape"),
    "a column": (lambda *given: lower_bound_a(*given).unsqueeze(-1), r"must have shape \(5,\), got \(5, 1\)"),
    "a scalar": (lambda *given: lower_bound_a(*given).mean(), r"must have shape \(5,\), got \(\)"),
    "NaN": (lambda *given: math.nan * lower_bound_a(*given), "must be a number everywhere, got 5 of 5"),
    "-inf": (lambda *given: lower_bound_a(*given) - math.inf, "must be a number everywhere, got 5 of 5"),
    "None": (lambda *given: None, "must be a tensor of floats, got None"),
    "a float": (lambda *given: float(lower_bound_a(*given).detach().sum()), "must be a tensor of floats, got -"),
}


@pytest.mark.parametrize("name", WRONG_BOUNDS)
def test_a_wrong_bound_does_not_pass(name: str) -> None:
    bound, said = WRONG_BOUNDS[name]
    with law_broken(said):
        check_bound(bound)


@pytest.mark.parametrize("bound", [lower_bound_a, importance_weighted_bound])
def test_a_right_bound_passes_with_one_draw_and_with_several(bound: LowerBound) -> None:
    check_bound(bound)


@pytest.mark.parametrize("n_samples", [(), 0, (1, 0), "3", None])
def test_a_bound_is_tried_with_one_draw_at_least(n_samples: object) -> None:
    with pytest.raises(ArgumentError, match="`n_samples` must"):
        check_bound(lower_bound_a, n_samples)


def changed(**fields: Callable[[Tensor], Tensor]) -> Estimator:
    """Importance sampling with some of what it says changed."""

    def estimator(model, x, z, g):
        posterior = exact_posterior(model, x)
        wider = FullGaussian(posterior.mean, 1.3 * posterior.cholesky)  # with the posterior there would be no error
        estimate = importance_log_likelihood(model, x, wider, g)
        return replace(estimate, **{name: change(getattr(estimate, name)) for name, change in fields.items()})

    return estimator


def exact(model, x, z, generator):
    return importance_log_likelihood(model, x, exact_posterior(model, x), generator)


def exact_but(off: float, error: float) -> Estimator:
    """Exact estimates, moved by `off`, with this error, and all trusted."""

    def estimator(*given):
        estimate = exact(*given)
        errors = torch.full_like(estimate.standard_error, error)
        return replace(estimate, log_likelihood=estimate.log_likelihood + off, standard_error=errors)

    return estimator


def mixed(share: float, error: float) -> Estimator:
    """Exact estimates with some of the batch's mean in each."""

    def estimator(*given):
        estimate = exact_but(0, error)(*given)
        nats = estimate.log_likelihood
        return replace(estimate, log_likelihood=(1 - share) * nats + share * nats.mean())

    return estimator


BROKEN_ESTIMATORS = {
    "an_estimate_has_every_field_for_every_datapoint_and_the_same_generator_gives_it_again": changed(
        log_likelihood=lambda nats: nats + 1e-9 * next(COUNT)
    ),
    "trusted_estimates_are_right_within_their_errors_and_untrusted_ones_are_few": changed(
        standard_error=lambda error: error / 10
    ),
    "an_estimate_does_not_depend_on_its_company": mixed(0.1, 0.3),
    "it_refuses_what_is_no_number": lambda model, x, z, g: None,
}


@pytest.mark.parametrize("law", ESTIMATOR_LAWS, ids=lambda law: law.__name__)
def test_an_estimator_that_breaks_a_law_is_found_out(law: Callable) -> None:
    with law_broken():
        law(BROKEN_ESTIMATORS[law.__name__])


WRONG_ESTIMATORS: dict[str, tuple[Estimator, str]] = {
    "None": (lambda model, x, z, g: None, "must return a MarginalEstimate, got None"),
    "a tensor": (lambda model, x, z, g: x.sum(-1), "must return a MarginalEstimate, got Tensor"),
    "a float": (changed(ess=lambda ess: 3.0), "`ess` must be a tensor, got 3.0"),
    "a scalar": (changed(log_likelihood=lambda nats: nats.sum()), r"`log_likelihood` must have shape .*, got \(\)"),
    "a column": (changed(trusted=lambda trusted: trusted.unsqueeze(-1)), "`trusted` must have shape"),
    "trust in numbers": (changed(trusted=lambda trusted: trusted.double()), "`trusted` must be of booleans"),
    "NaN": (changed(log_likelihood=lambda nats: math.nan * nats), "a trusted estimate must be finite"),
    "an error without end": (exact_but(0.9, math.inf), "the error of a trusted estimate must be finite, got 60"),
    "an error that is none": (exact_but(0.9, math.nan), "must not be negative"),
    "an error that hides a bias": (exact_but(0.9, 0.49), r"must be log p\(x\) within 0.4 nats in mean.*got \+0.9"),
    "a small bias with a small error": (exact_but(-0.1, 0.1), "nats in mean.*got -0.1"),
    "an error beyond use": (exact_but(0.9, 0.9), "errors of trusted estimates must be below 0.5 nats"),
    "a tenth of the batch's mean": (mixed(0.1, 0.3), "must not depend on its company"),
    "trust by company": (
        changed(
            trusted=lambda trusted: torch.where(torch.tensor(len(trusted) == 40), torch.zeros_like(trusted), trusted)
        ),
        "must be trusted in any company",
    ),
}


@pytest.mark.parametrize("name", WRONG_ESTIMATORS)
def test_an_estimator_of_another_form_is_found_out(name: str) -> None:
    estimator, said = WRONG_ESTIMATORS[name]
    with law_broken(said):
        check_estimator(estimator)


def test_an_exact_estimator_keeps_every_law():
    check_estimator(exact)


def test_an_estimator_that_is_right_within_a_wide_error_keeps_every_law():
    check_estimator(exact_but(0.0, 0.3))


def noisy(scale: float) -> Estimator:
    """Exact estimates with noise of this scale, and with its size as their error."""

    def estimator(model, x, z, generator):
        estimate = exact_but(0, scale)(model, x, z, generator)
        noise = scale * torch.randn(len(x), dtype=x.dtype, generator=generator)
        return replace(estimate, log_likelihood=estimate.log_likelihood + noise)

    return estimator


@pytest.mark.parametrize("scale", [1e-3, 0.03, 0.3])
def test_an_estimator_whose_errors_are_those_it_says_keeps_every_law(scale):
    check_estimator(noisy(scale))
