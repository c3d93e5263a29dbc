"""Draws and gradients over the whole range of parameters and noise, against mpmath; and 10⁶ that must be finite."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import mpmath as mp
import numpy as np
import pytest
import torch
from torch import Tensor

from aevb.errors import ArgumentError
from aevb.reparameterization import composition, inverse_cdf
from aevb.reparameterization.gamma_quantile import log_quantile
from aevb.reparameterization.inverse_cdf import uniform_noise
from aevb.reparameterization.location_scale import elliptical, location_scale
from aevb.reparameterization.table import REPARAMETERIZATIONS

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
DIGITS = 60
DIGITS_OF_A_SUM = 150


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
SPREADS = {"location": 30, "scale": 30, "shape": 8, "gamma shape": 5, "small location": 1, "small scale": 1, "above": 5}
RELATIVE = {torch.float32: 2.0**-23, torch.float64: 1e-12}
GAMMA_GRADIENT = 1e-9  # of what is made of Gamma variables


def noise_grid(n: int, dtype: torch.dtype, rng: np.random.Generator) -> Tensor:
    """Points of `uniform_noise`'s grid: both ends, powers of two from either, near ½, 1/e and 1 − 1/e, uniform."""
    bits = 24 if dtype == torch.float32 else 53
    step = 2.0**-bits
    near = rng.choice([0.5, 0.25, 0.75, np.exp(-1), 1 - np.exp(-1)], n) + rng.integers(-3, 4, n) * step
    power = 2.0 ** -rng.integers(1, bits + 1, n)
    kinds = np.stack([rng.uniform(size=n), near, power, 1 - power, rng.integers(1, 9, n) * step])
    points = np.round(kinds[rng.integers(0, len(kinds), n), np.arange(n)] / step).clip(1, 2**bits - 1) * step
    return torch.as_tensor(points).to(dtype)


def arguments(family: Family, n: int, dtype: torch.dtype, rng: np.random.Generator) -> list[Tensor]:
    found: list[Tensor] = []
    for kind in family.parameters:
        size = 10 ** rng.uniform(-SPREADS[kind], SPREADS[kind], n)
        sign = rng.choice([-1, 1], n) if "location" in kind else 1
        value = torch.as_tensor(sign * size).to(dtype)
        if kind == "gamma shape":
            value = torch.where(torch.as_tensor(rng.uniform(size=n) < 0.5), value.clamp(max=30), value)
        if kind == "above":
            value = torch.maximum(found[-1] * (1 + value), torch.nextafter(found[-1], torch.full_like(value, np.inf)))
        found.append(value)
    for _ in range(family.width):
        real = torch.as_tensor(rng.standard_t(3, n)).to(dtype)
        found.append(real if family.noise == "real" else noise_grid(n, dtype, rng))
    return found


def draws_and_gradients(family: Family, values: list[Tensor]) -> list[Tensor]:
    leaves = [value.clone().requires_grad_() for value in values]
    drawn = family.draw(*leaves)
    return [drawn.detach(), *torch.autograd.grad(drawn.sum(), leaves)]


def exact(family: Family, values: list[float]) -> Iterator[mp.mpf]:
    """The draw and its derivatives, by central differences that are good to 30 digits."""
    points = [mp.mpf(value) for value in values]
    truth, factor = family.truth, mp.mpf(1)
    value = truth(*points)
    if family.logit:
        value, factor = 1 / (1 + mp.exp(-value)), 1 / ((1 + mp.exp(-value)) * (1 + mp.exp(value)))
    yield value
    for place, point in enumerate(points):
        step = abs(point) * mp.mpf(10) ** -18 or mp.mpf(10) ** -18
        if point < 1:
            step = min(step, (1 - point) * mp.mpf(10) ** -18)
        ends = [truth(*points[:place], point + sign * step, *points[place + 1 :]) for sign in (1, -1)]
        yield factor * (ends[0] - ends[1]) / (2 * step)


def error(found: float, truth: mp.mpf, dtype: torch.dtype) -> float:
    """Relative to the nearest number of that type; of a difference too small for normal numbers, relative to those."""
    limits = torch.finfo(dtype)
    nearest = max(min(truth, mp.mpf(limits.max)), -mp.mpf(limits.max))
    return float(abs(mp.mpf(found) - nearest) / max(abs(nearest), mp.mpf(limits.tiny)))


