"""Laws of decoders p(x|z)."""

from collections.abc import Callable

import torch
from torch import Tensor

from aevb import hmc
from aevb.densities import standard_normal_log_density
from aevb.fast.posterior import posterior
from aevb.marginal.ais import simulate
from aevb.model import GenerativeModel
from aevb.testing.law import SIGMAS, calling, demand, demand_numbers, mean_and_error, seeded
from aevb.testing.problem import LATENTS, PIXELS, MakeDecoder, N, model_of
from aevb.threads import one_thread

DRAWS = 20_000
EACH_ROW = "return one number of nats for each z: sum over the pixels, the last axis"
OF_PIXELS = "return a number for each pixel, shape (..., n_pixels)"
DETACH_NOTHING = "detach nothing, and leave gradients on"


@one_thread()
def check_decoder(decoder: MakeDecoder) -> None:
    """Hold a decoder to every law.

    Args:
        decoder: its class, or a function that makes one; called with (n_latent, n_pixels, hidden, *, init_std,
            generator).

    Raises:
        LawBroken: the first law that it does not keep.
    """
    called = "it is called as decoder(n_latent, n_pixels, hidden, init_std=…, generator=…)"
    with calling("a decoder's class", called):
        model_of(decoder)
    for law in DECODER_LAWS:
        law(decoder)


def the_same_generator_makes_the_same_weights(decoder: MakeDecoder) -> None:
    """Initial weights come from the generator, and are of the sizes asked for."""
    one, other = ([*model_of(decoder).state_dict().values()] for _ in range(2))
    equal = all(torch.equal(mine, its) for mine, its in zip(one, other, strict=True))
    demand(equal, "the same generator must make the same weights", "others", "draw them from it")
    model = model_of(decoder)
    got = model.n_latent, model.n_pixels
    demand(got == (LATENTS, PIXELS), f"n_latent and n_pixels must be {(LATENTS, PIXELS)}", got, "set both attributes")


def each_datapoint_has_its_own_density(decoder: MakeDecoder) -> None:
    """log p(x|z) has a number for each row, which no other row moves; x broadcasts against leading axes of z."""
    model = model_of(decoder)
    x, z = simulate(model, N, seeded(9))
    with torch.no_grad():
        together, leading = _log_likelihood(model, x, z), _log_likelihood(model, x, z.expand(3, N, -1))
        alone = torch.stack([_log_likelihood(model, x[n : n + 1], z[n : n + 1])[0] for n in range(N)])
    apart = torch.maximum((together - alone).abs().max(), (leading - alone).abs().max())
    rule = "a datapoint's log p(x|z) must not depend on its company"
    demand(apart < 1e-9, rule, f"{float(apart):.2g} nats apart", "use no statistics of the batch")


def the_joint_is_prior_times_likelihood(decoder: MakeDecoder) -> None:
    """log p(x, z) = log N(z; 0, I) + log p(x|z)."""
    model = model_of(decoder)
    x, z = simulate(model, N, seeded(9))
    with torch.no_grad():
        parts = standard_normal_log_density(z) + _log_likelihood(model, x, z)
        joint = demand_numbers(model.log_joint(x, z), (N,), "log p(x, z)", "leave `log_joint` as it is")
        off = (joint - parts).abs().max()
    rule = "log p(x, z) must be log N(z; 0, I) + log p(x|z)"
    demand(off < 1e-9, rule, f"{float(off):.2g} nats apart", "leave `log_joint` as it is")


