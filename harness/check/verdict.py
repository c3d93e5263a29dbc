"""What a check found, as a table and as JUnit XML."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from aevb.errors import UserError
from harness.check.measure import Measured
from harness.check.reference import Line, mean
from harness.store.invocation import program

WANTED = "if the change was wanted: --check --update-reference"
SAME = 0.01  # tolerances: what rounding on another processor does


@dataclass(frozen=True)
class Verdict:
    """A line and what was found now; `now` is NaN where nothing was, `reference` where there is no such line.

    Attributes:
        case: its name.
        quantity: its name.
        reference: mean over the seeds.
        now: likewise.
        tolerance: how far the two may be apart.
        fault: why there is nothing.
    """

    case: str
    quantity: str
    reference: float
    now: float
    tolerance: float
    fault: str = ""

    @property
    def deviation(self) -> float:
        """Distance in tolerances; infinite where a value is missing or not finite."""
        distance = abs(self.now - self.reference) / self.tolerance
        return distance if math.isfinite(distance) else math.inf

    @property
    def passed(self) -> bool:
        """Within the tolerance."""
        return self.deviation <= 1


def judge(lines: Iterable[Line], results: Mapping[str, Measured]) -> list[Verdict]:
    """A verdict for each line of these cases, and for each quantity that is new."""
    verdicts = []
    for line in lines:
        if (measured := results.get(line.case)) is None:
            continue
        values = measured.values.get(line.quantity)
        now = mean(values) if values else math.nan
        fault = "" if values else measured.fault or "it was not measured"
        verdicts.append(Verdict(line.case, line.quantity, line.reference, now, line.tolerance, fault))
    known = {(verdict.case, verdict.quantity) for verdict in verdicts}
    for case, measured in results.items():
        if not measured.values and all(verdict.case != case for verdict in verdicts):
            fault = measured.fault or "nothing was measured"
            verdicts.append(Verdict(case, "–", math.nan, math.nan, math.nan, fault))
        for quantity, values in measured.values.items():
            if (case, quantity) not in known:
                verdicts.append(Verdict(case, quantity, math.nan, mean(values), math.nan, "it has no reference"))
    return verdicts


def format_verdicts(verdicts: Sequence[Verdict]) -> str:
    """A line for each, and how many drifted."""
    rows = [
        (v.case, v.quantity, f"{v.reference:.4f}", f"{v.now:.4f}", f"{v.now - v.reference:+.4f}", f"{v.tolerance:.4f}",
         "ok" if v.passed else f"FAULT: {v.fault}" if v.fault else "DRIFT")
        for v in verdicts
    ]  # fmt: skip
    columns = ["case", "quantity", "reference", "now", "difference", "tolerance", "verdict"]
    worst = max(verdicts, key=lambda verdict: verdict.deviation)
    drifted = sum(not verdict.passed for verdict in verdicts)
    count = f"{drifted} of {len(verdicts)} lines drifted" if drifted else f"all {len(verdicts)} lines within tolerance"
    where = f"{worst.case}, {worst.quantity}"
    table = f"{aligned(rows, columns)}\n{count}; the farthest by {worst.deviation:.2g} tolerances: {where}"
    moved = any(not verdict.passed and not verdict.fault for verdict in verdicts)
    return table + (f"\n{WANTED}" if moved else "")


def format_moves(old: Sequence[Line], new: Sequence[Line]) -> str:
    """Lines that joined, left or moved, the farthest first; how many are as they were but for rounding."""
    before, after = ({(line.case, line.quantity): line for line in lines} for lines in (old, new))
    moved = {key: _moved(before.get(key), after.get(key)) for key in dict.fromkeys([*after, *before])}
    rows = [
        (*key, *(f"{mean(line.values):.4f}" if line else "–" for line in (before.get(key), after.get(key))),
         f"{far:.2g}" if math.isfinite(far) else "–",
         *(f"{line.tolerance:.4f}" if line else "–" for line in (before.get(key), after.get(key))))
        for key, far in sorted(moved.items(), key=lambda item: -item[1])
        if far > SAME
    ]  # fmt: skip
    columns = ["case", "quantity", "old", "new", "moved, tolerances", "old tolerance", "new tolerance"]
    same = f"{len(moved) - len(rows)} of {len(moved)} lines are as they were, to {SAME:g} tolerances"
    return f"{aligned(rows, columns)}\n{same}" if rows else same


def _moved(one: Line | None, other: Line | None) -> float:
    """How far the mean or the tolerance did, in the smaller tolerance; infinite for a line that joined or left."""
    if one is None or other is None:
        return math.inf
    far = max(abs(mean(one.values) - mean(other.values)), abs(one.tolerance - other.tolerance))
    return far / min(one.tolerance, other.tolerance)


def aligned(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> str:
    """Cells in columns: names to the left, numbers to the right."""
    cells = [[*columns], *map(list, rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(columns))]
    left = [all(not _number(row[n]) for row in cells[1:]) for n in range(len(columns))]
    return "\n".join(
        "  ".join(
            c.ljust(w) if to_left else c.rjust(w) for c, w, to_left in zip(row, widths, left, strict=True)
        ).rstrip()
        for row in cells
    )


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def write_junit(path: Path, verdicts: Sequence[Verdict], seconds: float) -> None:
    """JUnit XML: a test case for each line with its numbers, a failure for each drift, an error for each fault.

    Raises:
        UserError: it cannot be written.
    """
    drifts, faults = (sum(not v.passed and bool(v.fault) is faulty for v in verdicts) for faulty in (False, True))
    counts = {
        "tests": str(len(verdicts)), "failures": str(drifts), "errors": str(faults), "time": f"{seconds:.1f}"
    }  # fmt: skip
    suites = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": f"{program()} --check", **counts})
    for v in verdicts:
        case = ElementTree.SubElement(suite, "testcase", {"classname": v.case, "name": v.quantity})
        if not v.passed:
            near = f"must be {v.reference:.6g} ± {v.tolerance:.2g}, got {v.now:.6g}"
            message = v.fault or f"{near}, off by {v.deviation:.2g} tolerances; {WANTED}"
            ElementTree.SubElement(case, "error" if v.fault else "failure", {"message": message})
        text = f"reference {v.reference:.6f}, now {v.now:.6f}, tolerance {v.tolerance:.6f}"
        ElementTree.SubElement(case, "system-out").text = text
    ElementTree.indent(suites)
    with junit_file(path):
        path.write_bytes(ElementTree.tostring(suites, "utf-8", xml_declaration=True))


@contextmanager
def junit_file(path: Path) -> Iterator[None]:
    """What goes wrong with the file in the block is told as what `--junit` needs."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"--junit must name a file that can be written; {path}: {error.strerror or error}: name another"
        ) from error
