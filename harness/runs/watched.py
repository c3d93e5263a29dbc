"""Steps of code that is not the project's: what ends a run is told with the step and the line that did."""

import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aevb.errors import ArgumentError, UserError
from aevb.learner import Batch, Noise, StepInfo
from aevb.places import is_place, strangers_code
from harness.experiments.config import Config


class Watched:
    """A learner whose class or decoder is the user's, for its steps alone.

    Args:
        learner: whose steps are taken.
        config: of the run.
        n_taken: steps that were taken before.
    """

    def __init__(self, learner: Any, config: Config, n_taken: int) -> None:
        self._learner, self._places, self._n = learner, config.places, n_taken
        self._reports = is_place(config.method)  # of the project's own it is known what they report

    def step(self, batch: Batch, generator: torch.Generator, noise: Noise | None) -> StepInfo:
        """The learner's.

        Raises:
            UserError: it raised something, or gave no bound for each datapoint.
        """
        self._n += 1
        try:
            with strangers_code(self._error_for):
                info: StepInfo = self._learner.step(batch, generator, noise)
        except ArgumentError as error:  # of what their code gave the library
            raise self._error_for(f"ArgumentError: {error}") from error
        bound = getattr(info, "bound", None)
        if self._reports and not (isinstance(bound, Tensor) and bound.shape == (len(batch.x),)):
            raise UserError(
                f"step must return a StepInfo with a bound of shape ({len(batch.x)},); at step {self._n:,} "
                f"{self._places[0]} gave {_told(info, bound)}: mend it"
            )
        return info

    def _error_for(self, what: str) -> UserError:
        where = line_of(self._places, sys.exc_info()[1])
        return UserError(
            f"code of yours must take every step; at step {self._n:,}{where} {' and '.join(self._places)} raised "
            f"{what}: mend it"
        )


def _told(info: object, bound: object) -> str:
    """What came in place of a bound for each datapoint."""
    if isinstance(bound, Tensor):
        return f"one of shape {tuple(bound.shape)}"
    return f"a bound that is {type(bound).__name__}" if hasattr(info, "bound") else type(info).__name__


def line_of(places: Iterable[str], error: BaseException | None) -> str:
    """ ", line 6 of mine.py": the innermost line in a file of these places that an error came through; or nothing."""
    files = {getattr(sys.modules.get(place.partition(":")[0]), "__file__", None) for place in places}
    lines = [
        (number, frame.f_code.co_filename)
        for frame, number in traceback.walk_tb(error.__traceback__ if error is not None else None)
        if frame.f_code.co_filename in files
    ]
    return f", line {lines[-1][0]} of {Path(lines[-1][1]).name}," if lines else ""
