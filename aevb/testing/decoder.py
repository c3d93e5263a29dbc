"""Laws of decoders p(x|z)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from aevb import checks, hmc
from aevb.densities import standard_normal_log_density
from aevb.fast.posterior import posterior
from aevb.marginal.ais import simulate
from aevb.model import GenerativeModel
from aevb.testing.decoder_draws import (
    all_that_it_returns_is_of_the_type_of_its_weights,
    drawn_pixels_have_the_mean_that_is_shown,
    draws_of,
    noise_comes_from_the_generator_alone,
)
from aevb.testing.law import SIGMAS, demand, demand_numbers, mean_and_error, seeded
from aevb.testing.problem import LATENTS, PIXELS, SMALL, MakeDecoder, N, Sizes, demand_answers, model_of
from aevb.threads import one_thread

EACH_ROW = "return one number of nats for each z: sum over the pixels, the last axis"
DETACH_NOTHING = "detach nothing, and leave gradients on"


@one_thread()
def check_decoder(decoder: MakeDecoder, *, n_latent: int = LATENTS, n_pixels: int = PIXELS) -> None:
    """Hold a decoder to every law.

    Args:
        decoder: its class, or a function that makes one; called with (n_latent, n_pixels, hidden), and with init_std
            and generator if it takes them.
        n_latent: size of z.
        n_pixels: size of x; 784, say, for a convolution that is made for images of 28×28.

    Raises:
        ArgumentError: a size is no whole number of at least 1.
        LawBroken: the first law that it does not keep.
    """
    checks.whole(1, n_latent=n_latent, n_pixels=n_pixels)
    sizes = Sizes(n_latent, n_pixels)
    demand_answers(decoder, sizes, "for others call check_decoder with n_latent and n_pixels")
    for law in DECODER_LAWS:
        law(decoder, sizes)


def the_same_generator_makes_the_same_weights(decoder: MakeDecoder, sizes: Sizes = SMALL) -> None:
    """Initial weights come from the generator, or from torch's own, and are of the sizes asked for."""
    one, other = ([*model_of(decoder, sizes=sizes).state_dict().values()] for _ in range(2))
    equal = all(torch.equal(mine, its) for mine, its in zip(one, other, strict=True))
    remedy = "draw them from it, or from torch's own, which is seeded"
    demand(equal, "the same generator must make the same weights", "others", remedy)
    model = model_of(decoder, sizes=sizes)
    got = getattr(model, "n_latent", None), getattr(model, "n_pixels", None)
    demand(got == sizes, f"n_latent and n_pixels must be {tuple(sizes)}", got, "set both attributes")


def each_datapoint_has_its_own_density(decoder: MakeDecoder, sizes: Sizes = SMALL) -> None:
    """log p(x|z) has a number for each row, which no other row moves; x broadcasts against leading axes of z."""
    model = model_of(decoder, sizes=sizes)
    x, z = simulate(model, N, seeded(9))
    with torch.no_grad():
        together, leading = _log_likelihood(model, x, z), _log_likelihood(model, x, z.expand(3, N, -1))
        alone = torch.stack([_log_likelihood(model, x[n : n + 1], z[n : n + 1])[0] for n in range(N)])
    apart = torch.maximum((together - alone).abs().max(), (leading - alone).abs().max())
    rule = "a datapoint's log p(x|z) must not depend on its company"
    demand(apart < 1e-9, rule, f"{float(apart):.2g} nats apart", "use no statistics of the batch")


def the_joint_is_prior_times_likelihood(decoder: MakeDecoder, sizes: Sizes = SMALL) -> None:
    """log p(x, z) = log N(z; 0, I) + log p(x|z)."""
    model = model_of(decoder, sizes=sizes)
    x, z = simulate(model, N, seeded(9))
    with torch.no_grad():
        parts = standard_normal_log_density(z) + _log_likelihood(model, x, z)
        joint = demand_numbers(model.log_joint(x, z), (N,), "log p(x, z)", "leave `log_joint` as it is")
        off = (joint - parts).abs().max()
    rule = "log p(x, z) must be log N(z; 0, I) + log p(x|z)"
    demand(off < 1e-9, rule, f"{float(off):.2g} nats apart", "leave `log_joint` as it is")


