"""A step taken apart: its operations done again are the step, and its parts are no longer than it."""

import statistics
from collections import Counter
from typing import Any

import pytest
import torch

from aevb.fast.products import Library
from benchmarks import parts
from benchmarks.engines import make_config
from benchmarks.parts import Parts, Steps
from benchmarks.recorder import Operation
from benchmarks.turns import clock
from benchmarks.work import product_timer, step_products
from harness.experiments.config import Config
from harness.runs.build import RunData
from harness.timing.step import KINDS, REST, STEP, cells, format_steps, plot_steps, tabulate_steps

N_TRAIN = 300
METHODS = ("aevb", "wake_sleep", "mcem")


@pytest.fixture(autouse=True)
def made_up_data(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.rand(N_TRAIN, 784, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(parts, "run_data", lambda *_: RunData(x, False, x, x))


def config(method: str = "aevb", **changes: object) -> Config:
    return make_config(method=method, hidden=(100,), n_latent=3, batch_size=0 if method == "mcem" else 100, **changes)


def state(learner: Any) -> list[torch.Tensor]:
    """All that a step changes."""
    ascents = learner.ascents if hasattr(learner, "ascents") else [learner._ascent]
    modules = [module for module in (learner.model, learner.encoder) if module is not None]
    tensors = [p.data for module in modules for p in module.parameters()]
    tensors += [accumulator for ascent in ascents for accumulator in ascent.accumulators]
    return tensors + ([learner._chains.z] if hasattr(learner, "_chains") else [])


def do_again(operation: Operation) -> None:
    """What it computes goes where the step's own went."""
    result = operation.function(*operation.arguments, **operation.named)
    if isinstance(result, torch.Tensor) and result is not operation.result:
        operation.result.copy_(result)


@pytest.mark.parametrize("method", METHODS)
@torch.inference_mode()
def test_the_operations_done_again_are_the_steps_bit_for_bit(method: str) -> None:
    steps = Steps(config(method, warm_up=0, step_size=0.01), 2)
    tensors, noise = state(steps.learner), steps._generator.get_state()
    before = [tensor.clone() for tensor in tensors]
    operations = steps.record()
    after = [tensor.clone() for tensor in tensors]
    for tensor, value in zip(tensors, before, strict=True):
        tensor.copy_(value)
    steps._generator.set_state(noise)
    with parts.chosen(steps.library):
        for operation in operations:
            do_again(operation)
    assert all(map(torch.equal, tensors, after))
    assert not any(map(torch.equal, before, after))
    kinds = Counter(operation.kind for operation in operations)
    expected = {"products", "activations", "bound", "biases", "Adagrad"}
    expected |= {"chains", "noise"} if method == "mcem" else {"gathering"}
    assert expected <= {*kinds} <= {*KINDS, ""}
    assert kinds[""] <= 2  # the mean of the bounds, which is of the run and not of the step


@pytest.mark.parametrize("multiplies", ["blas", "openblas"])
def test_the_parts_are_no_longer_than_the_step_and_its_products_take_what_they_take_alone(
    multiplies: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "library", lambda *_: multiplies)
    steps = Steps(config(), 10)
    taken, times, alone = Parts(steps), list[float](), list[float]()
    timer = product_timer(step_products(config()), steps.library, torch.device("cpu"))
    for _ in range(15):
        times.append(clock(steps.take))
        taken.time()
        alone.append(statistics.median(timer() for _ in range(3)))
    found = taken.summary(times)
    step, products = found[STEP]["seconds"], found["products"]["seconds"]
    assert sum(found[kind]["seconds"] for kind in KINDS) < 1.05 * step
    assert found[REST]["high"] > 0
    assert products == pytest.approx(statistics.median(alone), rel=0.5)
    assert found["products"]["operations"] == len(step_products(config()))
    for kind in ("products", "activations", "bound", "biases", "Adagrad", "gathering", "noise"):
        assert 0 < found[kind]["seconds"] < step
    assert not found["chains"]["seconds"]


def record(method: str, **seconds: float) -> dict[str, Any]:
    """A step of a millisecond, of whose parts these are known."""
    known = {kind: seconds.get(kind, 0.0) for kind in KINDS}
    all_parts = {STEP: 1e-3, **known, REST: 1e-3 - sum(known.values())}
    told = {name: {"seconds": s, "low": 0.9 * s, "high": 1.1 * s, "operations": 3} for name, s in all_parts.items()}
    return {"method": method, "hidden": [500], "n_latent": 20, "parts": told}


def test_shares_add_up_though_medians_of_rounds_do_not() -> None:
    case = record("aevb", products=7e-4)
    case["parts"][REST] |= {"seconds": 3.4e-4, "low": 3.3e-4, "high": 3.6e-4}
    table = tabulate_steps([case]).set_index("part")
    assert table.loc[[*KINDS, REST], "share"].sum() == pytest.approx(1)
    assert list(table.loc[REST, ["low", "seconds", "high"]]) == pytest.approx([2.9e-4, 3e-4, 3.2e-4])


def test_the_table_and_the_figure_tell_every_part_of_every_case(tmp_path) -> None:
    table = tabulate_steps([record("aevb", products=7e-4, noise=1e-4), record("mcem", products=4e-4)])
    assert table.set_index(["case", "part"])["share"].loc["AEVB 500/20", REST] == pytest.approx(0.2)
    shown = cells(table).set_index("µs a step")
    assert shown.loc["the rest", "MCEM 500/20"].startswith("600 ± 60")
    assert shown.loc["matrix products", "AEVB 500/20"] == "700 ± 70 (70%)"
    assert shown.loc["random numbers", "MCEM 500/20"] == "–"
    assert "630–770" in format_steps(table)
    paths = plot_steps(table.assign(device="Some CPU"), tmp_path)
    (text,) = [path.read_text() for path in paths if path.suffix == ".svg"]
    for said in ("Some CPU", "matrix products", "70%", "1.00 ms"):
        assert said in text
    assert not plot_steps(tabulate_steps([]).assign(device=""), tmp_path)
