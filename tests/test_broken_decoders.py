"""Laws of decoders are broken by something, and say so: a rule, what came and a remedy."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from aevb.model import BernoulliModel, GaussianModel, GenerativeModel
from aevb.testing import (
    DECODER_LAWS,
    LawBroken,
    check_decoder,
)
from aevb.testing.decoder_draws import drawn_pixels_have_the_mean_that_is_shown
from aevb.testing.law import seeded
from aevb.testing.problem import SMALL, Sizes, model_of
from tests.law_broken import law_broken

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

    with law_broken():
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
    with law_broken(said):
        check_decoder(decoder)


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
