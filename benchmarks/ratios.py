"""How the learners' speeds compare, measured in turns in one process on one core: `python -m benchmarks.ratios`.

With `--device cuda` on a GPU, where our graph and our stack of runs are held against JAX's scan and its `vmap`.
Every contender of a group takes a burst of steps, then the next, round after round; a ratio is the median over rounds
of the ratios within a round, so that a machine that slows down slows all of them, with its 95 % bootstrap interval.
"""

import argparse
import importlib.util
import multiprocessing
import statistics
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from typing import Any

import torch

from aevb.errors import UserError
from aevb.fast.products import choose_library
from aevb.marginal.appendix_d import appendix_d_log_likelihood
from aevb.marginal.chains import start_chains
from aevb.marginal.estimate import UntrustedEstimateWarning
from benchmarks.bursts import burst_of
from benchmarks.cores import one_core
from benchmarks.engines import STACKED, Engine, make_config, run_data
from benchmarks.launch import stopwatch
from benchmarks.plain import PlainLoop
from benchmarks.turns import clock
from benchmarks.work import flops, product_timer, step_products
from harness.experiments.config import Config
from harness.runs.steps import library, samples_per_step
from harness.runs.streams import stream
from harness.timing.contest import ratio_of
from harness.timing.intervals import of_median

SECONDS_OF_A_BURST = 0.4
PRODUCTS = {"cpu": 20, "cuda": 5}  # times that the products are timed in a round; on a GPU many steps' at each
FEW = 1000  # training images of figure 3's smaller set
STACKS = ("stacked", "JAX vmap", "stacked GEMM")  # of as many runs as a GPU's stack has
PAIRS = {
    "cpu": [*(("fast", name) for name in ("plain PyTorch", "reference", "JAX scan", "GEMM")), ("bfloat16", "fast"),
            ("fast", "wake-sleep"), ("fast", "MCEM")],
    "cuda": [*(("graph", name) for name in ("plain PyTorch", "reference", "JAX scan", "GEMM", "wake-sleep")),
             *(("stacked", name) for name in ("graph", "JAX vmap", "stacked GEMM")), ("JAX vmap", "JAX scan")],
}  # fmt: skip
Advance = Callable[[int], object]
Rates = dict[str, list[float]]


def main() -> None:
    """Print all ratios."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=12)
    options.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    asked = options.parse_args()
    rounds, device = asked.rounds, asked.device
    if device == "cuda" and not torch.cuda.is_available():
        options.error("--device cuda needs a CUDA device, and torch finds none: choose cpu")
    where = one_core() if device == "cpu" else nullcontext(set[int]())
    with where as cores:
        _compare(rounds, device)
    if len(cores) > 1:
        print(f"two workers over one, samples/s: {scaling(rounds):.2f}")


def _compare(rounds: int, device: str) -> None:
    torch.set_num_threads(1)
    for n_hidden, n_latent in ((500, 20), (100, 3)):
        config = make_config(hidden=(n_hidden,), n_latent=n_latent)
        rates = measure(contenders(config, device), config, rounds, device)
        where = torch.cuda.get_device_name() if device == "cuda" else "one core"
        print(f"\n{n_hidden} hidden units, N_z = {n_latent}, M = {config.batch_size}, {where}")
        report(rates, config, device)
    if device == "cpu":
        print(f"\nappendix D, 1,000 datapoints, 50 samples, 100 hidden units, N_z = 3: {appendix_d(rounds):.2f} s")


def contenders(config: Config, device: str) -> dict[str, Advance]:
    """What takes steps, by name; what this machine cannot do is left out, and said."""
    train, best = run_data(device).train, "graph" if device == "cuda" else "fast"
    settings = (config.n_latent, config.hidden[0], config.batch_size, 0.02)
    result: dict[str, Advance] = {
        "plain PyTorch": PlainLoop(train, *settings).advance,
        "reference": Engine(config, "reference", device).advance,
        best: Engine(config, best, device).advance,
        "wake-sleep": Engine(replace(config, method="wake_sleep"), best, device).advance,
    }
    if device == "cuda":
        result["stacked"] = Engine(config, "stacked", device).advance
    else:
        if config.hidden == (100,):  # figure 3's network
            result["MCEM"] = Engine(_mcem(config), best, device).advance
        try:
            choose_library(((32, 32, 32),), "bfloat16")
            result["bfloat16"] = Engine(replace(config, precision="bfloat16"), "fast", device).advance
        except UserError as error:
            print(f"left out: bfloat16: {error}")
    if importlib.util.find_spec("jax") is None:
        print("left out: JAX scan: jax is not installed: pip install -c constraints.txt -e '.[jax]'")
        return result
    from benchmarks.jax_scan import SEES_CUDA, JaxLoop

    if device == "cuda" and not SEES_CUDA:
        print("left out: JAX scan: jax has no plugin for CUDA: pip install 'jax[cuda13]'")
        return result
    pixels = train.cpu().numpy()
    result["JAX scan"] = JaxLoop(pixels, *settings, device=device).advance
    if device == "cuda":
        result["JAX vmap"] = JaxLoop(pixels, *settings, device=device, runs=STACKED[device]).advance
    return result


def _mcem(config: Config) -> Config:
    """Monte Carlo EM on figure 3's smaller training set."""
    return replace(config, method="mcem", n_train=FEW, batch_size=0)


