"""Where a run stands."""

from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

from aevb.errors import one_line
from harness.store.records import is_count, is_finite, parse_json

State = Literal["running", "interrupted", "finished", "diverged", "failed"]


@dataclass(frozen=True)
class Status:
    """Where a run stands.

    Attributes:
        state: "finished" as far as it was last asked for, or "diverged" for good; others go on when asked for again.
        samples: training samples evaluated.
        completed: so far nothing is left to compute; a run that is to go farther keeps what it has.
        bound: latest running training bound, or log p(x) where that is measured, nats.
        samples_per_second: training alone, evaluation excluded.
        evaluation_seconds: what the logged points took.
        step_size: η, once it is chosen.
        steps: of training that the last process to compute it took.
        message: why it failed or diverged, and what was found damaged on the way.
        reason: why it diverged, alone.
    """

    state: State
    samples: int = 0
    completed: int = 0
    bound: float | None = None
    samples_per_second: float | None = None
    evaluation_seconds: float = 0.0
    step_size: float | None = None
    steps: int = 0
    message: str = ""
    reason: str = ""

    @property
    def final(self) -> bool:
        """It rests: nothing more is computed unless somebody asks for more."""
        return self.state in ("finished", "diverged")

    def reaches(self, samples: int) -> bool:
        """Up to so many samples nothing is left to compute; of a run that diverged, nothing ever."""
        return self.state == "diverged" or self.completed >= samples


def parse_status(text: str) -> Status:
    """A status of this version or another, which may have had other fields.

    Raises:
        ValueError: it is none.
    """
    values = parse_json(text)
    if not isinstance(values, dict) or values.get("state") not in get_args(State):
        raise ValueError("no state")
    status = Status(**{f.name: values[f.name] for f in fields(Status) if f.name in values})
    if status.state == "finished" and "completed" not in values:  # of a version in which a run had one length
        status = replace(status, completed=status.samples)
    if not all(map(is_count, (status.samples, status.completed, status.steps))) or status.completed > status.samples:
        raise ValueError("samples or steps of another kind")
    numbers = (status.bound, status.samples_per_second, status.step_size)
    if not all(number is None or is_finite(number) for number in numbers) or not is_finite(status.evaluation_seconds):
        raise ValueError("a number of another kind")
    if (status.samples_per_second or 0) < 0 or status.evaluation_seconds < 0:
        raise ValueError("a time below zero")
    if not isinstance(status.message, str) or not isinstance(status.reason, str):
        raise ValueError("a message of another kind")
    return replace(status, message=one_line(status.message), reason=one_line(status.reason))
