"""A learner takes no first batch that has no meaning, and no class is made of what it cannot be made of."""

import inspect
import math

import numpy as np
import pytest
import torch

from aevb.aevb import AEVB
from aevb.ascent import Ascent, AscentOptions
from aevb.encoder import GaussianEncoder
from aevb.errors import ArgumentError
from aevb.fast.aevb import FastAEVB
from aevb.fast.stack import Stack
from aevb.learner import Batch, Noise
from aevb.model import BernoulliModel, GaussianModel
from baselines.fast_mcem import FastMinibatchMonteCarloEM, FastMonteCarloEM
from baselines.fast_wake_sleep import FastWakeSleep
from baselines.mcem import MinibatchMonteCarloEM, MonteCarloEM
from baselines.score_function import ScoreFunction
from baselines.wake_sleep import WakeSleep
from tests.bad_input import Tally, check_message

N, PIXELS, LATENT = 8, 6, 2
WITH_ENCODER = (AEVB, FastAEVB, WakeSleep, FastWakeSleep, ScoreFunction)
OF_CHAINS = (MonteCarloEM, FastMonteCarloEM, MinibatchMonteCarloEM, FastMinibatchMonteCarloEM)
LEARNERS = (*WITH_ENCODER, *OF_CHAINS)


def source():
    return torch.Generator().manual_seed(0)


def pixels():
    return torch.rand(N, PIXELS, generator=source())


def with_value(value):
    x = pixels()
    x[3, 1] = value
    return x


def decoder(kind=BernoulliModel):
    return kind(LATENT, PIXELS, (5,), generator=source())


def encoder():
    return GaussianEncoder(PIXELS, LATENT, (5,), generator=source())


def learner(kind, model=None):
    parts = (model or decoder(), encoder(), N) if kind in WITH_ENCODER else (model or decoder(), N, source())
    return kind(*parts)


def parameters(made):
    return [p.detach().clone() for part in (made.model, made.encoder) if part is not None for p in part.parameters()]


def refuses(call, tally):
    with pytest.raises(ArgumentError) as caught:
        call()
    check_message(str(caught.value))
    tally("bad inputs")


MEANINGLESS = {
    "bytes": (pixels() * 255).round(), "in [-1, 1]": pixels() * 2 - 1, "standardised": (pixels() - 0.5) / 0.3,
    "just above": with_value(1.0001), "just below": with_value(-1e-7), "huge": pixels() * 1e30,
    "a NaN": with_value(math.nan), "an infinity": with_value(math.inf), "-infinity": with_value(-math.inf),
    "all NaN": pixels() * math.nan, "double": pixels().double(), "stored bytes": (pixels() * 255).byte(),
    "half": pixels().half(), "booleans": pixels() > 0.5, "images": pixels().view(N, 2, 3), "one point": pixels()[0],
    "transposed": pixels().T, "a pixel too many": torch.rand(N, PIXELS + 1), "no rows": pixels()[:0],
    "NumPy's": pixels().numpy(), "a list": pixels().tolist(), "nothing": None, "another device": pixels().to("meta"),
}  # fmt: skip


@pytest.mark.parametrize("kind", LEARNERS)
def test_a_first_batch_without_meaning_is_refused_and_moves_nothing(kind, tally: Tally):
    for x in MEANINGLESS.values():
        made = learner(kind)
        before = parameters(made)
        refuses(lambda made=made, x=x: made.step(Batch(x, torch.arange(N)), source()), tally)
        assert all(map(torch.equal, before, parameters(made)))


@pytest.mark.parametrize("kind", LEARNERS)
def test_a_gaussian_decoder_takes_any_finite_pixels_and_no_others(kind, tally: Tally):
    for name in ("bytes", "standardised"):
        assert learner(kind, decoder(GaussianModel)).step(Batch(MEANINGLESS[name], torch.arange(N)), source()).samples
    for name in ("a NaN", "an infinity", "-infinity", "all NaN"):
        made = learner(kind, decoder(GaussianModel))
        refuses(lambda name=name, made=made: made.step(Batch(MEANINGLESS[name], torch.arange(N)), source()), tally)


@pytest.mark.parametrize("kind", LEARNERS)
def test_only_the_first_batch_of_each_shape_is_looked_at(kind, monkeypatch):
    looked = []
    monkeypatch.setattr("aevb.checks.pixels", lambda _model, x: looked.append(tuple(x.shape)))
    made = learner(kind)
    for _ in range(4):
        made.step(Batch(pixels(), torch.arange(N)), source())
    assert looked == [(N, PIXELS)]


