"""What the benchmarks time on a GPU, every case of them, on the device that is not there; up to what they assert."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from aevb.marginal.annealing import Annealing, sigmoidal_schedule
from benchmarks import (
    conftest,
    engines,
    roofs,
    steps,
    test_alternatives,
    test_chains,
    test_data,
    test_estimators,
    test_learners,
    test_roofs,
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
    """Every benchmark with every set of its parameters."""
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
    for suite in (steps, test_data):
        monkeypatch.setattr(suite, "GRAPH_STEPS", GRAPH_STEPS)
    monkeypatch.setattr(engines.Engine, "advance", lambda self, n: advance(self, min(n, 2 * GRAPH_STEPS)))
    monkeypatch.setattr(test_estimators, "Annealing", lambda *_, **__: few)
    monkeypatch.setattr(test_chains, "N_LEAPFROG", 1)
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
