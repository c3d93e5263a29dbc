"""The inverse CDF of the Gamma of rate 1 and any shape, and its derivatives, all as logarithms, in float64 on the CPU.

Logarithms, because a draw of a small shape is no number: the median at shape 10⁻⁴ is e^−6932. What is made of several
draws (Dirichlet, Beta, F) takes their differences.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import digamma, gammainccinv, gammaincinv, gammaln, ndtri, zeta
from torch import Tensor

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_UNIT_NODES, _UNIT_WEIGHTS = 0.5 * (_NODES + 1), 0.5 * _WEIGHTS
_ORDER = np.arange(2, 28)
_LOG_GAMMA = np.concatenate([[0.0, -np.euler_gamma], zeta(_ORDER) * (-1.0) ** _ORDER / _ORDER])  # log Γ(1 + k) in k
_CHUNK = 20_000  # variates at a time in an integral
_SMALL = -21.0  # log z below which 1 + z is the series' first two terms, to rounding
_STIRLING = 100.0  # shape from which log Γ is Stirling's series, to rounding
_POLISHED = 1e3  # shape from which SciPy's P⁻¹ is only a start: it loses digits in the tails, at 10⁸ all of z − k
_NORMAL = 1e8  # shape from which z is Cornish and Fisher's series in 1/√k, to rounding


def log_quantile(shape: Float[Tensor, "*#batch"], eps: Float[Tensor, "*#batch"]) -> Float[Tensor, "*batch"]:
    """Log P⁻¹(k, ε), P the regularised lower incomplete gamma function; finite.

    Where z is small, P = z^k / Γ(k + 1) · (1 − k·z/(k + 1) + …), and log z = (log ε + log Γ(k + 1))/k + z/(k + 1).
    """
    k, u, back = _arrays(shape, eps)
    return back(_log_quantile(k, u))


def log_slopes(
    shape: Float[Tensor, "*#batch"], eps: Float[Tensor, "*#batch"]
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """log z itself, and the logs of ∂ log z/∂k and of ∂ log z/∂ε, both of which are above 0."""
    k, u, back = _arrays(shape, eps)
    y = _log_quantile(k, u)
    return back(y), back(_log_by_shape(k, u, y)), back(_log_by_noise(k, u, y))


def _arrays(shape: Tensor, eps: Tensor) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], Tensor]]:
    """Both as flat arrays of one size, and the way back."""
    k, u = torch.broadcast_tensors(shape.detach().double(), eps.detach().double())

    def back(value: np.ndarray) -> Tensor:
        return torch.from_numpy(value).reshape(k.shape).to(eps.device)

    return k.cpu().numpy().ravel(), u.cpu().numpy().ravel(), back


def _series(k: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Log z to first order, k times over: log ε + log Γ(k + 1), the latter −γ·k + Σ ζ(n)·(−k)^n / n for small k."""
    near_one = np.polynomial.polynomial.polyval(np.minimum(k, 0.25), _LOG_GAMMA)
    return np.log(u) + np.where(k < 0.25, near_one, gammaln(k + 1))


