"""Which library multiplies, how exactly, and that nothing outlives the block that asked for it."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from aevb.errors import UserError
from aevb.fast import products
from aevb.fast.products import REDUCED_ROUNDING, SINGLE_ROUNDING, choose_library, rounding
from harness.runs.train import run
from tests.support import curve, small_job

SHAPES = ((100, 784, 64), (64, 100, 784), (3, 500, 7))


@pytest.fixture(autouse=True)
def forgetful():
    choose_library.cache_clear()
    yield
    choose_library.cache_clear()


@pytest.fixture
def bfloat16():
    try:
        return choose_library(SHAPES, "bfloat16")
    except UserError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("shape", SHAPES)
def test_float32_products_round_as_float32_does(shape):
    assert rounding("blas", shape) < SINGLE_ROUNDING
    assert rounding(choose_library(SHAPES), shape) < SINGLE_ROUNDING


@pytest.mark.parametrize("shape", SHAPES[:2])
def test_bfloat16_rounds_factors_to_eight_bits_and_sums_in_float32(shape, bfloat16):
    m, k, n = shape
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(m, k, generator=generator), torch.randn(k, n, generator=generator)
    with products.products(bfloat16):
        product = a @ b
    # The factors rounded beforehand: what is left is the rounding of float32 sums.
    exact = a.bfloat16().double() @ b.bfloat16().double()
    assert float((product - exact).abs().max()) / k**0.5 < SINGLE_ROUNDING
    assert SINGLE_ROUNDING < rounding(bfloat16, shape) < REDUCED_ROUNDING


@pytest.mark.parametrize(("blas", "onednn", "expected"), [(1.0, 1.0, "blas"), (2.0, 1.0, "onednn"), (1.2, 1.0, "blas")])
def test_a_library_must_be_clearly_faster(blas, onednn, expected, monkeypatch):
    monkeypatch.setattr(products, "seconds", lambda *_: [blas, onednn])
    monkeypatch.setattr(products, "rounding", lambda *_: 0.0)
    monkeypatch.setattr(products, "_switchable", lambda: True)
    assert choose_library(SHAPES) == expected


def test_a_fast_library_with_wrong_results_is_refused(monkeypatch):
    monkeypatch.setattr(products, "seconds", lambda *_: [9.0, 1.0])
    monkeypatch.setattr(products, "rounding", lambda *_: 1e-3)
    assert choose_library(SHAPES) == "blas"


def test_a_machine_without_bfloat16_says_so(monkeypatch):
    monkeypatch.setattr(products, "rounding", lambda *_: 1e-7)
    with pytest.raises(UserError, match="use float32"):
        choose_library(SHAPES, "bfloat16")
    with pytest.raises(UserError, match="float32, bfloat16"):
        choose_library(SHAPES, "float16")


def test_the_setting_ends_with_its_block(bfloat16):
    a = torch.randn(64, 64)
    before = a @ a
    with contextlib.suppress(ZeroDivisionError), products.products(bfloat16):
        assert not torch.equal(a @ a, before)
        raise ZeroDivisionError
    assert torch.equal(a @ a, before)


@pytest.mark.parametrize("method", ["aevb", "wake_sleep"])
def test_a_bfloat16_run_stays_near_the_float32_run(method, bfloat16, tmp_path, array):
    wide = "author+hidden=[64]+batch_size=100+points_per_decade=5+step_size=0.05+warm_up=5"
    single = small_job(tmp_path, array, wide, method=method, samples=10_000)
    reduced = replace(single, config=replace(single.config, precision="bfloat16"))
    assert run(single).state == run(reduced).state == "finished"
    one, other = curve(single)["lower_bound"], curve(reduced)["lower_bound"]
    assert (one != other).any()
    np.testing.assert_allclose(one, other, atol=0.1)  # nats of 10