@DTYPES
@pytest.mark.parametrize("name", FAMILIES)
def test_draws_and_gradients_are_those_of_mpmath(name, dtype, capsys):
    family, rng, n = FAMILIES[name], np.random.default_rng(7), 100
    values = arguments(family, n, dtype, rng)
    found = draws_and_gradients(family, values)
    worst = [0.0] * len(found)
    with mp.workdps(DIGITS_OF_A_SUM if "location" in family.parameters else DIGITS):
        for row in range(n):
            point = [float(value[row]) for value in values]
            for place, truth in enumerate(exact(family, point)):
                off = error(float(found[place][row]), truth, dtype)
                if "location" in family.parameters[0] and place in (0, 2):  # a sum: relative to its larger term
                    largest = max(abs(mp.mpf(point[0])), abs(truth)) if place == 0 else max(abs(truth), mp.mpf(1e-3))
                    off *= float(min(abs(truth) / largest, 1)) if truth else 1
                worst[place] = max(worst[place], off)
    with capsys.disabled():
        print(f"\n{name}, {dtype}, worst relative errors of {n}: " + ", ".join(f"{off:.1e}" for off in worst), end="")
    for place, off in enumerate(worst):
        of_gamma = place > 0 and "gamma shape" in family.parameters
        assert off < max(RELATIVE[dtype], GAMMA_GRADIENT if of_gamma else 0), (name, place, off)


def test_every_distribution_of_the_table_is_held_to_the_range():
    drawn_here = {"Elliptical": "Elliptical", "Dirichlet": "Beta"} | {
        name: "Location-scale" for name in ("Laplace", "Student's t", "Uniform", "Triangular", "Gaussian")
    }
    assert {drawn_here.get(row.distribution, row.distribution) for row in REPARAMETERIZATIONS} <= {
        *FAMILIES,
        "Elliptical",
    }


def extreme(family: Family, n: int, dtype: torch.dtype, rng: np.random.Generator) -> list[Tensor]:
    """Parameters from the smallest number to the largest, but for one in four of an everyday size."""
    found = arguments(family, n, dtype, rng)
    limits = torch.finfo(dtype)
    low, high = np.log10(limits.smallest_normal) - 6, np.log10(limits.max)
    for place, kind in enumerate(family.parameters):
        size = torch.as_tensor(10 ** rng.uniform(low, high, n)).to(dtype).clamp(limits.smallest_normal * limits.eps)
        size = torch.where(torch.as_tensor(rng.uniform(size=n) < 0.25), found[place].abs(), size)
        if kind == "above":
            size = torch.maximum(size, torch.nextafter(found[0], torch.full_like(size, np.inf)))
            found[0] = torch.minimum(found[0], torch.full_like(size, limits.max / 4))
            size = torch.maximum(size, torch.nextafter(found[0], torch.full_like(size, np.inf)))
        found[place] = size * torch.sign(found[place])
    return found


def test_a_million_draws_are_finite_and_those_of_float32_are_float64s_rounded_once(capsys, tally):
    rng, worst, n_draws = np.random.default_rng(11), {}, 0
    rows = {name: 16_000 if family.width == 1 else 12_000 for name, family in FAMILIES.items()}
    for (name, family), dtype, choose in itertools.product(
        FAMILIES.items(), (torch.float32, torch.float64), (arguments, extreme)
    ):
        n = rows[name] * (1 if "gamma shape" in family.parameters else 2)
        values = choose(family, n, dtype, rng)
        found = draws_and_gradients(family, values)
        n_draws += n
        for each in found:
            assert each.dtype == dtype
            assert each.isfinite().all(), (name, dtype, choose.__name__)
        if dtype == torch.float32:
            limits = torch.finfo(dtype)
            for each, wide in zip(
                found, draws_and_gradients(family, [value.double() for value in values]), strict=True
            ):
                rounded = wide.clamp(-limits.max, limits.max)
                off = ((each.double() - rounded).abs() / rounded.abs().clamp(min=limits.tiny)).max()
                worst[name] = max(worst.get(name, 0.0), float(off))
    with capsys.disabled():
        print(f"\nworst relative error of {n_draws:,} draws and their gradients, float32: {max(worst.values()):.1e}")
    assert n_draws >= 1_000_000
    assert max(worst.values()) < 2.0**-24 * 1.01, worst


