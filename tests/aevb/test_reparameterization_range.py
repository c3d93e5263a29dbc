"""Draws and gradients over the whole range of parameters and noise, against mpmath; and 10⁶ that must be finite."""

import itertools
from collections.abc import Iterator

import mpmath as mp
import numpy as np
import pytest
import torch
from torch import Tensor

from aevb.reparameterization import inverse_cdf
from aevb.reparameterization.location_scale import elliptical, location_scale
from aevb.reparameterization.table import REPARAMETERIZATIONS
from tests.families import DIGITS, DTYPES, FAMILIES, Family

DIGITS_OF_A_SUM = 150
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


def test_location_scale_and_elliptical_draws_stay_in_range():
    most = torch.finfo(torch.float32).max
    assert location_scale(torch.tensor(0.0), torch.tensor(most), torch.tensor(5.0)).item() == most
    assert location_scale(torch.tensor(-most), torch.tensor(most), torch.tensor(1.5)).item() == pytest.approx(most / 2)
    large = torch.tensor([[1e308, -1e308], [1e308, 1e308]], dtype=torch.float64)
    drawn = elliptical(torch.zeros(2, dtype=torch.float64), large, torch.tensor([4.0, 4.0], dtype=torch.float64))
    assert drawn.tolist() == [0, torch.finfo(torch.float64).max]
