"""Laws of learners."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from aevb.ascent import AscentOptions
from aevb.encoder import GaussianEncoder
from aevb.learner import Batch, Learner
from aevb.linear_gaussian import exact_encoder, exact_log_marginal
from aevb.model import BernoulliModel, GaussianModel, GenerativeModel
from aevb.testing.law import SIGMAS, demand, mean_and_error, numbers, refusal, seeded
from aevb.testing.oracle import linear_gaussian
from aevb.testing.problem import PIXELS, MakeDecoder, N, data_of, encoder_of, grid_log_likelihood, model_of

MakeLearner = Callable[[GenerativeModel, GaussianEncoder, int, AscentOptions], Learner]
"""A learner's class, or what makes one from (model, encoder, n_datapoints, options)."""

DECODERS: tuple[MakeDecoder, ...] = (BernoulliModel, GaussianModel)
NOTHING_ELSE = "draw from the generator that `step` is given, and from nothing else"
FRESH = 100  # learners whose first steps are looked at
CLOSE = 0.1  # nats


def check_learner(learner: MakeLearner, decoders: Sequence[MakeDecoder] = DECODERS) -> None:
    """Hold a learner to every law, with each of these decoders.

    Args:
        learner: its class, or a function that makes one; called with (model, encoder, n_datapoints, options).
        decoders: classes of models; the project's own.

    Raises:
        LawBroken: the first law that it does not keep.
    """
    for decoder in decoders:
        for law in LEARNER_LAWS:
            law(learner, decoder)


def the_same_seed_gives_the_same_steps_bit_for_bit(learner: MakeLearner, decoder: MakeDecoder) -> None:
    """Two learners with equal weights and equal generators are in equal states after three steps."""
    x, states = data_of(decoder), []
    for _ in range(2):
        one = _made(learner, decoder, AscentOptions(0.05, warm_up=1))
        _train(one, x, 3, seeded(5))
        states.append(numbers(one.state_dict()))
    rule = "a learner's state must hold all that it learns"
    demand(len(states[0]) > 3, rule, f"{len(states[0])} numbers", "name its modules and its ascent in `_parts`")
    _demand_equal(states, "the same seed must give the same steps", NOTHING_ELSE)


def one_that_is_saved_and_loaded_goes_on_as_if_nothing_had_happened(learner: MakeLearner, decoder: MakeDecoder) -> None:
    """The state of a learner, given to another one, makes it take the same steps."""
    x, options, generator = data_of(decoder), AscentOptions(0.05, warm_up=1), seeded(6)
    one, other = (_made(learner, decoder, options) for _ in range(2))
    _train(one, x, 2, generator)
    noise = generator.get_state()
    other.load_state_dict(one.state_dict())
    _train(one, x, 2, generator)
    generator.set_state(noise)
    _train(other, x, 2, generator)
    states = [numbers(each.state_dict()) for each in (one, other)]
    _demand_equal(
        states, "a learner must go on from its state as if nothing had happened", "keep all of it in `_parts`"
    )


def training_raises_the_likelihood_of_what_is_trained_on(learner: MakeLearner, decoder: MakeDecoder) -> None:
    """Sixty steps on data of another model raise their mean log p(x), which is known by quadrature."""
    x = data_of(decoder)
    one = _made(learner, decoder, AscentOptions(0.05, warm_up=0, prior_weight=0), seed=8)
    before = float(grid_log_likelihood(one.model, x).mean())
    _train(one, x, 60, seeded(7))
    after = float(grid_log_likelihood(one.model, x).mean())
    rule = "training must raise the mean log p(x) of its data by 0.1 nats or more"
    demand(after > before + 0.1, rule, f"{before:.2f} before and {after:.2f} after", "climb in the model's parameters")