@DTYPES
@pytest.mark.parametrize("n", [2, 3, 10])
def test_dirichlet_draws_lie_on_the_simplex_for_any_shape(n, dtype, generator):
    limits = torch.finfo(dtype)
    exponents = torch.rand(4000, n, dtype=torch.float64, generator=generator)
    low, high = np.log10(limits.smallest_normal), np.log10(limits.max)
    alpha = (10 ** (low + (high - low) * exponents)).to(dtype)
    alpha[::2] = alpha[::2, :1]  # many of one shape, where draws tie or nearly so
    alpha.requires_grad_()
    eps = uniform_noise((4000, n), alpha, generator).requires_grad_()
    z = composition.dirichlet(alpha, eps)
    assert ((z >= 0) & (z <= 1)).all()
    torch.testing.assert_close(z.sum(-1), torch.ones(4000, dtype=dtype), rtol=0, atol=n * limits.eps)
    gradients = torch.autograd.grad(z[:, 0].sum(), [alpha, eps])
    assert all(gradient.isfinite().all() for gradient in gradients)


@DTYPES
@pytest.mark.parametrize("n", [2, 3, 10])
def test_equal_gammas_share_equally_however_small_or_large_their_shape(n, dtype):
    alpha = torch.logspace(-36, 6, 43, dtype=dtype)[:, None].expand(43, n)
    for level in (1e-7, 0.2, 0.5, 1 - 2.0**-24):
        z = composition.dirichlet(alpha, torch.full((43, n), level, dtype=dtype))
        torch.testing.assert_close(z, torch.full_like(z, 1 / n))


def test_a_beta_of_small_shapes_has_the_closed_form(generator):
    # g ~ (Γ(k + 1)·u)^(1/k), so that the ratio of two of one small shape is (u/v)^(1/k).
    shape = torch.tensor(0.01)
    z = composition.beta(shape, shape, torch.tensor([0.3, 0.2]))
    assert z.item() == pytest.approx(1 / (1 + (2 / 3) ** 100), rel=1e-6)
    u, v = uniform_noise((2, 5000), torch.zeros((), dtype=torch.float64), generator)
    for k in (1e-2, 1e-3, 1e-5, 1e-30):
        both = torch.stack([u, v], -1)
        small = (both.log().max(-1).values + 1e-9) / k < -30
        expected = torch.sigmoid((u.log() - v.log()) / k)
        shape = torch.tensor(k, dtype=torch.float64)
        drawn = composition.beta(shape, shape, both)
        torch.testing.assert_close(drawn[small], expected[small], rtol=1e-9, atol=1e-307)


@DTYPES
def test_the_cauchy_is_monotone_negative_below_a_half_and_odd_about_it(dtype):
    bits = 24 if dtype == torch.float32 else 53
    steps = torch.arange(1, 5000, dtype=torch.float64)
    eps = (torch.cat([steps, 2.0 ** (bits - 1) + steps - 2500, 2.0**bits - steps.flip(0)]) * 2.0**-bits).to(dtype)
    z = inverse_cdf.cauchy(torch.zeros((), dtype=dtype), torch.ones((), dtype=dtype), eps)
    assert (z.diff() > 0).all()
    assert ((z < 0) == (eps < 0.5)).all()
    torch.testing.assert_close(
        z, -inverse_cdf.cauchy(torch.zeros((), dtype=dtype), torch.ones((), dtype=dtype), 1 - eps)
    )
    tail = inverse_cdf.cauchy(torch.zeros((), dtype=dtype), torch.ones((), dtype=dtype), torch.tensor(1e-10).to(dtype))
    assert tail.item() == pytest.approx(-1 / (np.pi * 1e-10), rel=1e-6)


@DTYPES
@pytest.mark.parametrize("exponent", range(-2, 9))
def test_the_erlangs_noise_gradient_is_one_over_the_density(exponent, dtype, generator):
    shape = torch.tensor(10.0**exponent, dtype=dtype)
    eps = uniform_noise((40,), shape, generator)
    eps[:2] = torch.tensor([2.0**-20, 1 - 2.0**-20])
    eps = eps.requires_grad_()
    (found,) = torch.autograd.grad(inverse_cdf.erlang(shape, torch.ones_like(shape), eps).sum(), eps)
    with mp.workdps(40):
        k = mp.mpf(float(shape))
        log_z = log_quantile(shape.double(), eps.detach().double())
        expected = [mp.exp(mp.loggamma(k) - (k - 1) * mp.mpf(float(y)) + mp.exp(mp.mpf(float(y)))) for y in log_z]
    wanted = torch.tensor(
        [float(min(value, mp.mpf(torch.finfo(dtype).max))) for value in expected], dtype=torch.float64
    )
    # In float64 the density itself is known no better than z is: to k·|z − k|/k² roundings.
    tolerance = 2.0**-23 if dtype == torch.float32 else 1e-12 * max(1, 10 ** (exponent / 2 - 2))
    keep = wanted > torch.finfo(dtype).tiny
    torch.testing.assert_close(found.double()[keep], wanted[keep], rtol=tolerance, atol=0)


