"""`--check` from start to end."""

import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from aevb import shipped
from aevb.errors import UserError
from harness.check.measure import Measured, Task, measure_all
from harness.check.reference import PATH, lines_of, read_reference, write_reference
from harness.check.roster import CASES, CHECKED_SEEDS, REFERENCE_SEEDS
from harness.check.verdict import format_moves, format_verdicts, judge, junit_file, write_junit
from harness.figures.plan import choose_device
from harness.store.files import check_file
from harness.workers.progress import countdown


def run_check(engine: str, device: str, workers: int | None, junit: Path | None) -> bool:
    """Measure all cases, compare them with the reference and print the table; false where a line drifted.

    Args:
        engine: "fast" or "reference".
        device: "auto" is the CPU, whose random numbers are the reference's; "cuda" draws others.
        workers: processes; None for this one alone.
        junit: file for JUnit XML.

    Raises:
        UserError: the reference is missing, damaged or of other cases; the file cannot be written; no such device.
    """
    if junit is not None:
        _make_room(junit)  # before all that can be refused
    lines = read_reference(PATH, CASES)
    began = time.monotonic()
    results = measure_all(
        CASES,
        CHECKED_SEEDS,
        engine=engine,
        device="cpu" if device == "auto" else choose_device(device),
        workers=workers or 1,
        done=_progress(),
    )
    verdicts = judge(lines, results)
    print(format_verdicts(verdicts))
    if junit is not None:
        write_junit(junit, verdicts, time.monotonic() - began)
    return all(verdict.passed for verdict in verdicts)


def update_reference(workers: int | None) -> bool:
    """Measure all cases for the reference's seeds, write it anew and print what moved.

    Where a value misses a truth that is known, or is not finite, nothing is written: false, with the table.

    Raises:
        UserError: this is an installed copy.
    """
    shipped.need_checkout("--check --update-reference")
    try:
        old = read_reference(PATH, CASES)
    except UserError as error:
        print(f"nothing to compare with: {error}", file=sys.stderr)
        old = []
    results = measure_all(CASES, REFERENCE_SEEDS, engine="fast", device="cpu", workers=workers or 1, done=_progress())
    new = lines_of(CASES, results)
    if wrong := [verdict for verdict in judge(new, results) if not verdict.passed]:
        print(format_verdicts(wrong))
    if faults := [f"{name}: {measured.fault}" for name, measured in results.items() if measured.fault]:
        print("\n".join(faults))
    if wrong or faults:
        print("no reference was written: these cannot be right", file=sys.stderr)
        return False
    write_reference(PATH, CASES, new)
    print(format_moves(old, new))
    print(f"wrote {PATH}")
    return True


def _progress() -> Callable[[Task, Future[Measured]], None]:
    if not sys.stdout.isatty():
        return lambda task, future: None
    return countdown(len(CASES), lambda task: task.case.name)


def _make_room(path: Path) -> None:
    """See that the file can be written; that of an earlier check goes, lest it be taken for this one's."""
    check_file(path, "--junit", b"<?xml")
    with junit_file(path), path.open("ab"):
        path.unlink()
