"""What the benchmarks time on a GPU, every case of them, on the device that is not there; up to what they assert.

But for JAX's cases: what JAX asks of a device is not seen here.
"""

import gc
import weakref
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
import torch

from aevb.marginal.annealing import Annealing, sigmoidal_schedule
from benchmarks import (
    bursts,
    conftest,
    engines,
    ratios,
    roofs,
    test_alternatives,
    test_chains,
    test_data,
    test_estimators,
    test_learners,
    test_roofs,
    work,
)  # fmt: skip
from tests.rehearsal import Rehearsal
from tests.rehearsed import GRAPH_STEPS

pytestmark = pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")
SUITES = (test_alternatives, test_chains, test_data, test_estimators, test_learners, test_roofs)


class MeasuredError(Exception):
    """A case has got as far as its numbers, of which there are none here."""


class Benchmark:
    """pytest-benchmark's, which times nothing."""

    def __init__(self) -> None:
        self.stats, self.extra_info = {"min": 1.0}, dict[str, Any]()

    def pedantic(self, call: Any, setup: Any, rounds: int) -> None:
        setup()
        call()


class Meter(conftest.Meter):
    def __call__(self, *arguments: Any, **named: Any) -> None:
        super().__call__(*arguments, **named)
        raise MeasuredError


def cases() -> Iterator[Any]:
    """Every benchmark of torch with every set of its parameters."""
    for suite in SUITES:
        for name, function in vars(suite).items():
            if name.startswith("test_"):
                marks = [mark for mark in getattr(function, "pytestmark", ()) if mark.name == "parametrize"]
                for values in product(*(mark.args[1] for mark in marks)):
                    arguments: dict[str, Any] = {}
                    for mark, value in zip(marks, values, strict=True):
                        names = [mark.args[0]] if isinstance(mark.args[0], str) else mark.args[0]
                        value = getattr(value, "values", value)
                        arguments |= dict(zip(names, value if isinstance(value, tuple) else (value,), strict=True))
                    if str(arguments.get("engine")).startswith("JAX"):
                        continue
                    yield pytest.param(function, arguments, id=f"{name}-{'-'.join(map(_short, arguments.values()))}")


def _short(value: object) -> str:
    return str(value) if isinstance(value, (str, int)) else getattr(value, "name", type(value).__name__)


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    """One for all cases, which share their data."""
    shared = (engines.run_data, test_estimators.trained, conftest.environment)
    with Rehearsal() as mode:
        yield mode
    for function in shared:
        function.cache_clear()


@pytest.fixture
def short_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same operations, less often."""
    advance = engines.Engine.advance
    few = Annealing(sigmoidal_schedule(4), n_chains=2, n_leapfrog=1, n_tuning_chains=2)
    for suite in (bursts, test_data):
        monkeypatch.setattr(suite, "GRAPH_STEPS", GRAPH_STEPS)
    monkeypatch.setattr(engines.Engine, "advance", lambda self, n: advance(self, min(n, 2 * GRAPH_STEPS)))
    monkeypatch.setattr(test_estimators, "Annealing", lambda *_, **__: few)
    monkeypatch.setattr(test_chains, "N_LEAPFROG", 1)
    monkeypatch.setattr(bursts, "EAGER", 2)
    monkeypatch.setattr(work, "PASSES", 1)
    monkeypatch.setitem(engines.STACKED, "cuda", 4)
    monkeypatch.setattr(roofs, "_cache", lambda *_: 2**20)  # of which only a device's driver knows
    monkeypatch.setattr(test_estimators, "POINTS", dict.fromkeys(test_estimators.POINTS, 5))
    estimate = test_estimators.appendix_d_log_likelihood
    monkeypatch.setattr(
        test_estimators,
        "appendix_d_log_likelihood",
        lambda *given, n_samples: estimate(*given, n_samples=8, n_burn_in=1),
    )


@pytest.mark.parametrize(("function", "arguments"), [*cases()])
@pytest.mark.usefixtures("short_cases")
def test_a_case_is_run_as_far_as_its_numbers(function, arguments, rehearsal) -> None:
    benchmark = Benchmark()
    try:
        function(**arguments, device="cuda", meter=Meter(benchmark, "cuda"))
    except MeasuredError:
        assert benchmark.extra_info["device_type"] == "cuda"
    else:
        pytest.fail("it timed nothing")


@pytest.mark.usefixtures("short_cases", "rehearsal")
def test_ratios_are_measured_as_far_as_their_numbers(monkeypatch, capsys) -> None:
    monkeypatch.setattr(ratios.importlib.util, "find_spec", lambda _: None)
    config = engines.make_config(hidden=(20,), n_latent=3)
    rates = ratios.measure(ratios.contenders(config, "cuda"), config, 2, "cuda")
    ratios.report(rates, config, "cuda")
    assert set(rates) == {
        "plain PyTorch", "reference", "graph", "wake-sleep", "stacked", "GEMM", "stacked GEMM"
    }  # fmt: skip
    printed = capsys.readouterr().out
    assert "left out: JAX scan" in printed
    assert "  stacked / graph: " in printed


@pytest.mark.parametrize("name", ["products", "memory", "cache"])
@pytest.mark.usefixtures("short_cases", "rehearsal")
def test_what_a_recording_works_on_is_there_as_long_as_it(name, monkeypatch) -> None:
    device, drawn = torch.device("cuda"), list[Any]()
    for function in ("rand", "randn"):
        draw = getattr(torch, function)

        def noted(*shape: int, _draw: Any = draw, **named: Any) -> torch.Tensor:
            tensor: torch.Tensor = _draw(*shape, **named)
            drawn.append(weakref.ref(tensor))
            return tensor

        monkeypatch.setattr(torch, function, noted)
    recorded = (
        work.product_timer([(2, 3, 4)], "blas", device)
        if name == "products"
        else roofs.make_roof(name, "float32", device)
    )
    gc.collect()
    assert drawn
    assert all(tensor() is not None for tensor in drawn)
    del recorded
    gc.collect()
    assert all(tensor() is None for tensor in drawn)
