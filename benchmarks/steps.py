"""Timing a learner's steps, and holding them to the reference's."""

from dataclasses import replace

from benchmarks.bursts import burst_of
from benchmarks.conftest import Meter
from benchmarks.engines import Engine
from benchmarks.work import flops, step_bytes, step_products
from harness.experiments.config import Config
from harness.runs.steps import library, samples_per_step

COUNTED = ("aevb", "wake_sleep", "mcem")  # whose operations `benchmarks.work` knows
# How far an engine may be from the reference, as a share of the way that the parameters went.
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.05}


def time_steps(config: Config, engine: str, device: str, meter: Meter) -> None:
    """Time bursts of steps, and assert that the parameters went where the reference takes them."""
    subject = Engine(config, engine, device)
    n_train = len(subject.data.train)
    products = step_products(config, n_train=n_train) if config.method in COUNTED else ()
    like = products or step_products(replace(config, method="aevb"))
    n_runs, burst = len(subject.configs), burst_of(engine, device, flops(like))
    if device == "cpu":
        subject.advance(config.warm_up + 2)  # from now on steps are replayed
    if device == "cuda":  # not after all that is timed: the reference takes many times as long
        subject.advance(burst)
        distance = subject.distance_to_reference()
    meter(
        lambda: subject.advance(burst),
        samples=n_runs * burst * samples_per_step(config, subject.data),
        products=products,
        library="blas" if engine == "reference" else library(config, subject.data),
        runs=n_runs,
        steps=burst,
        state_bytes=step_bytes(config, n_train=n_train) if products else 0,
        suite="learner",
        method=config.method,
        engine=engine,
        batch_size=config.batch_size,
        hidden=list(config.hidden),
        n_latent=config.n_latent,
        n_samples=config.n_samples,
        precision=config.precision,
    )
    if device == "cpu":
        distance = subject.distance_to_reference()
    assert distance < TOLERANCE[config.precision]