def _log_quantile(k: np.ndarray, u: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", divide="ignore"):
        first = np.clip(_series(k, u) / k, -np.finfo(float).max, 1.0)
    small, large = first < _SMALL, k > _NORMAL
    y = first + np.exp(first) / (k + 1)
    y[large] = np.log(k[large]) + np.log1p(_normal_series(k[large], u[large])[0])
    # In the upper half from 1 − ε, which is exact there.
    upper, lower = ~small & ~large & (u > 0.5), ~small & ~large & (u <= 0.5)
    y[lower] = np.log(gammaincinv(k[lower], u[lower]))
    y[upper] = np.log(gammainccinv(k[upper], 1 - u[upper]))
    for rows in _chunks(~small & ~large & (k > _POLISHED)):
        y[rows] = _polished(k[rows], u[rows], y[rows])
    return y


def _polished(k: np.ndarray, u: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Newton's method on the log of the smaller tail, which is z·density times the integral of `_tail`."""
    upper = u > 0.5
    log_tail = np.log(np.where(upper, 1 - u, u))
    for _ in range(4):
        integral = _tail(k, u, y)[0]
        y = y - np.where(upper, -1.0, 1.0) * (np.log(integral) - _minus_log_density(k, y) - log_tail) * integral
    return y


def _normal_series(k: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """z/k − 1, ∂z/∂k − 1, and the log of ∂z/∂ε, as series in 1/√k, x the standard normal quantile of ε."""
    x, r = np.where(u > 0.5, -ndtri(1 - u), ndtri(u)), 1 / np.sqrt(k)
    third, fourth = (x**3 - 7 * x) / 36, -(3 * x**4 + 7 * x**2 - 16) / 810
    z = r * (x + r * ((x**2 - 1) / 3 + r * (third + r * fourth)))
    by_shape = r * (x / 2 - r**2 * (third / 2 + r * fourth))
    by_x = r * (2 * x / 3 + r * ((3 * x**2 - 7) / 36 - r * (12 * x**3 + 14 * x) / 810))
    return z, by_shape, np.log1p(by_x) - np.log(r) + 0.5 * (x**2 + np.log(2 * np.pi))


def _log_by_noise(k: np.ndarray, u: np.ndarray, y: np.ndarray) -> np.ndarray:
    """1 / (z·density); where z is small, z·density = k·ε·(1 − z/(k + 1)) without a difference of large numbers."""
    small, large = y < _SMALL, k > _NORMAL
    result = np.empty_like(y)
    result[small] = np.exp(y[small]) / (k[small] + 1) - np.log(k[small]) - np.log(u[small])
    result[large] = _normal_series(k[large], u[large])[2] - y[large]
    middle = ~small & ~large
    result[middle] = _minus_log_density(k[middle], y[middle])
    return result


def _minus_log_density(k: np.ndarray, y: np.ndarray) -> np.ndarray:
    """−log(z·density) = z + log Γ(k) − k·log z, from Stirling's series where these are large."""
    big, z = k >= _STIRLING, np.exp(y)
    n, off = np.maximum(k, _STIRLING), np.expm1(np.where(big, y - np.log(k), 0.0))
    stirling = (1 / 12 - (1 / 360 - 1 / 1260 / n**2) / n**2) / n
    large = n * (off - np.log1p(off)) + 0.5 * np.log(2 * np.pi / n) + stirling
    return np.where(big, large, z + gammaln(k) - k * y)


def _log_by_shape(k: np.ndarray, u: np.ndarray, y: np.ndarray) -> np.ndarray:
    """∂ log z/∂k = −(∂P/∂k) / (z·density), and ∂P/∂k is the integral of density·(log t − ψ(k)) over t below z.

    With t = z·e^−v, and t = z·e^v for the other tail, no Gamma function is left but ψ(k):
    ∫ e^(−k·v + z·(1 − e^−v))·(ψ(k) − log z + v) dv. Where z is small, the derivative of the series.
    """
    result = np.empty_like(y)
    small, large = y < _SMALL, k > _NORMAL
    result[large] = np.log1p(_normal_series(k[large], u[large])[1]) - y[large]
    n, slope = k[small], k[small] * digamma(k[small] + 1) - _series(k[small], u[small])
    result[small] = np.log(slope) - 2 * np.log(n)
    for rows in _chunks(~small & ~large):
        result[rows] = np.log(_tail(k[rows], u[rows], y[rows])[1])
    return result


def _chunks(chosen: np.ndarray) -> Iterator[np.ndarray]:
    rows = np.flatnonzero(chosen)
    return (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))


def _tail(k: np.ndarray, u: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integral over the smaller tail of the density, and of itself times ±(log t − ψ(k)), both over z·density at z."""
    z, side = np.exp(y), np.where(u > 0.5, 1.0, -1.0)
    away = side * (z - k)  # falls off at this rate to first order, and at z to second; beyond e^−40 nothing counts
    least = np.where(side > 0, z, z / 1.5)
    near = (np.sqrt(away**2 + 80 * least) - away) / least
    with np.errstate(over="ignore"):
        left = np.minimum(np.where(near < 1, near, np.inf), (40 + z) / k)
        decay = 60 + 2 * k * np.log1p(60 / z)
        right = np.where(k < 10, np.minimum(near, np.log1p(decay / z)), near)
    end = np.where(side > 0, right, left)
    v = end[:, None] * _UNIT_NODES
    weight = np.exp((side * k)[:, None] * v - z[:, None] * np.expm1(side[:, None] * v))
    centre = side * (y - digamma(k))
    return end * (weight @ _UNIT_WEIGHTS), end * ((weight * (centre[:, None] + v)) @ _UNIT_WEIGHTS)
