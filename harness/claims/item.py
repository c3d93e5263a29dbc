"""A number that a claim hangs on, and the verdict by the rule of all verdicts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.studies.verdict import above, below, every, of_many, widened

Verdict = Literal["holds", "does not hold", "undecided", "not measured"]
ANSWERS: dict[bool | None, Verdict] = {True: "holds", False: "does not hold", None: "undecided"}


@dataclass(frozen=True)
class Item:
    """A measured number, and the range in which the claim wants it.

    Attributes:
        name: what was measured.
        value: in its unit; NaN where it was not measured.
        unit: "nats", "ratio", "share", "minutes", ….
        standard_error: of what else could have come out: over seeds, datapoints or rounds of timing; 0 where the number
            is exact, NaN where it is not known, as of one seed.
        degrees: of freedom of that error; infinite where it is known.
        low: the claim wants the number above this.
        high: and below this. Without either the number is told, and decides nothing.
        seeds: runs of each curve behind it that have not diverged, the fewest; 0 where it is not of runs.
        begin: training samples from which on it was measured; NaN where it is not of runs.
        end: up to which.
        paper: the same number on the paper's own curves; NaN where they do not tell.
        note: what else is to be known.
        which: the seeds, where they are not the first ones: "3 4 5".
    """

    name: str
    value: float
    unit: str
    standard_error: float = math.nan
    degrees: float = math.inf
    low: float = -math.inf
    high: float = math.inf
    seeds: int = 0
    begin: float = math.nan
    end: float = math.nan
    paper: float = math.nan
    note: str = ""
    which: str = ""

    @property
    def names(self) -> tuple[int, ...]:
        """The seeds."""
        return tuple(map(int, self.which.split())) or tuple(range(self.seeds))

    @property
    def decides(self) -> bool:
        """The claim hangs on it."""
        return math.isfinite(self.low) or math.isfinite(self.high)

    @property
    def measured(self) -> bool:
        """There is a number."""
        return not math.isnan(self.value)

    @property
    def error(self) -> float:
        """The standard error, widened for how few values it is of."""
        return widened(self.standard_error, self.degrees)

    @property
    def cleared(self) -> float:
        """How far the number is within the range; negative where it is outside."""
        return min(self.value - self.low, self.high - self.value)

    @property
    def verdict(self) -> Verdict:
        """Whether the number is where the claim wants it; by two standard errors, or it is undecided."""
        if not self.measured:
            return "not measured"
        limits = [above(self.value, self.error, self.low)] if math.isfinite(self.low) else []
        limits += [below(self.value, self.error, self.high)] if math.isfinite(self.high) else []
        return ANSWERS[every(limits)]


def together(items: Sequence[Item]) -> Verdict:
    """Of a claim that wants every number in its range; one that is not known leaves it open.

    One outside decides, if it is so even as one of so many: among many, one is outside by luck.
    """
    decisive = [item for item in items if item.decides]
    if not any(item.measured for item in decisive):
        return "not measured"
    return ANSWERS[every(_answer(item, len(decisive)) for item in decisive)]


def decider(items: Sequence[Item]) -> Item | None:
    """The number that the verdict hangs on most: the one with that verdict that is least within its range.

    Distances are in standard errors; numbers whose error is not known come after those whose error is.
    """
    decisive = [item for item in items if item.decides]
    verdict = together(items)
    same = [item for item in decisive if verdict == "not measured" or ANSWERS[_answer(item, len(decisive))] == verdict]
    return min(same, key=_rank, default=None)


def _answer(item: Item, n: int) -> bool | None:
    """Whether the number is where its claim wants it, as one of n numbers of which it wants every one there."""
    if item.verdict == "does not hold":
        item = replace(item, standard_error=of_many(item.standard_error, item.degrees, n))
    return {"holds": True, "does not hold": False}.get(item.verdict)


def _rank(item: Item) -> tuple[int, float]:
    if not item.measured:
        return 2, 0.0
    if not math.isfinite(item.error):
        return 1, item.cleared
    return 0, item.cleared / item.error if item.error > 0 else math.copysign(math.inf, item.cleared)
