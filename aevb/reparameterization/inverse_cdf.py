"""First family: the inverse CDF of uniform noise.

Source: Kingma & Welling 2013, section 2.4, first approach. In every function `eps` is uniform on the open interval
(0, 1), parameters broadcast against it, and the draw is differentiable, once, in the parameters and in the noise.
Parameters are any numbers of their type: locations finite, all others positive. Errors are `ValueError`: noise or a
parameter is out of range.

Draws and gradients are the nearest numbers of their type (`aevb.reparameterization.nearest`): in float32 rounded once.
In float64 their relative error is below 1e-12, and below 1e-9 for gradients of what is made of Gamma variables. Where a
location is added, it is relative to the larger of the two terms.
"""

import math

import torch
from torch import Tensor

from aevb.checks import source
from aevb.reparameterization.checks import finite, positive, require, tensors, together, uniform
from aevb.reparameterization.gamma_quantile import log_quantile, log_slopes
from aevb.reparameterization.nearest import draw, product, shifted

# 1/e is the first less the last, 1 − 1/e the second and the last, to twice the digits.
_INVERSE_E, _OTHER, _REST = 0.36787944117144233, 0.6321205588285577, 1.2428753672788363e-17


def uniform_noise(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """Noise on the open interval (0, 1), with the type and device of `like`: `torch.rand` can give 0.

    Raises:
        ArgumentError: `like` is no tensor of a floating type, or `generator` is none or of another kind of device.
    """
    tensors(like=like)
    together(like)
    source(generator, like)
    noise = torch.rand(shape, dtype=like.dtype, device=like.device, generator=generator)
    return noise.clamp(min=torch.finfo(like.dtype).eps / 2)


def exponential(rate: Tensor, eps: Tensor) -> Tensor:
    """−log(1 − ε) / λ."""
    uniform(eps)
    positive(rate=rate)
    return draw(
        lambda rate, eps: _wait(eps) / rate,
        lambda rate, eps: (-_wait(eps) / rate / rate, 1 / rate / (1 - eps)),
        rate,
        eps,
    )


def cauchy(location: Tensor, scale: Tensor, eps: Tensor) -> Tensor:
    """x₀ + γ·tan(π(ε − ½)), in the tails −γ·cot(πε)."""
    uniform(eps)
    finite(location=location)
    positive(scale=scale)

    def slopes(location: Tensor, scale: Tensor, eps: Tensor) -> tuple[Tensor, ...]:
        tangent = _tangent(eps)
        secant = torch.hypot(tangent, torch.ones_like(tangent))
        return torch.ones_like(location), tangent, product(scale, math.pi * secant, secant)

    return draw(lambda location, scale, eps: shifted(location, scale, _tangent(eps)), slopes, location, scale, eps)


def logistic(location: Tensor, scale: Tensor, eps: Tensor) -> Tensor:
    """μ + s·log(ε / (1 − ε))."""
    uniform(eps)
    finite(location=location)
    positive(scale=scale)
    return draw(
        lambda location, scale, eps: shifted(location, scale, _logit(eps)),
        lambda location, scale, eps: (torch.ones_like(location), _logit(eps), product(scale, over=(eps, 1 - eps))),
        location,
        scale,
        eps,
    )


def rayleigh(scale: Tensor, eps: Tensor) -> Tensor:
    """σ·√(−2·log(1 − ε))."""
    uniform(eps)
    positive(scale=scale)
    return draw(
        lambda scale, eps: scale * torch.sqrt(2 * _wait(eps)),
        lambda scale, eps: (torch.sqrt(2 * _wait(eps)), product(scale, over=(1 - eps, torch.sqrt(2 * _wait(eps))))),
        scale,
        eps,
    )


def pareto(minimum: Tensor, shape: Tensor, eps: Tensor) -> Tensor:
    """x_min·(1 − ε)^(−1/α)."""
    uniform(eps)
    positive(minimum=minimum, shape=shape)

    def slopes(minimum: Tensor, shape: Tensor, eps: Tensor) -> tuple[Tensor, ...]:
        power = _wait(eps) / shape
        to_shape = product(-minimum, _wait(eps), over=(shape, shape), exponent=power)
        return product(exponent=power), to_shape, product(minimum, over=(shape, 1 - eps), exponent=power)

    return draw(lambda minimum, shape, eps: product(minimum, exponent=_wait(eps) / shape), slopes, minimum, shape, eps)


def weibull(scale: Tensor, shape: Tensor, eps: Tensor) -> Tensor:
    """λ·(−log(1 − ε))^(1/k)."""
    uniform(eps)
    positive(scale=scale, shape=shape)

    def slopes(scale: Tensor, shape: Tensor, eps: Tensor) -> tuple[Tensor, ...]:
        log_wait = _log_wait(eps)
        power = log_wait / shape
        return (
            product(exponent=power),
            product(-scale, log_wait, over=(shape, shape), exponent=power),
            product(scale, over=(shape, _wait(eps), 1 - eps), exponent=power),
        )

    return draw(lambda scale, shape, eps: product(scale, exponent=_log_wait(eps) / shape), slopes, scale, shape, eps)


def reciprocal(low: Tensor, high: Tensor, eps: Tensor) -> Tensor:
    """a·(b/a)^ε, whose density on (a, b) is proportional to 1/z."""
    uniform(eps)
    positive(low=low, high=high)
    together(low, high, eps)
    require("high", high, high > low, "above `low`", "give the two ends in this order")

    def formula(low: Tensor, high: Tensor, eps: Tensor) -> Tensor:
        return torch.clamp(product(low, exponent=eps * _log_ratio(low, high)), low, high)

    def slopes(low: Tensor, high: Tensor, eps: Tensor) -> tuple[Tensor, ...]:
        ratio = _log_ratio(low, high)
        return (
            product(1 - eps, exponent=eps * ratio),
            product(eps, exponent=-(1 - eps) * ratio),
            product(low, ratio, exponent=eps * ratio),
        )

    return draw(formula, slopes, low, high, eps)


def gompertz(shape: Tensor, rate: Tensor, eps: Tensor) -> Tensor:
    """log(1 − log(1 − ε)/η) / b, from the CDF 1 − exp(−η(e^{bz} − 1))."""
    uniform(eps)
    positive(shape=shape, rate=rate)

    def hazard(shape: Tensor, eps: Tensor) -> Tensor:
        ratio = _wait(eps) / shape
        return torch.where(ratio.isfinite(), torch.log1p(ratio), torch.log(_wait(eps)) - torch.log(shape))

    def slopes(shape: Tensor, rate: Tensor, eps: Tensor) -> tuple[Tensor, ...]:
        wait, total = _wait(eps), shape + _wait(eps)
        to_rate = product(-hazard(shape, eps), over=(rate, rate))
        return -product(wait, over=(shape, total, rate)), to_rate, product(over=(rate, total, 1 - eps))

    return draw(lambda shape, rate, eps: product(hazard(shape, eps), over=(rate,)), slopes, shape, rate, eps)


def gumbel(location: Tensor, scale: Tensor, eps: Tensor) -> Tensor:
    """μ − β·log(−log ε)."""
    uniform(eps)
    finite(location=location)
    positive(scale=scale)
    return draw(
        lambda location, scale, eps: shifted(location, scale, -_log_minus_log(eps)),
        lambda location, scale, eps: (
            torch.ones_like(location),
            -_log_minus_log(eps),
            product(scale, over=(eps, -torch.log(eps))),
        ),
        location,
        scale,
        eps,
    )


def erlang(shape: Tensor, rate: Tensor, eps: Tensor) -> Tensor:
    """P⁻¹(k, ε) / λ, P the regularised lower incomplete gamma function.

    Note:
        The Erlang distribution is the Gamma of whole k, but nothing here needs k to be whole: this is the Gamma of
        any shape, differentiable in it. P⁻¹ has no closed form; SciPy finds it by iteration, on the CPU.
    """
    uniform(eps)
    positive(shape=shape, rate=rate)

    def slopes(shape: Tensor, rate: Tensor, eps: Tensor) -> tuple[Tensor, ...]:
        log_z, by_shape, by_noise = log_slopes(shape, eps)
        return (
            product(over=(rate,), exponent=log_z + by_shape),
            -product(over=(rate, rate), exponent=log_z),
            product(over=(rate,), exponent=log_z + by_noise),
        )

    return draw(
        lambda shape, rate, eps: product(over=(rate,), exponent=log_quantile(shape, eps)), slopes, shape, rate, eps
    )


def _wait(eps: Tensor) -> Tensor:
    return -torch.log1p(-eps)


def _tangent(eps: Tensor) -> Tensor:
    """tan(π(ε − ½)) to rounding: near ½ as it stands, in the tails by the cotangent of the distance to 0 or 1."""
    cotangent = torch.where(eps < 0.5, -1.0, 1.0) / torch.tan(math.pi * torch.minimum(eps, 1 - eps))
    return torch.where((eps - 0.5).abs() < 0.25, torch.tan(math.pi * (eps - 0.5)), cotangent)


def _logit(eps: Tensor) -> Tensor:
    """log(ε / (1 − ε)) to rounding, near ½ too."""
    near = torch.log1p((eps - (1 - eps)) / (1 - eps))
    return torch.where((eps - 0.5).abs() < 0.25, near, torch.log(eps) - torch.log1p(-eps))


def _log_minus_log(eps: Tensor) -> Tensor:
    """log(−log ε) to rounding, near ε = 1/e too, where it is 0."""
    off = math.e * ((eps - _INVERSE_E) + _REST)  # e·ε − 1
    near = torch.log1p(-torch.log1p(off.clamp(-0.5, 0.5)))
    return torch.where(off.abs() < 0.3, near, torch.log(-torch.log(eps)))


def _log_wait(eps: Tensor) -> Tensor:
    """log(−log(1 − ε)) to rounding, near ε = 1 − 1/e too, where it is 0."""
    off = -math.e * ((eps - _OTHER) - _REST)  # e·(1 − ε) − 1
    near = torch.log1p(-torch.log1p(off.clamp(-0.5, 0.5)))
    return torch.where(off.abs() < 0.3, near, torch.log(_wait(eps)))


def _log_ratio(low: Tensor, high: Tensor) -> Tensor:
    """log(b/a) > 0 to rounding, for b near a too, and for b/a beyond the range."""
    above = (high - low) / low
    return torch.where(above.isfinite(), torch.log1p(above), torch.log(high) - torch.log(low))
