"""A learner made for the small problem, and its steps, looked at."""

from collections.abc import Callable, Sequence
from numbers import Integral

import torch
from torch import Tensor

from aevb.ascent import AscentOptions
from aevb.checks import shown
from aevb.encoder import GaussianEncoder
from aevb.learner import Batch, Learner, StepInfo, lacking
from aevb.model import GenerativeModel
from aevb.testing.law import demand, demand_numbers
from aevb.testing.problem import MakeDecoder, N, Sizes, encoder_of, model_of

MakeLearner = Callable[[GenerativeModel, GaussianEncoder, int, AscentOptions], Learner]
"""A learner's class, or what makes one from (model, encoder, n_datapoints, options)."""

FEW = 10  # datapoints of a minibatch
FINITE = float(torch.finfo(torch.float64).min)


def made(
    learner: MakeLearner, decoder: MakeDecoder, options: AscentOptions, n_pixels: int, *, seed: int = 1
) -> Learner:
    """A fresh one.

    Raises:
        LawBroken: it is none.
    """
    one = learner(model_of(decoder, seed, Sizes(n_pixels=n_pixels)), encoder_of(n_pixels=n_pixels), N, options)
    rule, remedy = "a learner must have all of `aevb.learner.Learner`", "add it, or inherit from LearnerState"
    demand(not lacking(one), rule, f"no {', '.join(lacking(one))}", remedy)
    n, dreams = one.n_normal, one.dreams
    whole = isinstance(n, Integral) and not isinstance(n, bool) and n >= 0
    demand(whole, "`n_normal` must be a whole number, 0 or more", shown(n), "set 0 if `step` takes no noise")
    demand(isinstance(dreams, bool), "`dreams` must be True or False", shown(dreams), "set False if `step` draws none")
    return one


def step_of(learner: Learner, x: Tensor, generator: torch.Generator) -> StepInfo:
    """A step on the first points of the training set.

    Raises:
        LawBroken: it reports something else than a step's information.
    """
    info = learner.step(Batch(x, torch.arange(len(x))), generator)
    rule = "a step must return a StepInfo"
    demand(isinstance(info, StepInfo), rule, shown(info), "end it with `return StepInfo(bound, samples)`")
    return info


def bound_of(info: StepInfo, m: int) -> Tensor:
    """The bound that a step on so many points reports.

    Raises:
        LawBroken: it is none.
    """
    return demand_numbers(info.bound, (m,), "a step's bound", "report the bound of each datapoint, detached", FINITE)


def train(learner: Learner, x: Tensor, steps: int, generator: torch.Generator) -> None:
    """So many steps on these points.

    Raises:
        LawBroken: one reports something else than a step's information.
    """
    for _ in range(steps):
        step_of(learner, x, generator)


def demand_equal(states: Sequence[Sequence[Tensor]], rule: str, remedy: str) -> None:
    """All numbers of two states are the same bit for bit.

    Raises:
        LawBroken: some differ.
    """
    differ = sum(not torch.equal(one, other) for one, other in zip(*states, strict=True))
    demand(not differ, rule, f"{differ} of {len(states[0])} tensors that differ", remedy)
