"""Laws of lower bounds of log p(x), as functions of a model, an encoder, x and noise."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from aevb import checks
from aevb.encoder import GaussianEncoder
from aevb.errors import ArgumentError
from aevb.estimators import LowerBound
from aevb.linear_gaussian import exact_encoder, exact_log_marginal
from aevb.model import GaussianModel
from aevb.testing.law import SIGMAS, calling, demand, demand_numbers, mean_and_error, refusal, seeded
from aevb.testing.oracle import linear_gaussian
from aevb.testing.problem import LATENTS, PIXELS, encoder_of
from aevb.threads import one_thread

POINTS, DRAWS = 5, 400
STEP = 1e-4  # of finite differences
ROUNDING = 1e-6  # of them, as a share
FINITE = float(torch.finfo(torch.float64).min)
CAUSES = (
    "look for the usual causes: a loss in place of a bound, the sign of the KL or its ½, σ² for σ, a mean over pixels "
    "for their sum, ½·D·log 2π, log p(z) or log q(z|x) left out, no mean over eps's leading axis, noise other than eps"
    ", another likelihood than model.log_likelihood"
)
CALLED = (
    "it is called as bound(model, encoder, x, eps), with a GaussianModel, whose x may be any number: take "
    "model.log_likelihood(x, z) for the reconstruction, and hold a cross-entropy of yours to check_decoder"
)
EACH_POINT = "return one number of nats for each datapoint, the mean over eps's leading axis"


@one_thread()
def check_bound(bound: LowerBound, n_samples: int | Sequence[int] = (1, 3)) -> None:
    """Hold a lower bound to every law.

    Args:
        bound: a function like `aevb.estimators.lower_bound_b`: (model, encoder, x, eps) to nats, shape (batch,).
        n_samples: leading axis of eps, or several to try. One draw does not tell a sum over draws from their mean, nor
            a log of a sum from a log of a mean.

    Raises:
        ArgumentError: there is no `n_samples`, or one is no whole number of at least 1.
        LawBroken: the first law that it does not keep.
    """
    several = tuple(n_samples) if isinstance(n_samples, Sequence) else (n_samples,)
    if not several:
        raise ArgumentError("`n_samples` must have one number or more, got none: leave it out")
    for each in several:
        checks.whole(1, n_samples=each)
    for each in several:
        for law in BOUND_LAWS:
            law(bound, each)


def it_is_below_the_exact_log_likelihood(bound: LowerBound, n_samples: int) -> None:
    """In mean over the noise, for each datapoint, on a linear-Gaussian model and an encoder that is none of its."""
    model, x = _problem()
    mean, error = mean_and_error(_values(bound, model, encoder_of(), x, n_samples))
    above = mean - exact_log_marginal(model, x).detach()
    rule = "a lower bound must be below log p(x) in mean"
    demand((above < 1e-9 + SIGMAS * error).all(), rule, _farthest(above, above, error), CAUSES)


def it_is_the_exact_log_likelihood_at_the_exact_posterior(bound: LowerBound, n_samples: int) -> None:
    """In mean over the noise, where q(z|x) is p(z|x)."""
    model, x = _problem()
    mean, error = mean_and_error(_values(bound, model, exact_encoder(model), x, n_samples))
    apart = mean - exact_log_marginal(model, x).detach()
    rule = "at the exact posterior a bound must be log p(x)"
    demand((apart.abs() < 1e-9 + SIGMAS * error).all(), rule, _farthest(apart, apart.abs(), error), CAUSES)


def its_gradient_is_unbiased(bound: LowerBound, n_samples: int) -> None:
    """Gradients average to the slope of the mean bound, in θ and in φ: by finite differences with the same noise."""
    model, x = _problem()
    encoder = encoder_of()
    for name, module in (("the model's", model), ("the encoder's", encoder)):
        way = torch.randn(sum(p.numel() for p in module.parameters()), generator=seeded(16), dtype=torch.float64)
        way /= way.norm()
        slopes = _slopes(bound, model, encoder, x, n_samples, module, way)
        mean, error = mean_and_error(slopes[:, 0] - slopes[:, 1])
        scale = ROUNDING * (1 + slopes.abs().mean())
        rule = f"gradients in {name} parameters must average to the slope of the mean bound"
        got = f"{float(mean):.3g} ± {float(error):.2g} more, where the slope is {float(slopes[:, 1].mean()):.3g}"
        demand(mean.abs() < SIGMAS * error + scale, rule, got, "detach nothing that has a gradient of its own")


def it_refuses_noise_of_another_shape(bound: LowerBound, n_samples: int) -> None:
    """Noise without a leading axis, or for another number of latents, ends in a `UserError`."""
    model, x = _problem()
    for shape in ((POINTS, LATENTS), (n_samples, POINTS, LATENTS + 1)):
        with refusal(f"noise of shape {shape}", "begin with `aevb.estimators.check_noise(model, x, eps)`"):
            bound(model, encoder_of(), x, torch.zeros(shape, dtype=torch.float64))


BOUND_LAWS: tuple[Callable[[LowerBound, int], None], ...] = (
    it_is_below_the_exact_log_likelihood,
    it_is_the_exact_log_likelihood_at_the_exact_posterior,
    its_gradient_is_unbiased,
    it_refuses_noise_of_another_shape,
)


def _problem() -> tuple[GaussianModel, Tensor]:
    oracle = linear_gaussian(LATENTS, PIXELS)
    return oracle.model, oracle.simulate(POINTS, seed=3)


def _noise(n_samples: int) -> Tensor:
    return torch.randn(DRAWS, n_samples, POINTS, LATENTS, dtype=torch.float64, generator=seeded(15))


def _values(bound: LowerBound, model: GaussianModel, encoder: GaussianEncoder, x: Tensor, n_samples: int) -> Tensor:
    """Shape (draw, point)."""
    with torch.no_grad():
        return torch.stack([_nats(bound, model, encoder, x, eps) for eps in _noise(n_samples)])


def _farthest(apart: Tensor, wrong: Tensor, error: Tensor) -> str:
    """Of the datapoint where the law is broken most."""
    worst = int((wrong - SIGMAS * error).argmax())
    return f"{float(apart[worst]):+.3g} ± {float(error[worst]):.2g} nats from it"


def _nats(bound: LowerBound, model: GaussianModel, encoder: GaussianEncoder, x: Tensor, eps: Tensor) -> Tensor:
    with calling("a bound", CALLED):
        value = bound(model, encoder, x, eps)
    return demand_numbers(value, (len(x),), f"a bound with L = {len(eps)}", EACH_POINT, FINITE)


def _slopes(
    bound: LowerBound, model: GaussianModel, encoder: GaussianEncoder, x: Tensor, n_samples: int, module: nn.Module,
    way: Tensor,
) -> Tensor:  # fmt: skip
    """Along the way, by the bound's gradient and by finite differences: shape (draw, 2)."""
    parameters = [*module.parameters()]
    start = parameters_to_vector(parameters).detach()
    by_gradient = []
    for eps in _noise(n_samples):
        value = _nats(bound, model, encoder, x, eps)
        demand(value.requires_grad, "a bound must have a gradient", "one without", "detach nothing, leave gradients on")
        gradients = torch.autograd.grad(value.sum(), parameters, allow_unused=True)
        parts = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, gradients, strict=True)]
        by_gradient.append(parameters_to_vector(parts) @ way)
    ends = []
    for sign in (1, -1):
        vector_to_parameters(start + sign * STEP * way, parameters)
        ends.append(_values(bound, model, encoder, x, n_samples).sum(-1))
    vector_to_parameters(start, parameters)
    return torch.stack([torch.stack(by_gradient), (ends[0] - ends[1]) / (2 * STEP)], -1)