def drawn_pixels_have_the_mean_that_is_shown(decoder: MakeDecoder) -> None:
    """`sample_pixels` averages to `pixel_mean`, and stays in [0, 1] where the decoder says so."""
    model = model_of(decoder)
    z = torch.randn(5, 1, LATENTS, dtype=torch.float64, generator=seeded(10)).expand(-1, DRAWS, -1)
    with torch.no_grad():
        drawn, shown = model.sample_pixels(z, seeded(11)), model.pixel_mean(z[:, 0])
    pixels = demand_numbers(drawn, (*z.shape[:-1], PIXELS), "what `sample_pixels` draws", OF_PIXELS)
    mean = demand_numbers(shown, (len(z), PIXELS), "`pixel_mean`", OF_PIXELS)
    found, error = mean_and_error(pixels.movedim(1, 0))
    apart = ((found - mean).abs() - SIGMAS * error).max()
    rule = "drawn pixels must have the mean `pixel_mean`"
    demand(apart < 1e-12, rule, f"{float((found - mean).abs().max()):.3g} apart", "let both be of p(x|z)")
    if model.unit_interval:
        inside = (pixels >= 0) & (pixels <= 1)
        demand(inside, "pixels must lie in [0, 1] where `unit_interval`", f"{float(pixels.max()):.3g}", "set it False")


def densities_are_normalised(decoder: MakeDecoder) -> None:
    """E[p(x|z′)/p(x|z)] over x ~ p(x|z) is 1: no constant that depends on z is missing, and draws are of this density.

    A constant that is the same for all z cancels, and is not seen.
    """
    model = model_of(decoder)
    z = torch.randn(4, 1, LATENTS, dtype=torch.float64, generator=seeded(12)).expand(-1, 5 * DRAWS, -1)
    with torch.no_grad():
        x = model.sample_pixels(z, seeded(13))
        ratio = (_log_likelihood(model, x, z + 0.1) - _log_likelihood(model, x, z)).exp()
    mean, error = mean_and_error(ratio.movedim(1, 0))
    rule = "p(x|z) must be normalised, and `sample_pixels` draw from it"
    demand((mean - 1).abs() < SIGMAS * error, rule, f"mean ratios {mean.tolist()}", "mind what depends on z")


def the_density_that_chains_sample_is_the_joint_and_its_gradient(decoder: MakeDecoder) -> None:
    """Hamiltonian Monte Carlo gets log p(x, z) and its gradient in z, as autograd has it."""
    model = model_of(decoder)
    x, z = simulate(model, N, seeded(14))
    _log_likelihood(model, x, z)
    leaf = z.clone().requires_grad_()
    value = demand_numbers(model.log_joint(x, leaf), (N,), "log p(x, z)", "leave `log_joint` as it is")
    gradient = _gradient(value, leaf, "log p(x, z)")
    state = hmc.evaluate(posterior(model, x), z)
    off = max(float((state.log_density - value.detach()).abs().max()), float((state.gradient - gradient).abs().max()))
    demand(off < 1e-6, "chains must sample p(x, z)", f"{off:.2g} nats apart", "keep gradients in z")


def its_gradient_in_z_is_that_of_finite_differences(decoder: MakeDecoder) -> None:
    """log p(x|z) can be followed in z: nothing is detached or rounded on the way."""
    model = model_of(decoder)
    x, z = simulate(model, N, seeded(14))
    leaf = z.clone().requires_grad_()
    gradient = _gradient(_log_likelihood(model, x, leaf), leaf, "log p(x|z)")
    with torch.no_grad():
        found = torch.stack([_slope(model, x, z, axis) for axis in range(LATENTS)], -1)
    off = ((gradient - found).abs() / (1 + found.abs())).max()
    demand(off < 1e-5, "the gradient in z must be that of log p(x|z)", f"{float(off):.2g} apart", DETACH_NOTHING)


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


def _slope(model: GenerativeModel, x: Tensor, z: Tensor, axis: int, step: float = 1e-5) -> Tensor:
    ahead, behind = z.clone(), z.clone()
    ahead[:, axis] += step
    behind[:, axis] -= step
    return (_log_likelihood(model, x, ahead) - _log_likelihood(model, x, behind)) / (2 * step)


DECODER_LAWS: tuple[Callable[[MakeDecoder], None], ...] = (
    the_same_generator_makes_the_same_weights,
    each_datapoint_has_its_own_density,
    the_joint_is_prior_times_likelihood,
    drawn_pixels_have_the_mean_that_is_shown,
    densities_are_normalised,
    its_gradient_in_z_is_that_of_finite_differences,
    the_density_that_chains_sample_is_the_joint_and_its_gradient,
)