def test_a_stack_looks_at_the_batches_of_all_its_runs(tally: Tally):
    x = torch.stack((pixels(), pixels()))
    places = torch.arange(N).expand(2, N)
    noise = Noise(torch.randn(2, 1, N, LATENT, generator=source()))
    for bad in (with_value(math.nan), pixels() * 255):
        stack = Stack([learner(FastAEVB), learner(FastAEVB)])
        refuses(
            lambda bad=bad, stack=stack: stack.step(Batch(torch.stack((pixels(), bad)), places), source(), noise),
            tally,
        )
    bound = Stack([learner(FastAEVB), learner(FastAEVB)]).step(Batch(x, places), source(), noise).bound
    assert bound is not None
    assert bound.shape == (2, N)


@pytest.mark.parametrize("kind", OF_CHAINS)
def test_places_of_chains_are_those_of_the_training_set(kind, tally: Tally):
    wrong = [
        torch.arange(N) + 1, torch.arange(N) - 1, torch.arange(N - 1), torch.arange(N)[:, None], torch.arange(N) * 1.0,
        torch.ones(N, dtype=torch.bool), list(range(N)), None, np.arange(N),
    ]  # fmt: skip
    for indices in wrong:
        refuses(lambda indices=indices: learner(kind).step(Batch(pixels(), indices), source()), tally)


# What no argument of any of these is, beside what some are; each class must take it or name it.
ODD = [
    None, 0, -1, 5, 2.5, True, math.nan, math.inf, "x", "", b"x", (), [], (5,), [5], (0,), (2.5,), ("5",), (5, None),
    {}, {5}, object(), torch.tensor(5), torch.rand(2), np.float64("nan"), np.array([5]), 1j, int, range(3),
    torch.nn.Tanh(),
    iter((5,)), "tanh", "constant", [["tanh"]], torch.Generator(), AscentOptions(), BernoulliModel(3, 4, (2,)),
]  # fmt: skip
MAKERS = {
    BernoulliModel: lambda: {"n_latent": LATENT, "n_pixels": PIXELS},
    GaussianModel: lambda: {"n_latent": LATENT, "n_pixels": PIXELS},
    GaussianEncoder: lambda: {"n_pixels": PIXELS, "n_latent": LATENT},
    AscentOptions: dict,
    Ascent: lambda: {"options": AscentOptions(), "theta": decoder(), "phi": encoder()},
    **dict.fromkeys(WITH_ENCODER, lambda: {"model": decoder(), "encoder": encoder(), "n_datapoints": N}),
    **dict.fromkeys(OF_CHAINS, lambda: {"model": decoder(), "n_datapoints": N, "generator": source()}),
}


def names_of(kind):
    """Arguments of the constructor; of one that hands on what it gets, those of its parent."""
    for parent in kind.__mro__:
        taken = inspect.signature(parent.__init__).parameters.values()
        if not any(p.kind is p.VAR_POSITIONAL for p in taken):
            return [p.name for p in taken if p.name != "self"]
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_class_is_made_or_names_what_it_cannot_be_made_of(kind, tally: Tally):
    for name in names_of(kind):
        refused = 0
        for value in ODD:
            try:
                kind(**(MAKERS[kind]() | {name: value}))
            except ArgumentError as error:
                check_message(str(error))
                tally("bad inputs")
                refused += 1
        assert refused, f"{name} is never refused"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: BernoulliModel(2, 6, hidden=5), r"`hidden` must be a sequence of widths, got 5: .*\(500,\)"),
        (
            lambda: GaussianModel(2, 6, log_var_factor=math.nan),
            "`log_var_factor` must be a finite number from 0 to inf, got nan: choose another",
        ),
        (lambda: GaussianModel(2, 6, log_var="latnet"), "did you mean latent"),
        (lambda: GaussianEncoder(6, 2, activation="sofplus"), "did you mean softplus"),
        (lambda: AEVB(encoder(), decoder(), N), "`model` must be a GenerativeModel"),
        (lambda: AEVB(decoder(), encoder(), N, 0.02), r"AscentOptions\(step_size"),
    ],
)
def test_the_error_says_what_is_wrong_and_what_to_write(make, says):
    with pytest.raises(ArgumentError, match=says):
        make()
