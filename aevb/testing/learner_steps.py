"""Laws of a learner's step: what it takes, what it looks at and what it says."""

import inspect
import math
from numbers import Integral, Real

import torch
from torch import Tensor

from aevb.ascent import AscentOptions
from aevb.checks import shown
from aevb.learner import Batch, draw_noise
from aevb.testing.law import calling, demand, numbers, refusal, seeded
from aevb.testing.learner_made import FEW, MakeLearner, bound_of, demand_equal, made, step_of, train
from aevb.testing.problem import PIXELS, MakeDecoder, N, data_of


def a_step_says_what_it_did(learner: MakeLearner, decoder: MakeDecoder, n_pixels: int = PIXELS) -> None:
    """Samples that it has seen, and a finite bound of each, without gradients; none for one without an encoder.

    With an encoder a step counts each point of its batch once, however often it draws z; without one it may count them
    several times, as Monte Carlo EM does for each move of a chain.
    """
    one = made(learner, decoder, AscentOptions(0.05, warm_up=0), n_pixels)
    m = N if one.encoder is None else FEW
    info = step_of(one, data_of(decoder, n_pixels)[:m], seeded(8))
    samples, times = info.samples, "a multiple of it" if one.encoder is None else "no more and no less"
    whole = isinstance(samples, Integral) and not isinstance(samples, bool) and samples >= m
    right = whole and (samples % m == 0 if one.encoder is None else samples == m)
    demand(right, f"a step on {m} points must count {m} samples, {times}", shown(samples), "set `StepInfo.samples`")
    rule = "a step must report a bound if, and only if, there is an encoder"
    demand((info.bound is None) == (one.encoder is None), rule, shown(info.bound), "set `StepInfo.bound`")
    if info.bound is not None:
        bound = bound_of(info, m)
        demand(not bound.requires_grad, "a step's bound must be without gradients", "some", "detach it")
    found = one.diagnostics()
    finite = isinstance(found, dict) and all(isinstance(v, Real) and math.isfinite(v) for v in found.values())
    demand(finite, "diagnostics after a step must be a dict of finite numbers", found, "leave out what is not known")


def each_step_draws_noise_of_its_own(learner: MakeLearner, decoder: MakeDecoder, n_pixels: int = PIXELS) -> None:
    """Two steps on the same points, with weights that stay, report different bounds.

    One that draws nothing, since it knows its bound exactly, is to be held to the other laws alone.
    """
    one = made(learner, decoder, AscentOptions(0.05, warm_up=2), n_pixels)
    if one.encoder is None:
        return
    generator = seeded(12)
    first, second = (bound_of(step_of(one, data_of(decoder, n_pixels), generator), N) for _ in range(2))
    rule = "each step must draw noise of its own"
    demand(not torch.equal(first, second), rule, "the same bound twice", "draw from the generator that `step` is given")


def a_step_takes_the_noise_that_it_is_given(learner: MakeLearner, decoder: MakeDecoder, n_pixels: int = PIXELS) -> None:
    """A step that is given what `draw_noise` draws is the step that draws for itself, bit for bit.

    Runs draw noise in bulk and give it to every step. One that takes none, whose `n_normal` is 0, is given None.
    """
    x, states = data_of(decoder, n_pixels), []
    batch = Batch(x, torch.arange(N))
    for given in (False, True):
        one, generator = made(learner, decoder, AscentOptions(0.05, warm_up=0), n_pixels), seeded(13)
        remedy = "add it, for runs give a step its noise, or None where `n_normal` is 0"
        demand(_takes_three(one.step), "`step` must take (batch, generator, noise=None)", _signature(one.step), remedy)
        for _ in range(2):
            if not given:
                step_of(one, x, generator)
                continue
            noise = draw_noise(one, batch, generator) if one.n_normal else None
            with calling("a step that is given its noise", "it is called as step(batch, generator, noise)"):
                one.step(batch, generator, noise)
        states.append(numbers(one.state_dict()))
    remedy = "begin with `noise = draw_noise(self, batch, generator) if noise is None else noise`, or set `n_normal` 0"
    demand_equal(states, "a step must take the noise that it is given, as if it had drawn it", remedy)


def every_row_of_a_batch_moves_the_parameters(
    learner: MakeLearner, decoder: MakeDecoder, n_pixels: int = PIXELS
) -> None:
    """With another datapoint in a row, whichever it is, two steps lead elsewhere."""
    x = data_of(decoder, n_pixels)
    others = x[torch.cdist(x, x).argmax(1)]  # for each point the farthest, which the model takes as well
    m = N if made(learner, decoder, AscentOptions(), n_pixels).encoder is None else FEW

    def trained(batch: Tensor) -> list[Tensor]:
        one = made(learner, decoder, AscentOptions(0.05, warm_up=0), n_pixels)
        train(one, batch, 2, seeded(14))
        modules = [one.model] if one.encoder is None else [one.model, one.encoder]
        return [parameter.detach() for module in modules for parameter in module.parameters()]

    as_they_are, unseen = trained(x[:m]), []
    for n in range(m):
        row = torch.arange(m)[:, None] == n
        changed = trained(torch.where(row, others[:m], x[:m]))
        if all(torch.equal(one, other) for one, other in zip(as_they_are, changed, strict=True)):
            unseen.append(n)
    got = f"{len(unseen)} of {m} that do not"
    demand(not unseen, "every row of a batch must move the parameters", got, "sum over all of `batch.x`")


def it_refuses_what_the_model_does_not_take(learner: MakeLearner, decoder: MakeDecoder, n_pixels: int = PIXELS) -> None:
    """Pixels of another number, or that are no numbers, end in a `UserError`."""
    bad = {"pixels of another size": torch.zeros(N, n_pixels + 1), "NaN": torch.full((N, n_pixels), math.nan)}
    for what, x in bad.items():
        one = made(learner, decoder, AscentOptions(0.05, warm_up=0), n_pixels)
        with refusal(what, "begin `step` with `self._check(batch)`, which comes with LearnerState"):
            one.step(Batch(x.double(), torch.arange(N)), seeded(10))


def _takes_three(step: object) -> bool:
    try:
        inspect.signature(step).bind(None, None, None)  # type: ignore[arg-type]
    except TypeError:
        return False
    return True


def _signature(step: object) -> str:
    return str(inspect.signature(step))  # type: ignore[arg-type]
