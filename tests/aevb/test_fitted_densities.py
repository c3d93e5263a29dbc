"""Densities fitted to draws: kernels and Gaussians; too few draws have none."""

import math

import pytest
import torch

from aevb.densities import DiagonalGaussian
from aevb.errors import ArgumentError
from aevb.marginal.gaussian import FullGaussian
from aevb.marginal.kde import KernelDensity


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shrink", [False, True])
def test_a_kernel_density_integrates_to_one(shrink: bool) -> None:
    z = torch.randn(30, 4, 2, dtype=torch.float64, generator=seeded()) * torch.tensor([0.5, 3.0])
    density = KernelDensity.fit(z, shrink=shrink)
    wide = DiagonalGaussian(z.mean(0), (4 * z.var(0)).log())
    value = wide.at(torch.randn(100_000, 4, 2, dtype=torch.float64, generator=seeded(1)))
    weights = (density.log_density(value) - wide.log_density(value)).exp()
    assert ((weights.mean(0) - 1).abs() < 4 * weights.std(0) / math.sqrt(100_000)).all()


def test_a_kernel_density_keeps_two_modes_apart_and_a_gaussian_whole() -> None:
    noise = torch.randn(200, 1, 1, dtype=torch.float64, generator=seeded())
    mode = torch.tensor([4.0, -4.0]).double().repeat(100)[:, None, None]  # in turn: each half sees both
    split, whole = (KernelDensity.fit(z, shrink=True) for z in (0.3 * noise + mode, noise))
    assert split.bandwidth.item() < 0.3
    assert whole.bandwidth.item() > 0.5
    log_density = split.log_density(torch.tensor([0.0, 4.0]).double()[:, None, None])
    assert log_density[1, 0] - log_density[0, 0] > 4


def test_kernels_and_gaussians_on_too_few_distinct_samples_are_nan() -> None:
    z = torch.randn(20, 2, 3, dtype=torch.float64, generator=seeded())
    z[:, 1] = z[0, 1]
    for fitted in (KernelDensity.fit(z), FullGaussian.fit(z)):
        log_density = fitted.log_density(z)
        assert log_density[:, 0].isfinite().all()
        assert log_density[:, 1].isnan().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_latent", [1, 3, 10, 20])
def test_draws_that_do_not_span_the_space_have_no_density(n_latent: int, dtype: torch.dtype) -> None:
    z = 1 + 1e-3 * torch.randn(n_latent + 1, 50, n_latent, dtype=dtype, generator=seeded())
    assert FullGaussian.fit(z).cholesky.isfinite().double().mean() > 0.9
    one_less = z[:-1].repeat_interleave(3, 0)
    assert FullGaussian.fit(one_less).cholesky.isnan().all()
    assert FullGaussian.fit(one_less, diagonal=True).cholesky.isfinite().all() == (n_latent > 1)


@pytest.mark.parametrize("z", [torch.zeros(1, 5, 3), torch.zeros(3), torch.tensor(0.0), [[0.0], [1.0]], None])
def test_too_few_samples_for_a_gaussian_are_refused(z):
    with pytest.raises(ArgumentError, match=r"`z` must be"):
        FullGaussian.fit(z)
