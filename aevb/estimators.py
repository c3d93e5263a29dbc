"""Monte Carlo estimators of the variational lower bound L(θ, φ; x) ≤ log p(x)."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from aevb import checks, construction
from aevb.errors import ArgumentError
from aevb.eval_mode import demand_eval_mode
from aevb.marginal.proposal import as_density
from aevb.model import GenerativeModel

Encoder = Callable[[Tensor], Any]
"""q(z|x): maps x of shape (batch, pixel) to a Gaussian over z, see `aevb.marginal.proposal.as_density`."""

LowerBound = Callable[[GenerativeModel, Encoder, Tensor, Tensor], Tensor]


def lower_bound_a(
    model: GenerativeModel, encoder: Encoder, x: Float[Tensor, "batch pixel"], eps: Float[Tensor, "L batch latent"]
) -> Float[Tensor, " batch"]:
    """Estimator A: (1/L) Σ log p(x, z) − log q(z|x) with z = μ(x) + σ(x)·ε (Kingma & Welling 2013, eq. 6).

    Args:
        model: p(z) p(x|z).
        encoder: q(z|x).
        x: datapoints, shape (batch, pixel).
        eps: standard normal noise, shape (L, batch, latent).

    Returns:
        Nats for each datapoint, shape (batch,); unbiased for the bound.

    Raises:
        ArgumentError: `x` or `eps` has another shape, type or device, or q(z|x) another shape.
    """
    check_noise(model, x, eps)
    q = posterior_of(encoder, x, model.n_latent)
    z = q.at(eps)
    return (model.log_joint(x, z) - q.log_density(z)).mean(0)


def lower_bound_b(
    model: GenerativeModel, encoder: Encoder, x: Float[Tensor, "batch pixel"], eps: Float[Tensor, "L batch latent"]
) -> Float[Tensor, " batch"]:
    """Estimator B: −KL(q(z|x) ‖ p(z)) + (1/L) Σ log p(x|z), the KL in closed form (Kingma & Welling 2013, eq. 7).

    Same arguments, result and errors as `lower_bound_a`; same mean, usually less variance.
    """
    check_noise(model, x, eps)
    q = posterior_of(encoder, x, model.n_latent, "kl_to_standard_normal")
    return model.log_likelihood(x, q.at(eps)).mean(0) - q.kl_to_standard_normal()


LOWER_BOUNDS: dict[str, LowerBound] = {"a": lower_bound_a, "b": lower_bound_b}


def evaluate_lower_bound(
    model: GenerativeModel,
    encoder: Encoder,
    x: Float[Tensor, "n pixel"],
    generator: torch.Generator,
    *,
    estimator: LowerBound = lower_bound_b,
    n_samples: int = 1,
    chunk: int = 1000,
) -> Float[Tensor, " n"]:
    """Bound of every row of x, without gradients and `chunk` rows at a time; nats, shape (n,).

    Raises:
        ArgumentError: x is not what the model takes, or not finite, q(z|x) or the bound has another shape, or a
            number is not positive.

    Warns:
        TrainModeWarning: the model or the encoder has dropout or batch norm in its train mode: call ``.eval()`` first.
    """
    checks.pixels(model, x)
    demand_eval_mode(model, encoder)
    checks.whole(1, n_samples=n_samples, chunk=chunk)
    construction.function("make a GaussianEncoder, say", encoder=encoder)
    construction.function("take one of aevb.estimators, say", estimator=estimator)
    with torch.no_grad():
        bounds = []
        for part in x.split(chunk):
            eps = standard_normal((n_samples, len(part), model.n_latent), part, generator)
            bounds.append(per_datapoint(estimator(model, encoder, part, eps), part))
        return torch.cat(bounds)


def per_datapoint(bound: Tensor, x: Tensor) -> Tensor:
    """What an estimator gave, if it is one number for each row of x.

    Raises:
        ArgumentError: it is not; a mean or a sum in its place would weigh the batch otherwise against the prior.
    """
    if not isinstance(bound, Tensor) or bound.shape != x.shape[:1]:
        got = tuple(bound.shape) if isinstance(bound, Tensor) else checks.shown(bound)
        raise ArgumentError(
            f"`estimator` must give shape ({len(x)},), got {got}: one number for each datapoint, the mean over samples"
        )
    return bound


def posterior_of(encoder: Encoder, x: Float[Tensor, "batch pixel"], n_latent: int, *needs: str) -> Any:
    """q(z|x) of each datapoint, as `aevb.marginal.proposal.as_density` gives it.

    Args:
        encoder: q(z|x).
        x: datapoints.
        n_latent: size of z.
        needs: methods that an estimator wants of it beside `at` and `log_density`.

    Raises:
        ArgumentError: the encoder gives something else, or without one of these methods.
    """
    q = as_density(encoder(x), (len(x), n_latent), finite=False, name="encoder(x)")
    for method in needs:
        if not hasattr(q, method):
            raise ArgumentError(
                f"`encoder(x)` must have the method {method}, got {type(q).__name__} without: add it, or take an "
                "estimator that does without, as lower_bound_a"
            )
    return q


def standard_normal(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal noise with the type and device of `like`.

    Raises:
        ArgumentError: `generator` is none, or one of another kind of device.
    """
    checks.source(generator, like)
    return torch.randn(shape, dtype=like.dtype, device=like.device, generator=generator)


def check_noise(model: GenerativeModel, x: Tensor, eps: Tensor) -> None:
    """Noise is for this batch, and the batch for this model.

    Raises:
        ArgumentError: not so.
    """
    checks.datapoints(model, x)
    checks.kind(Tensor, "use torch.as_tensor", eps=eps)
    expected = (len(x), model.n_latent)
    if eps.ndim != 3 or eps.shape[1:] != expected or not len(eps):
        remedy = "add a leading sample axis" if eps.shape == expected else "draw it for this batch and this model"
        rule = f"`eps` must have shape (L, {expected[0]}, {expected[1]})"
        raise ArgumentError(f"{rule}, got {tuple(eps.shape)}: {remedy}")
    checks.same("eps", eps, x)