def measure(advances: Mapping[str, Advance], config: Config, rounds: int, device: str) -> Rates:
    """Samples per second of each contender in each round, and of the step's matrix products alone ("GEMM")."""
    seconds_of, products = stopwatch(device), step_products(config)
    bursts = {name: warm_up(name, advance, config, device) for name, advance in advances.items()}
    floors = {"GEMM": product_timer(products, library(config, run_data(device)), torch.device(device))}
    if device == "cuda":
        floors["stacked GEMM"] = product_timer(products, "blas", torch.device(device), STACKED[device])
    samples = {name: config.batch_size * (STACKED[device] if name in STACKS else 1) for name in (*advances, *floors)}
    if "MCEM" in advances:
        samples["MCEM"] = samples_per_step(_mcem(config), run_data(device, FEW))
    rates: Rates = {name: [] for name in samples}
    for _ in range(rounds):
        for name, advance in advances.items():
            rates[name].append(samples[name] * bursts[name] / seconds_of(lambda: advance(bursts[name])))  # noqa: B023
        for name, floor in floors.items():
            rates[name].append(samples[name] / statistics.median(floor() for _ in range(PRODUCTS[device])))
    return rates


def warm_up(name: str, advance: Advance, config: Config, device: str) -> int:
    """Steps of a burst, once it has been taken: 0.4 s of them on a CPU; on a GPU `burst_of`'s, ours and JAX's alike."""
    if device == "cuda":
        burst = burst_of("graph" if name == "wake-sleep" else name, device, flops(step_products(config)))
        advance(burst)  # ours are recorded meanwhile, and JAX compiles
    else:
        burst = 1 if name == "MCEM" else 20
        for _ in range(2):
            advance(burst)  # JAX compiles for each length
            took = clock(lambda: advance(burst))  # noqa: B023
            burst = max(1, round(burst * min(20.0, SECONDS_OF_A_BURST / took)))
    advance(burst)
    return burst


def report(rates: Rates, config: Config, device: str) -> None:
    """Rates, and the ratios that matter."""
    for name, values in rates.items():
        rate = of_median(values)
        print(f"  {name:<14} {rate.median:>9,.0f} samples/s, 95 % interval {rate.low:,.0f} to {rate.high:,.0f}")
    gflops = flops(step_products(config)) / config.batch_size * statistics.median(rates["GEMM"]) / 1e9
    by = "cuBLAS" if device == "cuda" else library(config, run_data("cpu"))
    print(f"  GEMM: the products of an AEVB step alone, {gflops:.0f} GFLOP/s by {by}")
    for one, other in PAIRS[device]:
        if one in rates and other in rates:
            ratio = ratio_of(rates, one, other)
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
