"""What a law raises, and the demands that laws are made of."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from aevb.checks import shown
from aevb.errors import UserError, one_line

SIGMAS = 4.5  # standard errors: a true law is found broken by chance less than once in 10⁵


class LawBroken(AssertionError):
    """Something does not keep a law; the message has the rule, what came and the remedy."""


def demand(holds: bool | Tensor, rule: str, got: object, remedy: str) -> None:
    """The condition holds everywhere.

    Raises:
        LawBroken: it does not.
    """
    if not bool(torch.as_tensor(holds).all()):
        raise LawBroken(f"{rule}, got {one_line(got)}: {remedy}")


def demand_numbers(value: object, shape: tuple[int, ...], what: str, remedy: str, least: float = -math.inf) -> Tensor:
    """A value is a floating tensor of this shape, without NaN, without ∞, and at least `least`.

    Raises:
        LawBroken: it is not.
    """
    kind = isinstance(value, Tensor) and value.is_floating_point()
    got = value.dtype if isinstance(value, Tensor) else shown(value)
    demand(kind, f"{what} must be a tensor of floats", got, remedy)
    assert isinstance(value, Tensor)
    demand(value.shape == shape, f"{what} must have shape {shape}", tuple(value.shape), remedy)
    seen = value.detach()
    bad = ~((seen >= least) & (seen < math.inf))
    found = f"{int(bad.sum())} of {bad.numel()} that are not, as {float(seen[bad][0]):g}" if bad.any() else ""
    demand(~bad, f"{what} must be a number everywhere", found, "look for a log of 0, or a 0/0")
    return value


def mean_and_error(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over the first axis, and its standard error."""
    return values.mean(0), values.std(0) / math.sqrt(len(values))


@contextmanager
def refusal(what: str, remedy: str) -> Iterator[None]:
    """The block raises an error of the project's, a `aevb.errors.UserError`.

    Raises:
        LawBroken: it raises another one, or none.
    """
    try:
        yield
    except UserError:
        return
    except Exception as error:
        raise LawBroken(
            f"{what} must be refused with a UserError, got {type(error).__name__}: {one_line(error)}: {remedy}"
        ) from error
    raise LawBroken(f"{what} must be refused with a UserError, got an answer: {remedy}")


@contextmanager
def calling(what: str, remedy: str) -> Iterator[None]:
    """What is called in the block answers.

    Raises:
        LawBroken: it raises an error of Python's, or refuses what it is given.
    """
    try:
        yield
    except LawBroken:
        raise
    except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise LawBroken(f"{what} must answer, got {type(error).__name__}: {one_line(error)}: {remedy}") from error


def numbers(state: object) -> list[Tensor]:
    """All numbers of a state, in order, as tensors."""
    if isinstance(state, dict):
        return [number for value in state.values() for number in numbers(value)]
    if isinstance(state, list | tuple):
        return [number for value in state for number in numbers(value)]
    return [torch.as_tensor(state)] if isinstance(state, Tensor | float | int) else []


def seeded(seed: int) -> torch.Generator:
    """A source of randomness."""
    return torch.Generator().manual_seed(seed)
