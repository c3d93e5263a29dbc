"""Learners in turns: ratios that a machine which slows down for a while does not change."""

import time

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import environment
from benchmarks.engines import make_config
from benchmarks.ratios import contenders, measure

ROUNDS = 12


@pytest.mark.parametrize(("n_hidden", "n_latent"), [(500, 20), (100, 3)])
def test_contest(n_hidden: int, n_latent: int, device: str, benchmark: BenchmarkFixture) -> None:
    config = make_config(hidden=(n_hidden,), n_latent=n_latent)
    rounds = ROUNDS if benchmark.enabled else 1
    begin = time.perf_counter()
    rates = benchmark.pedantic(lambda: measure(contenders(config, device), config, rounds, device), rounds=1)
    seconds = time.perf_counter() - begin
    assert {"plain PyTorch", "reference", "wake-sleep", "GEMM"} < rates.keys()
    assert ("MCEM" in rates) == (device == "cpu" and n_hidden == 100), "the network of figure 3"
    assert all(len(values) == rounds and min(values) > 0 for values in rates.values())
    benchmark.extra_info.update(
        suite="contest",
        device_type=device,
        hidden=[n_hidden],
        n_latent=n_latent,
        batch_size=config.batch_size,
        rates=rates,
        seconds=seconds,
        environment=environment(device),
    )
