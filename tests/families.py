"""The paper's families of draws, the same in mpmath, and what their parameters may be."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import mpmath as mp
import pytest
import torch
from torch import Tensor

from aevb.reparameterization import composition, inverse_cdf
from aevb.reparameterization.gamma_quantile import log_quantile
from aevb.reparameterization.location_scale import location_scale

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
DIGITS = 60


@dataclass(frozen=True)
class Family:
    """A draw, the same in mpmath, and what its parameters may be.

    Attributes:
        draw: parameters and noise to a draw; noise of several variables is stacked along its last axis.
        truth: the same in mpmath, and the size of its largest term.
        parameters: how each is drawn: "scale", "shape" or "location".
        noise: "uniform" or "real".
        width: noise variables for each draw.
        logit: the truth is of the draw's logit, which says more of a draw near 1.
    """

    draw: Callable[..., Tensor]
    truth: Callable[..., mp.mpf]
    parameters: tuple[str, ...]
    noise: str = "uniform"
    width: int = 1
    logit: bool = False


@cache
def gamma_quantile(k: mp.mpf, u: mp.mpf) -> mp.mpf:
    """log P⁻¹ by Newton's method on log P, or on log(1 − P) in the upper tail; each step doubles the digits."""
    below_one = min(float(u), 1 - 2.0**-53)
    y = mp.mpf(float(log_quantile(*torch.tensor([float(k), below_one], dtype=torch.float64))))
    for _ in range(4):
        z = mp.exp(y)
        log_front = k * y - z
        if u < 0.5:
            p = mp.exp(log_front - mp.loggamma(k + 1)) * mp.hyp1f1(1, k + 1, z)
            step = (mp.log(p) - mp.log(u)) * p
        else:
            q = mp.gammainc(k, z, mp.inf, regularized=True) if z > 1e-30 else 1 - mp.exp(log_front - mp.loggamma(k + 1))
            step = (mp.log(1 - u) - mp.log(q)) * q
        step *= mp.exp(mp.loggamma(k) - log_front)
        y -= step
        if abs(step) < mp.mpf(10) ** -(DIGITS * 2 // 3):
            break
    return y


def pair(draw: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *values: draw(*values[:-2], torch.stack(values[-2:], -1))


FAMILIES = {
    "Exponential": Family(inverse_cdf.exponential, lambda rate, u: -mp.log1p(-u) / rate, ("scale",)),
    "Cauchy": Family(inverse_cdf.cauchy, lambda x, s, u: x - s * mp.cot(mp.pi * u), ("location", "scale")),
    "Logistic": Family(
        inverse_cdf.logistic, lambda x, s, u: x + s * (mp.log(u) - mp.log1p(-u)), ("location", "scale")
    ),
    "Rayleigh": Family(inverse_cdf.rayleigh, lambda s, u: s * mp.sqrt(-2 * mp.log1p(-u)), ("scale",)),
    "Pareto": Family(inverse_cdf.pareto, lambda x, a, u: x * mp.exp(-mp.log1p(-u) / a), ("scale", "shape")),
    "Weibull": Family(inverse_cdf.weibull, lambda s, k, u: s * (-mp.log1p(-u)) ** (1 / k), ("scale", "shape")),
    "Reciprocal": Family(inverse_cdf.reciprocal, lambda a, b, u: a * mp.exp(u * mp.log(b / a)), ("scale", "above")),
    "Gompertz": Family(
        inverse_cdf.gompertz, lambda k, rate, u: mp.log1p(-mp.log1p(-u) / k) / rate, ("shape", "scale")
    ),
    "Gumbel": Family(inverse_cdf.gumbel, lambda x, s, u: x - s * mp.log(-mp.log(u)), ("location", "scale")),
    "Erlang": Family(
        inverse_cdf.erlang, lambda k, rate, u: mp.exp(gamma_quantile(k, u)) / rate, ("gamma shape", "scale")
    ),
    "Location-scale": Family(location_scale, lambda x, s, e: x + s * e, ("location", "scale"), "real"),
    "Log-Normal": Family(
        composition.log_normal, lambda m, s, e: mp.exp(m + s * e), ("small location", "small scale"), "real"
    ),
    "Gamma": Family(
        pair(composition.gamma), lambda rate, u, v: -(mp.log1p(-u) + mp.log1p(-v)) / rate, ("scale",), width=2
    ),
    "Beta": Family(
        pair(composition.beta),
        lambda a, b, u, v: gamma_quantile(a, u) - gamma_quantile(b, v),
        ("gamma shape", "gamma shape"),
        width=2,
        logit=True,
    ),
    "Chi-Squared": Family(
        composition.chi_squared, lambda n, u: 2 * mp.exp(gamma_quantile(n / 2, u)), ("gamma shape",)
    ),
    "F": Family(
        pair(composition.f),
        lambda m, n, u, v: mp.exp(gamma_quantile(m / 2, u) - gamma_quantile(n / 2, v)) * n / m,
        ("gamma shape", "gamma shape"),
        width=2,
    ),
}  # fmt: skip
