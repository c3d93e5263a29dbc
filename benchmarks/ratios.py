"""How the learners' speeds compare, measured in turns in one process on one core: `python -m benchmarks.ratios`.

Every contender of a group takes a burst of steps, then the next, round after round; a ratio is the median over rounds
of the ratios within a round, so that a machine that slows down slows all of them, with its 95 % bootstrap interval.
"""

import argparse
import importlib.util
import math
import multiprocessing
import os
import statistics
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import torch

from aevb.errors import UserError
from aevb.fast.products import choose_library
from aevb.marginal.appendix_d import appendix_d_log_likelihood
from aevb.marginal.chains import start_chains
from aevb.marginal.estimate import UntrustedEstimateWarning
from benchmarks.engines import Engine, make_config, run_data
from benchmarks.plain import PlainLoop
from benchmarks.turns import clock
from benchmarks.work import flops, product_timer, step_products
from harness.experiments.config import Config
from harness.runs.steps import library
from harness.runs.streams import stream
from harness.timing.intervals import of_median, of_ratio

SECONDS_OF_A_BURST = 0.4
Advance = Callable[[int], object]
Rates = dict[str, list[float]]


def main() -> None:
    """Print all ratios."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=12)
    rounds = options.parse_args().rounds
    cores = sorted(os.sched_getaffinity(0))
    torch.set_num_threads(1)
    os.sched_setaffinity(0, cores[:1])
    for n_hidden, n_latent in ((500, 20), (100, 3)):
        config = make_config(hidden=(n_hidden,), n_latent=n_latent)
        rates = measure(contenders(config), config, rounds)
        print(f"\n{n_hidden} hidden units, N_z = {n_latent}, M = {config.batch_size}, one core")
        report(rates, config)
    print(f"\nappendix D, 1,000 datapoints, 50 samples, 100 hidden units, N_z = 3: {appendix_d(rounds):.2f} s")
    os.sched_setaffinity(0, cores)
    if len(cores) > 1:
        print(f"two workers over one, samples/s: {scaling(rounds):.2f}")


def contenders(config: Config) -> dict[str, Advance]:
    """What takes steps, by name; what this machine cannot do is left out, and said."""
    train = run_data("cpu").train
    settings = (config.n_latent, config.hidden[0], config.batch_size, 0.02)
    result: dict[str, Advance] = {
        "plain PyTorch": PlainLoop(train, *settings).advance,
        "reference": Engine(config, "reference", "cpu").advance,
        "fast": Engine(config, "fast", "cpu").advance,
        "wake-sleep": Engine(replace(config, method="wake_sleep"), "fast", "cpu").advance,
    }
    try:
        choose_library(((32, 32, 32),), "bfloat16")
        result["bfloat16"] = Engine(replace(config, precision="bfloat16"), "fast", "cpu").advance
    except UserError as error:
        print(f"left out: bfloat16: {error}")
    if importlib.util.find_spec("jax") is None:
        print("left out: JAX scan: jax is not installed: pip install -c constraints.txt -e '.[jax]'")
    else:
        from benchmarks.jax_scan import JaxLoop

        result["JAX scan"] = JaxLoop(train.numpy(), *settings).advance
    return result


def measure(advances: Mapping[str, Advance], config: Config, rounds: int) -> Rates:
    """Samples per second of each contender in each round, and of the step's matrix products alone ("GEMM")."""
    burst = {name: 20 for name in advances}
    for name, advance in advances.items():
        for _ in range(2):
            advance(burst[name])  # JAX compiles for each length
            took = clock(lambda: advance(burst[name]))  # noqa: B023
            burst[name] = max(1, round(burst[name] * min(20.0, SECONDS_OF_A_BURST / took)))
        advance(burst[name])
    floor = product_timer(step_products(config), library(config, run_data("cpu")), torch.device("cpu"))
    rates: Rates = {name: [] for name in (*advances, "GEMM")}
    for _ in range(rounds):
        for name, advance in advances.items():
            rates[name].append(config.batch_size * burst[name] / clock(lambda: advance(burst[name])))  # noqa: B023
        rates["GEMM"].append(config.batch_size / statistics.median(floor() for _ in range(20)))
    return rates


def report(rates: Rates, config: Config) -> None:
    """Rates, and the ratios that matter."""
    for name, values in rates.items():
        rate = of_median(values)
        print(f"  {name:<14} {rate.median:>9,.0f} samples/s, 95 % interval {rate.low:,.0f} to {rate.high:,.0f}")
    gflops = flops(step_products(config)) / config.batch_size * statistics.median(rates["GEMM"]) / 1e9
    print(f"  GEMM: the products of an AEVB step alone, {gflops:.0f} GFLOP/s by {library(config, run_data('cpu'))}")
    wanted = [("fast", name) for name in ("plain PyTorch", "reference", "JAX scan", "GEMM")]
    for one, other in [*wanted, ("bfloat16", "fast"), ("fast", "wake-sleep")]:
        if one in rates and other in rates:
            ratio = of_ratio([[math.log(a / b) for a, b in zip(rates[one], rates[other], strict=True)]])
            print(f"  {one} / {other}: {ratio.median:.3f} ({ratio.low:.3f} to {ratio.high:.3f})")


def appendix_d(rounds: int) -> float:
    """Seconds of one estimate as figure 3 takes it, for a model that has learnt a little: the median."""
    engine = Engine(make_config(hidden=(100,), n_latent=3, step_size=0.05, warm_up=100), "fast", "cpu")
    engine.advance(500)
    model, x, generator = engine.learners[0].model, run_data("cpu").test_points, stream("benchmark")
    chains = start_chains(model, x, generator, n_candidates=1)
    how: dict[str, Any] = {"n_samples": 50, "n_burn_in": 5, "n_leapfrog": 4, "fit": "kde", "jitter": 0.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrustedEstimateWarning)
        return statistics.median(
            clock(lambda: appendix_d_log_likelihood(model, x, chains, generator, **how)) for _ in range(min(rounds, 5))
        )


def scaling(rounds: int) -> float:
    """Samples per second of two processes together over that of one alone: the median of rounds in turns."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        pool.map(_work, [1.0] * 4, chunksize=1)  # whoever comes first to its first task, both have an engine then
        ratios = []
        for _ in range(rounds):
            (alone,) = pool.map(_work, [1.0])
            ratios.append(sum(pool.map(_work, [1.0, 1.0], chunksize=1)) / alone)
    return statistics.median(ratios)


@cache
def _engine() -> Engine:
    """A worker's own."""
    torch.set_num_threads(1)
    return Engine(make_config(), "fast", "cpu")


def _work(for_seconds: float) -> float:
    engine = _engine()
    begin, steps = time.perf_counter(), 0
    while time.perf_counter() - begin < for_seconds:
        engine.advance(50)
        steps += 50
    return steps * 100 / (time.perf_counter() - begin)


if __name__ == "__main__":
    main()
