"""Restoring images with a trained model: draws of z given what is seen of x, and what they say about the rest.

What is seen enters as log p(seen|z), a function from z, shape (*draws, image, latent), to nats, shape (*draws, image).
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from aevb import checks, construction, hmc, tuning
from aevb.densities import LOG_2PI, DiagonalGaussian, bernoulli_log_density, standard_normal_log_density
from aevb.errors import ArgumentError
from aevb.estimators import standard_normal
from aevb.model import BernoulliModel, GaussianModel, GenerativeModel

LEAST_LOG_VAR = -80.0  # of a pixel, so that what is sure has a density: float32 ends at e^88


def pixel_log_likelihood(
    model: GenerativeModel,
    x: Float[Tensor, "image pixel"],
    pixels: Bool[Tensor, " pixel"],
    z: Float[Tensor, "*draws image latent"],
) -> Float[Tensor, "*draws image"]:
    """Log p(x_S|z) in nats for the pixels S that are marked; given z, pixels are independent.

    Raises:
        ArgumentError: an argument has another shape, type or device, or the model is none of the project's.
    """
    _check_images(model, "x", x, z)
    checks.kind(Tensor, "use torch.as_tensor", pixels=pixels)
    if pixels.dtype != torch.bool or pixels.shape != x.shape[-1:]:
        got = f"{pixels.dtype} of shape {tuple(pixels.shape)}"
        raise ArgumentError(f"`pixels` must be a bool for each of {x.shape[-1]} pixels, got {got}: mark them")
    if isinstance(model, BernoulliModel):
        return bernoulli_log_density(x[:, pixels], model.logits(z)[..., pixels])
    assert isinstance(model, GaussianModel)
    decoded = model.pixels(z)
    return DiagonalGaussian(decoded.mean[..., pixels], decoded.log_var[..., pixels]).log_density(x[:, pixels])


def noisy_log_likelihood(
    model: GenerativeModel,
    y: Float[Tensor, "image pixel"],
    noise_std: float,
    z: Float[Tensor, "*draws image latent"],
) -> Float[Tensor, "*draws image"]:
    """Log p(y|z) in nats for y = x + noise, noise ~ N(0, noise_std²): Σ log N(y; E[x|z], Var[x|z] + noise_std²).

    Note:
        Exact for a Gaussian decoder. For a Bernoulli decoder, which has no density for grey pixels, p(x|z) is replaced
        by the Gaussian with its mean m and its variance m(1−m).

    Raises:
        ArgumentError: an argument has another shape, type or device, or the noise is negative or not finite.
    """
    _check_images(model, "y", y, z)
    mean, log_var = _moments(model, z)
    log_total = torch.logaddexp(log_var, _log_noise_var(y, noise_std)).clamp(min=LEAST_LOG_VAR)
    white = (y - mean) * torch.exp(-0.5 * log_total)  # squared first, a variance that is too small would be a NaN
    return -0.5 * (white.square() + log_total + LOG_2PI).sum(-1)


def denoise(
    model: GenerativeModel,
    y: Float[Tensor, "image pixel"],
    noise_std: float,
    z: Float[Tensor, "*draws image latent"],
) -> Float[Tensor, "*draws image pixel"]:
    """E[x|y, z] = m + v/(v + noise_std²)·(y − m) with m = E[x|z], v = Var[x|z]; its mean over z ~ p(z|y) is E[x|y].

    Note:
        As in `noisy_log_likelihood`, exact for a Gaussian decoder.

    Raises:
        ArgumentError: as there.
    """
    _check_images(model, "y", y, z)
    mean, log_var = _moments(model, z)
    return mean + torch.sigmoid(log_var - _log_noise_var(y, noise_std)) * (y - mean)


def sample_posterior(
    log_likelihood: hmc.LogDensity,
    shape: tuple[int, int],
    generator: torch.Generator,
    *,
    n_chains: int = 4,
    n_candidates: int = 100,
    n_burn_in: int = 100,
    n_samples: int = 100,
    n_leapfrog: int = 10,
    jitter: float = 0.5,
    dtype: torch.dtype = torch.float32,
) -> hmc.Samples:
    """HMC chains on p(z|seen) ∝ N(z; 0, I) p(seen|z), several for each image, from different starts.

    Each chain starts at the best of `n_candidates` draws of its own from the prior. Over the first half of the burn-in
    the likelihood comes in as a power that rises from 0.05 to 1, so that a chain can leave a wrong mode while that is
    easy. Where chains stay in different modes all the same, their draws count alike, whatever the modes' weights:
    `aevb.diagnostics.split_r_hat` of the draws says so. Where all of them are in one mode they agree, and nothing
    says that there are others.

    Args:
        log_likelihood: log p(seen|z).
        shape: number of images, and size of z.
        generator: source of all randomness, on the device of the model.
        n_chains: for each image.
        n_candidates: prior draws for each chain.
        n_burn_in: moves before the draws, which tune each chain's step size.
        n_samples: draws of each chain.
        n_leapfrog: leapfrog steps of a move.
        jitter: of the step size, see `aevb.hmc.move`.
        dtype: of z.

    Raises:
        ArgumentError: a number is out of range.

    Returns:
        Draws `z` of shape (n_samples, n_chains, image, latent), and what the chains did.
    """
    checks.whole(1, n_chains=n_chains, n_candidates=n_candidates, n_samples=n_samples)
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise ArgumentError(f"`shape` must be (images, n_latent), got {checks.shown(shape)}: give both")
    checks.whole(1, **dict(zip(("images", "n_latent"), shape, strict=True)))
    checks.kind(torch.Generator, "make one with torch.Generator().manual_seed(0)", generator=generator)
    construction.function("bind x to `pixel_log_likelihood`, say", log_likelihood=log_likelihood)
    checks.whole(0, n_burn_in=n_burn_in)
    checks.whole(1, n_leapfrog=n_leapfrog)
    checks.number(0, 1, jitter=jitter)
    checks.kind(torch.dtype, "take torch.float32, say", dtype=dtype)
    if not dtype.is_floating_point:
        raise ArgumentError(f"`dtype` must be a floating type, got {dtype}: take torch.float32, say")
    z = torch.empty(n_chains, *shape, dtype=dtype, device=generator.device)
    n_tuned = torch.zeros((), dtype=torch.int64, device=z.device)
    chains = tuning.Chains(_best_of_prior(log_likelihood, z, n_candidates, generator), z.new_full((), 0.1), n_tuned)

    def tempered(power: float, z: Tensor) -> Tensor:
        return standard_normal_log_density(z) + power * log_likelihood(z)

    for power in torch.logspace(math.log10(0.05), 0, n_burn_in // 2).tolist():
        chains, _ = tuning.tune(partial(tempered, power), chains, 1, n_leapfrog, generator, jitter=jitter)
    target = partial(tempered, 1.0)
    chains, state = tuning.tune(target, chains, n_burn_in - n_burn_in // 2, n_leapfrog, generator, jitter=jitter)
    return hmc.sample(target, state, chains.step_size, n_samples, n_leapfrog, generator, jitter=jitter)


@torch.no_grad()
def posterior_mean(
    function: Callable[[Tensor], Tensor], z: Float[Tensor, "move chain image latent"]
) -> Float[Tensor, "image pixel"]:
    """Mean of function(z), shape (chain, image, pixel) for each move, over all draws.

    Raises:
        ArgumentError: z lacks an axis, or holds no draws, or the function does not give numbers for each chain and
            image.
    """
    _check_draws(z)
    construction.function("take a model's `pixel_mean`, say", function=function)
    total = _numbers("function", function(z[0]), z.shape[1:3]).mean(0)
    for draws in z[1:]:
        total += function(draws).mean(0)
    return total / len(z)


@torch.no_grad()
def predictive_log_likelihood(
    log_likelihood: hmc.LogDensity, z: Float[Tensor, "move chain image latent"]
) -> Float[Tensor, " image"]:
    """Log (1/S) Σ p(x|z_s) over all S draws, nats: estimates log p(x|seen), from below in the mean (Jensen).

    Raises:
        ArgumentError: z lacks an axis, or holds no draws, or the function does not give a number for each chain and
            image.
    """
    _check_draws(z)
    construction.function("bind x to `pixel_log_likelihood`, say", log_likelihood=log_likelihood)
    values = torch.stack([_numbers("log_likelihood", log_likelihood(draws), z.shape[1:3], single=True) for draws in z])
    values = values.flatten(0, 1)
    return values.logsumexp(0) - math.log(len(values))


def _check_images(model: GenerativeModel, name: str, images: Tensor, z: Tensor) -> None:
    """Images are rows of pixels, with a z for each, as often as one likes."""
    if not isinstance(model, BernoulliModel | GaussianModel):
        got = type(model).__name__
        raise ArgumentError(
            f"`model` must be a BernoulliModel or a GaussianModel, got {got}: pixels of others are not restored"
        )
    checks.last_axis(name, images, model.n_pixels, checks.weights(model))
    checks.last_axis("z", z, model.n_latent, checks.weights(model))
    if images.ndim != 2 or z.shape[-2:-1] != images.shape[:1]:
        got = f"{tuple(images.shape)} and {tuple(z.shape)}"
        rule = f"`{name}` and `z` must have shapes (image, {model.n_pixels}) and (..., image, {model.n_latent})"
        raise ArgumentError(f"{rule}, got {got}: give a z for each image")


def _check_draws(z: Tensor) -> None:
    """Draws have an axis of chains, over which is averaged too."""
    checks.kind(Tensor, "give the z of `sample_posterior`", z=z)
    if z.ndim != 4 or 0 in z.shape[:2]:
        remedy = "add the axis with z[:, None]" if z.ndim == 3 else "give the z of `sample_posterior`"
        raise ArgumentError(f"`z` must have shape (move, chain, image, latent), got {tuple(z.shape)}: {remedy}")


def _numbers(name: str, value: Tensor, chains: torch.Size, *, single: bool = False) -> Tensor:
    """What a function gave, if that is floats for each chain and image, or a single one."""
    floats = isinstance(value, Tensor) and value.is_floating_point()
    if not floats or value.shape[:2] != chains or (single and value.ndim > 2):
        got = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else checks.shown(value)
        expected = ", ".join([*map(str, chains), *([] if single else ["..."])])
        raise ArgumentError(f"`{name}` must give floats of shape ({expected}), got {got}: keep chains and images apart")
    return value


def _best_of_prior(
    log_likelihood: hmc.LogDensity, like: Tensor, n_candidates: int, generator: torch.Generator
) -> Tensor:
    """The likeliest of `n_candidates` draws for each chain of z."""
    best = standard_normal(like.shape, like, generator)
    with torch.no_grad():
        value = log_likelihood(best)
        if not isinstance(value, Tensor) or value.shape != like.shape[:-1]:
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ArgumentError(
                f"`log_likelihood` must give shape {tuple(like.shape[:-1])}, got {got}: one value for each chain"
            )
        if not bool((~value.isnan()).all()):
            place = int(value.isnan().nonzero()[0, -1])
            raise ArgumentError(
                f"`log_likelihood` must be a number, got NaN for image {place}: look for one in what is seen of it"
            )
        for _ in range(n_candidates - 1):
            z = standard_normal(like.shape, like, generator)
            new = log_likelihood(z)
            better = new > value  # of a NaN never, and it is forgotten
            best, value = torch.where(better[..., None], z, best), torch.where(better, new, value)
    return best


def _log_noise_var(y: Tensor, noise_std: float) -> Tensor:
    """Log noise_std²; −∞ without noise."""
    checks.number(0, noise_std=noise_std)
    return y.new_full((), 2 * math.log(noise_std) if noise_std else -math.inf)


def _moments(model: GenerativeModel, z: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log-variance of each pixel given z; finite also where a pixel is sure."""
    if isinstance(model, BernoulliModel):
        logits = model.logits(z)
        return torch.sigmoid(logits), logsigmoid(logits) + logsigmoid(-logits)
    assert isinstance(model, GaussianModel)
    decoded = model.pixels(z)
    return decoded.mean, decoded.log_var.expand_as(decoded.mean)
