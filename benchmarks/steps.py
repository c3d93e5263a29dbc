"""Timing a learner's steps, and holding them to the reference's."""

from dataclasses import replace

from benchmarks.conftest import Meter
from benchmarks.engines import STACKED, Engine
from benchmarks.work import flops, step_bytes, step_products
from harness.experiments.config import Config
from harness.runs.steps import library, samples_per_step
from harness.runs.tape import GRAPH_STEPS

COUNTED = ("aevb", "wake_sleep", "mcem")  # whose operations `benchmarks.work` knows
FLOPS_OF_A_BURST = 2e9
# How far an engine may be from the reference, as a share of the way that the parameters went.
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.05}


def time_steps(config: Config, engine: str, device: str, meter: Meter) -> None:
    """Time bursts of steps, and assert that the parameters went where the reference takes them."""
    subject = Engine(config, engine, device)
    n_train = len(subject.data.train)
    products = step_products(config, n_train=n_train) if config.method in COUNTED else ()
    like = products or step_products(replace(config, method="aevb"))
    n_runs = STACKED if engine == "stacked" else 1
    burst = GRAPH_STEPS if device == "cuda" else max(1, min(GRAPH_STEPS, int(FLOPS_OF_A_BURST / flops(like))))
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
    assert subject.distance_to_reference() < TOLERANCE[config.precision]
