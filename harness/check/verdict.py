"""What a check found, as a table and as JUnit XML."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from harness.check.measure import Measured
from harness.check.reference import Line, mean
from harness.files import write_bytes


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
        for quantity, values in measured.values.items():
            if (case, quantity) not in known:
                verdicts.append(Verdict(case, quantity, math.nan, mean(values), math.nan, "it has no reference"))
    return verdicts


def format_verdicts(verdicts: Sequence[Verdict]) -> str:
    """A line for each, and how many drifted."""
    rows = [
        (v.case, v.quantity, f"{v.reference:.4f}", f"{v.now:.4f}", f"{v.now - v.reference:+.4f}", f"{v.tolerance:.4f}",
         "ok" if v.passed else "DRIFT" + (f": {v.fault}" if v.fault else ""))
        for v in verdicts
    ]  # fmt: skip
    columns = ["case", "quantity", "reference", "now", "difference", "tolerance", "verdict"]
    worst = max(verdicts, key=lambda verdict: verdict.deviation)
    drifted = sum(not verdict.passed for verdict in verdicts)
    count = f"{drifted} of {len(verdicts)} lines drifted" if drifted else f"all {len(verdicts)} lines within tolerance"
    where = f"{worst.case}, {worst.quantity}"
    return f"{aligned(rows, columns)}\n{count}; the farthest by {worst.deviation:.2g} tolerances: {where}"


def format_moves(old: Sequence[Line], new: Sequence[Line]) -> str:
    """Old and new reference and tolerance of each line that moved, joined or left."""
    before, after = ({(line.case, line.quantity): line for line in lines} for lines in (old, new))
    rows = []
    for key in dict.fromkeys([*after, *before]):
        one, other = before.get(key), after.get(key)
        if one is None or other is None or one.values != other.values:
            cells = [
                (f"{line.reference:.4f}", f"{line.tolerance:.4f}") if line else ("–", "–") for line in (one, other)
            ]
            moved = f"{other.reference - one.reference:+.4f}" if one and other else "–"
            rows.append((*key, cells[0][0], cells[1][0], moved, cells[0][1], cells[1][1]))
    columns = ["case", "quantity", "old", "new", "moved", "old tolerance", "new tolerance"]
    same = f"{len(after) - sum(row[3] != '–' for row in rows)} of {len(after)} lines are as they were"
    return f"{aligned(rows, columns)}\n{same}" if rows else same


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
    """JUnit XML: a test case for each line, a failure for each drift."""
    failures = sum(not verdict.passed for verdict in verdicts)
    counts = {"tests": str(len(verdicts)), "failures": str(failures), "errors": "0", "time": f"{seconds:.1f}"}
    suites = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": "reproduce.py --check", **counts})
    for v in verdicts:
        case = ElementTree.SubElement(suite, "testcase", {"classname": v.case, "name": v.quantity})
        text = f"reference {v.reference:.6f}, now {v.now:.6f}, tolerance {v.tolerance:.6f}"
        if not v.passed:
            failure = ElementTree.SubElement(
                case, "failure", {"message": v.fault or f"off by {v.deviation:.2g} tolerances"}
            )
            failure.text = text
    ElementTree.indent(suites)
    write_bytes(path, ElementTree.tostring(suites, "utf-8", xml_declaration=True))