@pytest.mark.parametrize("exponent", range(5, 16))
def test_large_shapes_are_cornish_and_fishers(exponent):
    # The normal law's quantile x and terms in 1/√k: good to 1e-11 at 10⁵, and to rounding from 10⁶ on.
    rng = np.random.default_rng(exponent)
    shape = torch.as_tensor(10.0 ** (exponent + rng.uniform(size=60)))
    low = torch.as_tensor(2.0 ** -rng.uniform(1, 53, 60))
    for eps, sign in ((low, 1.0), (1 - low, -1.0)):
        x = sign * torch.special.ndtri(torch.where(eps > 0.5, 1 - eps, eps))
        root = shape.sqrt()
        terms = (x * root, (x**2 - 1) / 3, (x**3 - 7 * x) / (36 * root), -(3 * x**4 + 7 * x**2 - 16) / (810 * shape))
        expected = (sum(terms) / shape).log1p() + shape.log()
        torch.testing.assert_close(log_quantile(shape, eps), expected, rtol=0, atol=2e-13 if exponent > 5 else 1e-11)


def test_location_scale_and_elliptical_draws_stay_in_range():
    most = torch.finfo(torch.float32).max
    assert location_scale(torch.tensor(0.0), torch.tensor(most), torch.tensor(5.0)).item() == most
    assert location_scale(torch.tensor(-most), torch.tensor(most), torch.tensor(1.5)).item() == pytest.approx(most / 2)
    large = torch.tensor([[1e308, -1e308], [1e308, 1e308]], dtype=torch.float64)
    drawn = elliptical(torch.zeros(2, dtype=torch.float64), large, torch.tensor([4.0, 4.0], dtype=torch.float64))
    assert drawn.tolist() == [0, torch.finfo(torch.float64).max]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_parameters_and_noise_that_are_no_numbers_are_refused(value):
    for draw in (inverse_cdf.cauchy, inverse_cdf.logistic, inverse_cdf.gumbel, location_scale, composition.log_normal):
        for place in range(3):
            arguments = [torch.tensor(0.5) for _ in range(3)]
            arguments[place] = torch.tensor(value)
            with pytest.raises(ValueError, match="must be"):
                draw(*arguments)


U = torch.tensor([0.2, 0.5, 0.9])
PAIRS = torch.stack([U, U.flip(0)], -1)
WRONG = {
    "a number": lambda: inverse_cdf.exponential(2.0, U),
    "noise that is a number": lambda: inverse_cdf.exponential(U, 0.5),
    "an array": lambda: inverse_cdf.cauchy(U, U, U.numpy()),
    "nothing": lambda: inverse_cdf.weibull(None, U, U),
    "complex": lambda: location_scale(U * 1j, U, U),
    "booleans": lambda: inverse_cdf.erlang(U > 0.3, U, U),
    "whole numbers alone": lambda: location_scale(torch.tensor([0]), torch.tensor([1]), torch.tensor([2])),
    "sizes that do not fit": lambda: inverse_cdf.pareto(U, U[:2], U),
    "sizes that do not fit a sum": lambda: composition.gamma(U[:2], PAIRS),
    "a sum of nothing": lambda: composition.gamma(U, PAIRS[:, :0]),
    "one noise for two gammas": lambda: composition.beta(U, U, PAIRS[:, :1]),
    "three noises for two gammas": lambda: composition.beta(U, U, torch.stack([U, U, U], -1)),
    "one noise for all coordinates": lambda: composition.dirichlet(PAIRS, PAIRS[:, :1]),
    "a Dirichlet of no coordinates": lambda: composition.dirichlet(U[0], U),
    "five noises for an F": lambda: composition.f(U, U, torch.full((3, 5), 0.5)),
    "one noise for an F": lambda: composition.f(U, U, PAIRS[:, :1]),
    "noise without an axis": lambda: elliptical(torch.zeros(2), torch.eye(2), torch.tensor(0.5)),
    "a matrix of lists": lambda: elliptical(torch.zeros(2), [[1.0]], PAIRS),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_is_no_parameter_or_no_noise_is_refused_by_name(wrong):
    with pytest.raises(ArgumentError, match=r" must .*, got .*: "):
        wrong()
