"""Which library multiplies, how exactly, and that nothing outlives the block that asked for it."""

import contextlib
from dataclasses import replace
from threading import Thread

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


@pytest.mark.parametrize(
    ("amd", "blas", "openblas", "onednn", "expected"),
    [
        (False, 1.0, 1.0, 1.0, "blas"),
        (False, 1.2, 1.0, 1.0, "blas"),
        (False, 2.0, 2.0, 1.0, "onednn"),
        (False, 2.0, 1.0, 1.0, "openblas"),
        (False, 2.0, 1.0, 0.7, "onednn"),
        (True, 1.0, 1.2, 1.0, "openblas"),
        (True, 1.0, 1.3, 1.0, "blas"),
        (True, 1.0, 1.3, 0.7, "onednn"),
    ],
)
def test_a_library_must_be_clearly_faster_than_the_processor_s_usual_one(
    amd, blas, openblas, onednn, expected, monkeypatch
):
    needed = {"blas": blas, "openblas": openblas, "onednn": onednn}
    monkeypatch.setattr(products, "seconds", lambda libraries, shapes: [needed[library] for library in libraries])
    monkeypatch.setattr(products, "is_right", lambda *_: True)
    monkeypatch.setattr(products, "is_amd", lambda: amd)
    assert choose_library(SHAPES) == expected
    if expected == "openblas":
        assert choose_library(SHAPES, by_torch=True) != "openblas"


def test_timing_libraries_does_not_draw_from_torchs_own_generator():
    before = torch.get_rng_state()
    products.seconds(["blas"], SHAPES, repeats=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_fast_library_with_wrong_results_is_refused(monkeypatch):
    monkeypatch.setattr(
        products, "seconds", lambda libraries, _: [9.0 if name == "blas" else 1.0 for name in libraries]
    )
    monkeypatch.setattr(products, "rounding", lambda *_: 1e-3)
    monkeypatch.setattr(products, "is_amd", lambda: True)
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


needs_openblas = pytest.mark.skipif(not products.openblas_kernels(), reason="NumPy multiplies with something else")


def threads():
    return products._openblas().lib_controllers[0].num_threads


@needs_openblas
def test_what_torch_multiplies_meanwhile_it_multiplies_in_float32():
    settings = torch.backends.mkldnn.matmul
    with products.products("onednn-bfloat16"), products.products("openblas"):
        assert settings.fp32_precision == "ieee"


@needs_openblas
def test_another_thread_has_as_many_threads_as_torch_too():
    found = []

    def multiply():
        with products.products("openblas"):
            found.append(threads())

    with products.products("openblas"):
        pass
    other = Thread(target=multiply)
    other.start()
    other.join()
    assert found == [torch.get_num_threads()]


@needs_openblas
@pytest.mark.parametrize("shape", SHAPES)
def test_openblas_multiplies_within_its_block_alone_with_as_many_threads_as_torch(shape, monkeypatch):
    m, k, n = shape
    a, b, out = torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)
    calls, multiply = [], products.multiply_arrays
    monkeypatch.setattr(products, "multiply_arrays", lambda *arrays: (calls.append(arrays), multiply(*arrays)))
    before = threads()
    products.multiply(a, b, out)
    assert not calls
    assert not products.openblas_multiplies()
    with contextlib.suppress(ZeroDivisionError), products.products("openblas"):
        assert threads() == torch.get_num_threads() == 1
        products.multiply(a, b, out)
        with products.products("blas"):
            assert not products.openblas_multiplies()
        raise ZeroDivisionError
    assert len(calls) == 1
    assert rounding("openblas", shape) < SINGLE_ROUNDING
    torch.testing.assert_close(out, a @ b, rtol=1e-4, atol=1e-4)
    assert not products.openblas_multiplies()
    assert threads() == before


def test_a_numpy_without_openblas_has_none_to_choose(monkeypatch):
    monkeypatch.setattr(products, "_openblas", lambda: None)
    monkeypatch.setattr(products, "is_amd", lambda: True)
    assert not products.is_right("openblas", SHAPES)
    assert choose_library(SHAPES) in ("blas", "onednn")
    with products.products("openblas"):
        assert not products.openblas_multiplies()


@needs_openblas
@pytest.mark.parametrize("method", ["aevb", "wake_sleep"])
def test_a_run_by_openblas_is_that_by_torch_within_rounding(method, tmp_path, array):
    wide = "author+hidden=[64]+batch_size=100+points_per_decade=5+step_size=0.05+warm_up=5"
    job = small_job(tmp_path, array, wide, method=method, samples=10_000)
    other = replace(job, root=tmp_path / "other", library="openblas")
    assert run(replace(job, library="blas")).state == run(other).state == "finished"
    assert [one.folder.environments()[-1]["products"] for one in (job, other)] == ["blas", "openblas"]
    assert other.folder.environments()[-1]["kernels"] == products.openblas_kernels()
    np.testing.assert_allclose(curve(job)["lower_bound"], curve(other)["lower_bound"], atol=1e-3)


@needs_openblas
def test_what_torch_multiplies_by_itself_is_not_said_to_be_by_openblas(tmp_path, array):
    job = replace(small_job(tmp_path, array, samples=1_000), engine="reference", library="openblas")
    run(job)
    assert job.folder.environments()[-1]["products"] in ("blas", "onednn")


@pytest.mark.parametrize("method", ["aevb", "wake_sleep"])
def test_a_bfloat16_run_stays_near_the_float32_run(method, bfloat16, tmp_path, array):
    wide = "author+hidden=[64]+batch_size=100+points_per_decade=5+step_size=0.05+warm_up=5"
    single = small_job(tmp_path, array, wide, method=method, samples=10_000)
    reduced = replace(single, config=replace(single.config, precision="bfloat16"))
    assert run(single).state == run(reduced).state == "finished"
    one, other = curve(single)["lower_bound"], curve(reduced)["lower_bound"]
    assert (one != other).any()
    np.testing.assert_allclose(one, other, atol=0.1)  # nats of 10
