"""The committed values, and the tolerances that follow from their spread."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from aevb import shipped
from aevb.errors import UserError
from harness.check.case import Case
from harness.check.measure import Measured
from harness.check.roster import CHECKED_SEEDS, REFERENCE_SEEDS
from harness.store.environment import describe
from harness.store.files import write_text

PATH = shipped.RESULTS / "check" / "reference.json"
FACTOR, FLOOR = 4.0, 1e-3
RULE = (
    f"Reference and check are means over the first n = {CHECKED_SEEDS} seeds; s is the standard deviation over all "
    f"{REFERENCE_SEEDS} seeds. Means over other seeds would differ by s·√(2/n), one standard error; the tolerance is "
    f"{FACTOR:g} of them, and at least {FLOOR:g} for rounding. Where the truth is known (exact), it is the reference, "
    f"and the tolerance {FACTOR:g}·s·√(1/n), and at least {FLOOR:g}."
)
REMEDY = ANEW = shipped.restore("results/reference/check")
if shipped.CHECKOUT:
    ANEW = "make it anew with --check --update-reference"
    REMEDY += f", or {ANEW}"


@dataclass(frozen=True)
class Line:
    """A quantity of a case: one value for each seed of the reference.

    Attributes:
        case: its name.
        quantity: its name.
        exact: the true value is known to be 0.
        values: nats where the quantity does not say something else.
    """

    case: str
    quantity: str
    exact: bool
    values: tuple[float, ...]

    @property
    def reference(self) -> float:
        """What a check should find."""
        return 0.0 if self.exact else mean(self.values)

    @property
    def spread(self) -> float:
        """Standard deviation over all seeds."""
        return statistics.stdev(self.values)

    @property
    def tolerance(self) -> float:
        """How far a check may be off; see `RULE`."""
        return max(FLOOR, FACTOR * self.spread * math.sqrt((1 if self.exact else 2) / CHECKED_SEEDS))


def mean(values: Sequence[float]) -> float:
    """Mean over the seeds that a check takes."""
    return math.fsum(values[:CHECKED_SEEDS]) / CHECKED_SEEDS


def lines_of(cases: Sequence[Case], results: Mapping[str, Measured]) -> list[Line]:
    """What was measured for all seeds of the reference, as its lines."""
    return [
        Line(case.name, quantity, quantity in case.exact, tuple(values))
        for case in cases
        for quantity, values in results[case.name].values.items()
    ]


def write_reference(path: Path, cases: Sequence[Case], lines: Sequence[Line]) -> None:
    """Write the lines with the rule, the cases, the seeds and the environment that computed them."""
    content = {
        "rule": RULE,
        "definition": _definition(cases),
        "environment": describe(torch.device("cpu")) | {"engine": "fast"},
        "lines": [_stored(line) for line in lines],
    }
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_reference(path: Path, cases: Sequence[Case]) -> list[Line]:
    """The lines that were written for these cases.

    Raises:
        UserError: the file is missing or damaged, or was made for other cases or seeds.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        definition, stored = content["definition"], content["lines"]
        lines = [Line(s["case"], s["quantity"], s["exact"], tuple(s["values"])) for s in stored]
    except FileNotFoundError as error:
        raise UserError(f"--check needs its reference, and there is none at {path}: {REMEDY}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"the reference must be whole; {path}: {reason}; {REMEDY}") from error
    if definition != json.loads(json.dumps(_definition(cases))):
        raise UserError(f"the reference must be of the cases and seeds of this version; {path} is of others: {ANEW}")
    kinds = {case.name: case.exact for case in cases}
    names = [(line.case, line.quantity) for line in lines]
    wrong = {line.case for line in lines if line.exact != (line.quantity in kinds.get(line.case, ()))}
    if wrong or {line.case for line in lines} != {*kinds} or len({*names}) < len(names):
        raise UserError(f"the reference must have every case, and every line once; {path} has others: {ANEW}")
    for line, as_stored in zip(lines, stored, strict=True):
        if not (_sound(line) and _follows(line, as_stored)):
            raise UserError(
                f"the reference must be as the command wrote it; {path}: {line.case}, {line.quantity}: the values do "
                f"not give what stands beside them; {REMEDY}"
            )
    return lines


def _sound(line: Line) -> bool:
    return len(line.values) == REFERENCE_SEEDS and all(
        isinstance(value, float) and math.isfinite(value) for value in line.values
    )


def _follows(line: Line, stored: Mapping[str, Any]) -> bool:
    """What stands beside the values is derived from them; another Python may round the last bit otherwise."""
    return all(
        isinstance(stored.get(name), float) and math.isclose(stored[name], value, rel_tol=1e-9)
        for name, value in _derived(line).items()
    )


def _derived(line: Line) -> dict[str, float]:
    return {"reference": line.reference, "spread": line.spread, "tolerance": line.tolerance}


def _stored(line: Line) -> dict[str, Any]:
    return {**asdict(line), **_derived(line), "values": [*line.values]}


def _definition(cases: Sequence[Case]) -> dict[str, Any]:
    """What the values are values of; not the resolved configs, whose drift is to be noticed."""
    return {
        "checked_seeds": CHECKED_SEEDS,
        "reference_seeds": REFERENCE_SEEDS,
        "cases": [{"kind": type(case).__name__, **asdict(case)} for case in cases],  # type: ignore[call-overload]
    }