def a_step_says_what_it_did(learner: MakeLearner, decoder: MakeDecoder) -> None:
    """Samples that it has seen, and a finite bound of each, without gradients; none for one without an encoder."""
    one = _made(learner, decoder, AscentOptions(0.05, warm_up=0))
    info = one.step(Batch(data_of(decoder), torch.arange(N)), seeded(8))
    demand(info.samples >= N, f"a step on {N} points must count them", info.samples, "set `StepInfo.samples`")
    has_bound = info.bound is not None
    rule = "a step must report a bound if, and only if, there is an encoder"
    demand(has_bound == (one.encoder is not None), rule, f"bound {info.bound}", "set `StepInfo.bound`")
    if info.bound is not None:
        rule = f"a step's bound must have shape ({N},), be finite and without gradients"
        right = info.bound.shape == (N,) and bool(info.bound.isfinite().all()) and not info.bound.requires_grad
        demand(right, rule, f"shape {tuple(info.bound.shape)}", "report the bound of each datapoint, detached")
    finite = all(math.isfinite(value) for value in one.diagnostics().values())
    demand(finite, "diagnostics after a step must be finite", one.diagnostics(), "leave out what is not known")


def the_reported_bound_is_below_the_exact_log_likelihood_and_near_it_at_the_exact_posterior(
    learner: MakeLearner, decoder: MakeDecoder
) -> None:
    """On a linear-Gaussian model whose encoder is the posterior, first steps report log p(x) in mean, or a little less.

    A full posterior of the weights, as in full variational Bayes, costs that little. The decoder plays no part.
    """
    oracle = linear_gaussian(n_latent=2, n_pixels=PIXELS)
    x = oracle.simulate(N, seed=9)
    truth, generator, above = exact_log_marginal(oracle.model, x).detach(), seeded(9), []
    for _ in range(FRESH):
        model = linear_gaussian(n_latent=2, n_pixels=PIXELS).model
        one = learner(model, exact_encoder(model), N, AscentOptions(0.0, warm_up=1))
        if one.encoder is None:
            return
        bound = one.step(Batch(x, torch.arange(N)), generator).bound
        assert bound is not None
        above.append((bound - truth).mean())
    mean, error = mean_and_error(torch.stack(above))
    got, remedy = f"{float(mean):.3g} ± {float(error):.2g} nats", "report log p(x, z) − log q(z|x), whatever you climb"
    demand(mean < SIGMAS * error + 1e-9, "a reported bound must be below log p(x) in mean", f"{got} above it", remedy)
    rule = "at the exact posterior a reported bound must be log p(x) in mean"
    demand(mean > -CLOSE - SIGMAS * error, rule, f"{got} apart", remedy)


def it_refuses_what_the_model_does_not_take(learner: MakeLearner, decoder: MakeDecoder) -> None:
    """Pixels of another number, or that are no numbers, end in a `UserError`."""
    bad = {"pixels of another size": torch.zeros(N, PIXELS + 1), "NaN": torch.full((N, PIXELS), math.nan)}
    for what, x in bad.items():
        one = _made(learner, decoder, AscentOptions(0.05, warm_up=0))
        with refusal(what, "begin `step` with `self._check(batch)`, which comes with LearnerState"):
            one.step(Batch(x.double(), torch.arange(N)), seeded(10))


LEARNER_LAWS: tuple[Callable[[MakeLearner, MakeDecoder], None], ...] = (
    a_step_says_what_it_did,
    the_same_seed_gives_the_same_steps_bit_for_bit,
    one_that_is_saved_and_loaded_goes_on_as_if_nothing_had_happened,
    the_reported_bound_is_below_the_exact_log_likelihood_and_near_it_at_the_exact_posterior,
    training_raises_the_likelihood_of_what_is_trained_on,
    it_refuses_what_the_model_does_not_take,
)


def _made(learner: MakeLearner, decoder: MakeDecoder, options: AscentOptions, seed: int = 1) -> Learner:
    return learner(model_of(decoder, seed), encoder_of(), N, options)


def _train(learner: Learner, x: Tensor, steps: int, generator: torch.Generator) -> None:
    for _ in range(steps):
        learner.step(Batch(x, torch.arange(len(x))), generator)


def _demand_equal(states: Sequence[Sequence[Tensor]], rule: str, remedy: str) -> None:
    differ = sum(not torch.equal(one, other) for one, other in zip(*states, strict=True))
    demand(not differ, rule, f"{differ} of {len(states[0])} tensors that differ", remedy)
