"""Where a run stands."""

import json
from dataclasses import dataclass, fields
from typing import Literal, get_args

State = Literal["running", "interrupted", "finished", "diverged", "failed"]


@dataclass(frozen=True)
class Status:
    """Where a run stands.

    Attributes:
        state: "finished" and "diverged" are final; "failed" and "interrupted" runs go on when asked for again.
        samples: training samples evaluated.
        bound: latest running training bound, or log p(x) where that is measured, nats.
        samples_per_second: training alone, evaluation excluded.
        evaluation_seconds: what the logged points took.
        step_size: η, once it is chosen.
        message: why it failed or diverged, and what was found damaged on the way.
    """

    state: State
    samples: int = 0
    bound: float | None = None
    samples_per_second: float | None = None
    evaluation_seconds: float = 0.0
    step_size: float | None = None
    message: str = ""

    @property
    def final(self) -> bool:
        """Nothing more will be computed."""
        return self.state in ("finished", "diverged")


def parse_status(text: str) -> Status:
    """A status of this version or another, which may have had other fields.

    Raises:
        ValueError: it is none.
    """
    values = json.loads(text)
    if not isinstance(values, dict) or values.get("state") not in get_args(State):
        raise ValueError("no state")
    status = Status(**{f.name: values[f.name] for f in fields(Status) if f.name in values})
    if not (isinstance(status.samples, int) and isinstance(status.message, str)):
        raise ValueError("samples or message of another kind")
    return status
