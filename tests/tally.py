"""Counts of what tests did to the suite and it survived; the last lines of a test session tell them."""

from collections import Counter
from collections.abc import Iterable

import pytest

_counts: Counter[str] = Counter()


def tally(what: str, n: int = 1) -> None:
    """Count, in a test that fails where something was lost: `tally("kills")`."""
    _counts[what] += n


def taken() -> tuple[str, dict[str, int]]:
    """A test's counts, as a property of its report, which also travels from another process."""
    counts = dict(_counts)
    _counts.clear()
    return "tally", counts


def total(reports: Iterable[pytest.TestReport]) -> str:
    """All counts in words; "" where there are none."""
    sums: Counter[str] = Counter()
    for report in reports:
        for name, value in report.user_properties:
            if name == "tally" and isinstance(value, dict):
                sums.update(value)
    return ", ".join(f"{what} {n:,}" for what, n in sums.items())
