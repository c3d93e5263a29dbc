"""Laws of decoders, bounds and estimators are broken by something, and say so: a rule, what came and a remedy."""

import itertools
import math
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from aevb.errors import ArgumentError
from aevb.estimators import LowerBound, check_noise, lower_bound_a
from aevb.linear_gaussian import exact_posterior
from aevb.marginal.gaussian import FullGaussian
from aevb.marginal.importance import importance_log_likelihood
from aevb.model import BernoulliModel, GaussianModel, GenerativeModel
from aevb.testing import (
    BOUND_LAWS,
    DECODER_LAWS,
    ESTIMATOR_LAWS,
    LawBroken,
    check_bound,
    check_decoder,
    check_estimator,
)
from aevb.testing.decoder_draws import drawn_pixels_have_the_mean_that_is_shown
from aevb.testing.estimator import Estimator
from aevb.testing.law import seeded
from aevb.testing.problem import SMALL, Sizes, model_of
from baselines.importance_weighted import importance_weighted_bound

WORDS = r"must .*, got .*: "
COUNT = itertools.count()

BROKEN_DECODERS: dict[str, Callable[[GaussianModel], object]] = {
    "the_same_generator_makes_the_same_weights": lambda model: nn.init.constant_(model.output.bias, next(COUNT)),
    "each_datapoint_has_its_own_density": lambda model: setattr(
        model, "log_likelihood", lambda x, z: GaussianModel.log_likelihood(model, x - x.mean(0), z)
    ),
    "the_joint_is_prior_times_likelihood": lambda model: setattr(model, "log_joint", model.log_likelihood),
    "noise_comes_from_the_generator_alone": lambda model: setattr(
        model, "pixel_noise", lambda rows, generator: torch.randn(rows, model.n_pixels, dtype=model.output.bias.dtype)
    ),
    "all_that_it_returns_is_of_the_type_of_its_weights": lambda model: setattr(
        model, "pixel_noise", lambda rows, generator: torch.randn(rows, model.n_pixels, generator=generator)
    ),
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


@pytest.mark.parametrize("sizes", [SMALL, Sizes(3, 784)], ids=str)
@pytest.mark.parametrize("law", DECODER_LAWS, ids=lambda law: law.__name__)
def test_a_decoder_that_breaks_a_law_is_found_out(law: Callable, sizes: Sizes) -> None:
    def make(*sizes, **how):
        model = GaussianModel(*sizes, **how)
        BROKEN_DECODERS[law.__name__](model)
        return model

    with pytest.raises(LawBroken, match=WORDS):
        law(make, sizes)


WRONG_DECODERS: dict[str, tuple[Callable, str]] = {
    "None": (lambda own, x, z: None, "log_likelihood must be a tensor of floats, got None"),
    "a float": (lambda own, x, z: float(own(x, z).detach().sum()), "log_likelihood must be a tensor of floats"),
    "a scalar": (lambda own, x, z: own(x, z).sum(), r"log_likelihood must have shape .*, got \(\)"),
    "an axis too many": (lambda own, x, z: own(x, z).unsqueeze(-1), "log_likelihood must have shape"),
    "NaN": (lambda own, x, z: math.nan * own(x, z), "log_likelihood must be a number everywhere, got"),
}
WHERE_Z_IS_DETACHED = {
    "z": (lambda own, x, z: own(x, z.detach()), "must have a gradient in z, got one in the weights alone"),
    "all": (lambda own, x, z: own(x, z).detach(), "must have a gradient in z, got none at all"),
}
WITH_LIKELIHOODS = [law for law in DECODER_LAWS if law.__name__ not in (
    "the_same_generator_makes_the_same_weights", "drawn_pixels_have_the_mean_that_is_shown",
    "noise_comes_from_the_generator_alone", "all_that_it_returns_is_of_the_type_of_its_weights",
)]  # fmt: skip


def decoder_with(likelihood: Callable) -> Callable:
    """The Gaussian decoder whose log p(x|z) this makes of its own."""

    class Changed(GaussianModel):
        def log_likelihood(self, x, z):
            return likelihood(super().log_likelihood, x, z)

    return Changed


@pytest.mark.parametrize("law", WITH_LIKELIHOODS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", WRONG_DECODERS)
def test_every_law_of_densities_says_what_a_decoder_returns_that_is_none(name: str, law: Callable) -> None:
    likelihood, said = WRONG_DECODERS[name]
    with pytest.raises(LawBroken, match=said):
        law(decoder_with(likelihood))


@pytest.mark.parametrize("name", WHERE_Z_IS_DETACHED)
def test_a_decoder_without_a_gradient_in_z_is_found_out(name: str) -> None:
    likelihood, said = WHERE_Z_IS_DETACHED[name]
    with pytest.raises(LawBroken, match=said):
        check_decoder(decoder_with(likelihood))


@pytest.mark.parametrize("value", [None, torch.zeros(()), 0.5])
@pytest.mark.parametrize("name", ["pixel_mean", "sample_pixels"])
def test_a_decoder_whose_pixels_are_none_is_found_out(name: str, value: object) -> None:
    changed = type("Changed", (GaussianModel,), {name: lambda self, *given: value})
    with pytest.raises(LawBroken, match=f"`{name}`.* must .*, got"):
        drawn_pixels_have_the_mean_that_is_shown(changed)


def with_method(name: str, method: Callable, base: type[GenerativeModel] = GaussianModel) -> type[GenerativeModel]:
    """This decoder with a method that is given the old one and what it is called with."""
    own = getattr(base, name)
    return type("Changed", (base,), {name: lambda self, *given: method(lambda *given: own(self, *given), self, *given)})


def unsaid(log_odds: float) -> Callable:
    """A Bernoulli decoder with about such log-odds, which does not say that its pixels lie in [0, 1]."""

    class Unsaid(BernoulliModel):
        unit_interval = False

        def logits(self, z):
            return 0.1 * super().logits(z) + log_odds

    return Unsaid


WRONG_DRAWS: dict[str, tuple[Callable, str]] = {
    "torch's own generator": (
        with_method("pixel_noise", lambda own, self, rows, g: torch.randn(rows, self.n_pixels).double()),
        "the same generator must give the same `pixel_noise`, got another",
    ),
    "a generator of its own": (
        with_method("pixel_noise", lambda own, self, rows, g: own(rows, seeded(rows))),
        "a generator must give other `pixel_noise` each time, got the same",
    ),
    "pixels beside the noise": (
        with_method("sample_pixels", lambda own, self, z, g: own(z, torch.Generator().manual_seed(next(COUNT)))),
        "the same generator must give the same `sample_pixels`",
    ),
    "noise of one row": (
        with_method("pixel_noise", lambda own, self, rows, g: own(1, g)),
        "`pixel_noise` must have shape",
    ),
    "pixels of float32": (
        with_method("pixels_at", lambda own, self, z, noise: own(z, noise).float()),
        "`pixels_at` of a decoder in float64 must be of float64, got float32: ",
    ),
    "densities of float32": (
        with_method("log_likelihood", lambda own, self, x, z: own(x, z).float()),
        "`log_likelihood` of a decoder in float64 must be of float64, got float32",
    ),
    "densities of float64": (
        with_method("log_likelihood", lambda own, self, x, z: own(x, z).double()),
        "`log_likelihood` of a decoder in float32 must be of float32, got float64",
    ),
    "means of float64": (
        with_method("pixel_mean", lambda own, self, z: own(z).double()),
        "`pixel_mean` of a decoder in float32 must be of float32, got float64",
    ),
    "float64 alone": (
        with_method("pixel_mean", lambda own, self, z: own(z) + 0 * z @ torch.ones(2, 6, dtype=torch.float64)),
        "a decoder in float32 must answer, got RuntimeError: ",
    ),
    "zeros and ones that are not said": (unsaid(0.0), "`unit_interval` must be True where all pixels are 0 or 1"),
    "most of them zeros": (unsaid(-3.0), "`unit_interval` must be True where all pixels are 0 or 1"),
}


@pytest.mark.parametrize("name", WRONG_DRAWS)
def test_a_decoder_whose_draws_or_types_are_wrong_does_not_pass(name: str) -> None:
    decoder, said = WRONG_DRAWS[name]
    with pytest.raises(LawBroken, match=said) as broken:
        check_decoder(decoder)
    assert re.search(WORDS, str(broken.value))


def test_a_decoder_of_narrow_pixels_need_not_lie_in_the_unit_interval() -> None:
    """Draws of its may all lie there; x outside has a density all the same."""

    def narrow(*sizes, **how):
        model = GaussianModel(*sizes, **how, log_var="constant")
        nn.init.constant_(model.log_var.bias, -10.0)
        return model

    pixels = model_of(narrow).sample_pixels(torch.randn(1000, 2, dtype=torch.float64, generator=seeded(0)), seeded(1))
    assert (pixels >= 0).all()
    assert (pixels <= 1).all()
    drawn_pixels_have_the_mean_that_is_shown(narrow)


def test_of_pixels_that_are_seldom_on_nobody_knows_that_they_are_never_two() -> None:
    drawn_pixels_have_the_mean_that_is_shown(unsaid(-6.0))


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
    with pytest.raises(LawBroken, match=said) as broken:
        check_bound(bound)
    assert re.search(WORDS, str(broken.value))


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
    with pytest.raises(LawBroken, match=WORDS):
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
    with pytest.raises(LawBroken, match=said) as broken:
        check_estimator(estimator)
    assert re.search(WORDS, str(broken.value))


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