def densities_are_normalised(decoder: MakeDecoder, sizes: Sizes = SMALL) -> None:
    """E[p(x|z′)/p(x|z)] over x ~ p(x|z) is 1: no constant that depends on z is missing, and draws are of this density.

    A constant that is the same for all z cancels, and is not seen.
    """
    model, generator = model_of(decoder, sizes=sizes), seeded(13)
    ratios = []
    for row in torch.randn(4, 1, sizes.n_latent, dtype=torch.float64, generator=seeded(12)):
        z = row.expand(5 * draws_of(sizes), -1)
        with torch.no_grad():
            x = model.sample_pixels(z, generator)
            ratios.append((_log_likelihood(model, x, z + 0.1 * _nearness(sizes)) - _log_likelihood(model, x, z)).exp())
    mean, error = mean_and_error(torch.stack(ratios, 1))
    rule = "p(x|z) must be normalised, and `sample_pixels` draw from it"
    right = (mean - 1).abs() < SIGMAS * error + 1e-12
    demand(right, rule, f"mean ratios {mean.tolist()}", "mind what depends on z")


def the_density_that_chains_sample_is_the_joint_and_its_gradient(decoder: MakeDecoder, sizes: Sizes = SMALL) -> None:
    """Hamiltonian Monte Carlo gets log p(x, z) and its gradient in z, as autograd has it."""
    model = model_of(decoder, sizes=sizes)
    x, z = simulate(model, N, seeded(14))
    _log_likelihood(model, x, z)
    leaf = z.clone().requires_grad_()
    value = demand_numbers(model.log_joint(x, leaf), (N,), "log p(x, z)", "leave `log_joint` as it is")
    gradient = _gradient(value, leaf, "log p(x, z)")
    state = hmc.evaluate(posterior(model, x), z)
    off = max(float((state.log_density - value.detach()).abs().max()), float((state.gradient - gradient).abs().max()))
    demand(off < 1e-6, "chains must sample p(x, z)", f"{off:.2g} nats apart", "keep gradients in z")


def its_gradient_in_z_is_that_of_finite_differences(decoder: MakeDecoder, sizes: Sizes = SMALL) -> None:
    """log p(x|z) can be followed in z: nothing is detached or rounded on the way."""
    model = model_of(decoder, sizes=sizes)
    near = _nearness(sizes)
    x, z = simulate(model, max(int(N * near), 5), seeded(14))  # with fewer pixels at which a density has a kink
    leaf = z.clone().requires_grad_()
    gradient = _gradient(_log_likelihood(model, x, leaf), leaf, "log p(x|z)")
    step = 1e-5 * near
    with torch.no_grad():
        found = torch.stack([_slope(model, x, z, axis, step) for axis in range(sizes.n_latent)], -1)
    off = ((gradient - found).abs() / (1 + found.abs())).max()
    demand(off < 1e-5, "the gradient in z must be that of log p(x|z)", f"{float(off):.2g} apart", DETACH_NOTHING)


def _nearness(sizes: Sizes) -> float:
    """How much nearer two z must be, for their x to be as hard to tell apart as those of `SMALL` sizes; at most 1."""
    return min(1.0, math.sqrt(PIXELS * LATENTS / (sizes.n_pixels * sizes.n_latent)))


def _log_likelihood(model: GenerativeModel, x: Tensor, z: Tensor) -> Tensor:
    """Log p(x|z), looked at."""
    return demand_numbers(model.log_likelihood(x, z), tuple(z.shape[:-1]), "log_likelihood", EACH_ROW)


def _gradient(value: Tensor, z: Tensor, what: str) -> Tensor:
    rule = f"{what} must have a gradient in z"
    demand(value.requires_grad, rule, "none at all", DETACH_NOTHING)
    gradient = torch.autograd.grad(value.sum(), z, allow_unused=True)[0]
    demand(gradient is not None, rule, "one in the weights alone", DETACH_NOTHING)
    assert gradient is not None
    return gradient


def _slope(model: GenerativeModel, x: Tensor, z: Tensor, axis: int, step: float) -> Tensor:
    ahead, behind = z.clone(), z.clone()
    ahead[:, axis] += step
    behind[:, axis] -= step
    return (_log_likelihood(model, x, ahead) - _log_likelihood(model, x, behind)) / (2 * step)


DECODER_LAWS: tuple[Callable[[MakeDecoder, Sizes], None], ...] = (
    the_same_generator_makes_the_same_weights,
    noise_comes_from_the_generator_alone,
    all_that_it_returns_is_of_the_type_of_its_weights,
    each_datapoint_has_its_own_density,
    the_joint_is_prior_times_likelihood,
    drawn_pixels_have_the_mean_that_is_shown,
    densities_are_normalised,
    its_gradient_in_z_is_that_of_finite_differences,
    the_density_that_chains_sample_is_the_joint_and_its_gradient,
)
