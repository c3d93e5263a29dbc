"""C7 and C10: what a sample costs, by count of operations and by the clock, from the benchmarks."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from harness.claims.item import Item
from harness.claims.results import Results
from harness.experiments.methods import method_of
from harness.studies.estimate import UNKNOWN, Estimate
from harness.studies.verdict import ERRORS
from harness.timing import contest
from harness.timing.intervals import UNSTABLE
from harness.timing.tables import PAPER_SECONDS_PER_MILLION

PAPER_RATE = 40e9  # floating point operations a second: "an effective 40 GFLOPS" (section 5)
FACTOR = 2.0  # by less than this two costs are of one order
MILLION, MINUTE = 1e6, 60.0
PLAIN = "plain PyTorch"  # the model as a user would write it
WIDE = {"hidden": "500", "n_latent": 20}  # figure 2's model on MNIST
SMALL = {"hidden": "100", "n_latent": 3}  # figure 3's
SIZES = (WIDE, SMALL)
IN_TURNS = {"wake_sleep": "wake-sleep", "mcem": "MCEM"}  # as a contest calls them


def equal_cost(results: Results) -> list[Item]:
    """Wake-sleep's cost for a sample over AEVB's, for both models: operations, which are counted, and seconds."""
    items = []
    for size in SIZES:
        ours, other = pair(results.benchmarks, *({"method": name, **size} for name in ("aevb", "wake_sleep")))
        counted, (cost, note) = _operations(other) / _operations(ours), _cost(results, "wake_sleep", size)
        name, low, high = f"{size['hidden']} hidden units", 1 / FACTOR, FACTOR
        items += [
            Item(f"{name}, operations over AEVB's", counted, "", 0.0, low=low, high=high),
            Item(
                f"{name}, seconds over AEVB's",
                cost.value,
                "",
                cost.standard_error,
                low=low,
                high=high,
                note=note,
            ),
        ]
    return items


def _cost(results: Results, method: str, size: Mapping[str, object]) -> tuple[Estimate, str]:
    """Seconds of a sample over AEVB's, by turns where learners took any, and on which machine."""
    turns = results.contests
    cpu = turns[turns["device_type"] == "cpu"] if len(turns) else turns
    row = contest.cost(cpu, IN_TURNS[method], f"{size['hidden']}/{size['n_latent']}") if len(cpu) else None
    if row is not None:
        error = (row["ratio_high"] - row["ratio_low"]) / 2 / ERRORS
        return Estimate(float(row["ratio"]), float(error), math.inf, 0), f"in turns on {row['device']}"
    ours, other = pair(results.benchmarks, *(_timed(results.actual(name), size) for name in ("aevb", method)))
    return _over(seconds(other), seconds(ours)), _machine(ours)


def minutes_per_million(results: Results) -> list[Item]:
    """Minutes for a million training samples of figure 2's AEVB on MNIST where the machine does 40 GFLOPS.

    Either those are what the training itself gets, and the count of operations says how long it takes; or they are what
    the machine's matrix products get alone, and a plain implementation's time is scaled to them. Then, deciding
    nothing, on one core of the machine that was timed.
    """
    low, high = (limit / MINUTE for limit in PAPER_SECONDS_PER_MILLION)
    plain, ours = pair(results.benchmarks, *({"method": "aevb", "engine": name, **WIDE} for name in (PLAIN, "fast")))
    counted = _operations(plain) * MILLION / PAPER_RATE / MINUTE
    clock, fast = (seconds(row) for row in (plain, ours))
    minutes, scale = MILLION / MINUTE, math.nan if plain is None else plain["gemm_flops_per_second"] / PAPER_RATE
    return [
        Item("all its operations at 40 GFLOPS", counted, "minutes", 0.0, low=low, high=high),
        Item("plain PyTorch, products at 40 GFLOPS", clock.value * minutes * scale, "minutes",
             clock.standard_error * minutes * scale, low=low, high=high, note=_machine(plain)),
        Item("plain PyTorch, one core", clock.value * minutes, "minutes", clock.standard_error * minutes,
             note=_machine(plain)),
        Item("this project, one core", fast.value * minutes, "minutes", fast.standard_error * minutes,
             note=_machine(ours)),
    ]  # fmt: skip


def wake_sleeps_pace(results: Results) -> float:
    """Samples that wake-sleep gets through while AEVB gets through one: the more of both models', to be fair to it."""
    found = [1 / _cost(results, "wake_sleep", size)[0].value for size in SIZES]
    return max((value for value in found if not math.isnan(value)), default=math.nan)


def mcems_pace(results: Results) -> tuple[float, str]:
    """Samples that Monte Carlo EM gets through while AEVB does one, with figure 3's model, and on which machine."""
    cost, note = _cost(results, "mcem", SMALL)
    return 1 / cost.value, note


def _timed(name: str, size: Mapping[str, object]) -> dict[str, object]:
    """A method's case: the fastest engine that it has, with as many noise samples as are its own."""
    known = method_of(name)
    engine = "fast" if known.fast else "reference"
    return {"method": name, "engine": engine, **size, "n_samples": known.fields.get("n_samples", 1)}


def pair(
    table: pd.DataFrame, one: Mapping[str, object], other: Mapping[str, object]
) -> tuple[pd.Series | None, pd.Series | None]:
    """The rows of two learners, in float32 on one core of one CPU; None for one that was not timed there.

    Of several CPUs one that has both, then one on which both times are stable, and then the one whose first is faster.
    """
    found = [_rows(table, case) for case in (one, other)]
    devices = {str(name): [rows[rows["device"] == name] for rows in found] for name in pd.concat(found)["device"]}

    def worth(rows: Sequence[pd.DataFrame]) -> tuple[bool, bool, float]:
        width = pd.concat([(each["seconds_high"] - each["seconds_low"]) / 2 / each["seconds"] for each in rows])
        return all(map(len, rows)), bool((width <= UNSTABLE).all()), float(rows[0]["samples_per_second"].max())

    best = max(devices.values(), key=worth, default=found)
    first, second = (rows.sort_values("samples_per_second").iloc[-1] if len(rows) else None for rows in best)
    return first, second


def _rows(table: pd.DataFrame, case: Mapping[str, object]) -> pd.DataFrame:
    if table.empty:
        return pd.DataFrame(columns=["device"])
    kept = (table["suite"] == "learner") & (table["device_type"] == "cpu") & (table["precision"] == "float32")
    kept &= (table["batch_size"] == 100) | (table["method"] == "mcem")  # M; Monte Carlo EM takes all
    for column, value in {"engine": "fast", "n_samples": 1, **case}.items():
        kept &= table[column] == value
    return table[kept]


def seconds(row: pd.Series | None) -> Estimate:
    """Of a sample, in the median round; the 95 % interval of that is two errors to either side."""
    if row is None:
        return UNKNOWN
    error = float(row["seconds_high"] - row["seconds_low"]) / 2 / ERRORS
    return Estimate(float(row["seconds"]) / row["samples"], error / row["samples"], math.inf, 0)


def _machine(row: pd.Series | None) -> str:
    return "" if row is None or "device" not in row else f"timed on {row['device']}"


def _operations(row: pd.Series | None) -> float:
    """Floating point operations of a sample."""
    return math.nan if row is None else float(row["flops"]) / float(row["batch_size"])


def _over(one: Estimate, other: Estimate) -> Estimate:
    value = one.value / other.value
    error = value * math.hypot(one.standard_error / one.value, other.standard_error / other.value)
    return Estimate(value, error, math.inf, 0)
