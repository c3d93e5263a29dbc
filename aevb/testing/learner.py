"""Laws of learners."""

import copy
import math
from collections.abc import Callable, Sequence
from numbers import Integral, Real

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from aevb.ascent import AscentOptions
from aevb.checks import shown
from aevb.encoder import GaussianEncoder
from aevb.errors import ArgumentError
from aevb.estimators import lower_bound_a
from aevb.learner import Batch, Learner, StepInfo, lacking
from aevb.linear_gaussian import exact_encoder, exact_log_marginal
from aevb.model import BernoulliModel, GaussianModel, GenerativeModel
from aevb.testing.law import (
    SIGMAS,
    calling,
    demand,
    demand_numbers,
    mean_and_error,
    numbers,
    refusal,
    seeded,
)
from aevb.testing.oracle import linear_gaussian
from aevb.testing.problem import LATENTS, PIXELS, MakeDecoder, N, data_of, encoder_of, grid_log_likelihood, model_of
from aevb.threads import one_thread

MakeLearner = Callable[[GenerativeModel, GaussianEncoder, int, AscentOptions], Learner]
"""A learner's class, or what makes one from (model, encoder, n_datapoints, options)."""

DECODERS: tuple[MakeDecoder, ...] = (BernoulliModel, GaussianModel)
NOTHING_ELSE = "draw from the generator that `step` is given, and from nothing else"
FRESH = 100  # learners whose first steps are looked at
CLOSE = 0.1  # nats
FINITE = float(torch.finfo(torch.float64).min)
FEW = 10  # datapoints of a minibatch
SAME = 1e-6  # of weights
NEARER = 0.8  # of an encoder's distance to the posterior; learners of the project leave less than half of it


@one_thread()
def check_learner(learner: MakeLearner, decoders: Sequence[MakeDecoder] = DECODERS) -> None:
    """Hold a learner to every law, with each of these decoders.

    Args:
        learner: its class, or a function that makes one; called with (model, encoder, n_datapoints, options).
        decoders: classes of models, one or more; the project's own.

    Raises:
        ArgumentError: there are no decoders.
        LawBroken: the first law that it does not keep.
    """
    if not (isinstance(decoders, Sequence) and decoders):
        raise ArgumentError(f"`decoders` must be a list of one class or more, got {shown(decoders)}: or leave it out")
    with calling("a learner's class", "it is called as learner(model, encoder, n_datapoints, options)"):
        _made(learner, decoders[0], AscentOptions())
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


def each_step_draws_noise_of_its_own(learner: MakeLearner, decoder: MakeDecoder) -> None:
    """Two steps on the same points, with weights that stay, report different bounds.

    One that draws nothing, since it knows its bound exactly, is to be held to the other laws alone.
    """
    one = _made(learner, decoder, AscentOptions(0.05, warm_up=2))
    if one.encoder is None:
        return
    generator = seeded(12)
    first, second = (_bound(_step(one, data_of(decoder), generator), N) for _ in range(2))
    rule = "each step must draw noise of its own"
    demand(not torch.equal(first, second), rule, "the same bound twice", "draw from the generator that `step` is given")


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


def training_brings_the_encoder_nearer_to_the_posterior(learner: MakeLearner, decoder: MakeDecoder) -> None:
    """Sixty steps lower KL(q(z|x) ‖ p(z|x)) by a fifth or more, both times for the model that they end in.

    In mean over the data: log p(x), known by quadrature, less the lower bound. The bound itself
    rises by the model alone; this holds too for encoders that climb something else, as wake-sleep's does.
    """
    x = data_of(decoder)
    one = _made(learner, decoder, AscentOptions(0.05, warm_up=0, prior_weight=0), seed=8)
    if one.encoder is None:
        return
    first = copy.deepcopy(one.encoder)
    _train(one, x, 60, seeded(7))
    before, after = (_distance(one.model, encoder, x) for encoder in (first, one.encoder))
    rule = f"training must bring KL(q(z|x) ‖ p(z|x)) of the trained model below {NEARER} of what the first encoder has"
    got = f"{after:.3g} nats where the first encoder has {before:.3g}"
    demand(after < NEARER * before, rule, got, "climb in the encoder's parameters, up the gradient and not down")


def the_prior_weighs_by_the_share_of_the_training_set(learner: MakeLearner, decoder: MakeDecoder) -> None:
    """Steps on a minibatch stay as they are where the training set and the prior's weight are doubled: it is M/N of it.

    A learner keeps this law, too, if it has no prior, has N in what it climbs without one, or has no encoder, which may
    want all of its points at once. A constant factor of the prior is not seen.
    """
    if _made(learner, decoder, AscentOptions(0.05, warm_up=0)).encoder is None:
        return
    without, doubled_without, with_prior, doubled = (
        _weights_after_few(learner, decoder, times, times * weight) for weight in (0.0, 1.0) for times in (1, 2)
    )
    apart = float((with_prior - doubled).abs().max())
    right = apart < SAME or float((without - doubled_without).abs().max()) > SAME
    rule = "twice the training set with twice the prior's weight must give the same steps"
    remedy = "scale log p(θ) by `prior_weight` · len(batch.x) / n_datapoints"
    demand(right, rule, f"weights {apart:.2g} apart", remedy)


def a_step_says_what_it_did(learner: MakeLearner, decoder: MakeDecoder) -> None:
    """Samples that it has seen, and a finite bound of each, without gradients; none for one without an encoder.

    With an encoder a step counts each point of its batch once, however often it draws z; without one it may count them
    several times, as Monte Carlo EM does for each move of a chain.
    """
    one = _made(learner, decoder, AscentOptions(0.05, warm_up=0))
    m = N if one.encoder is None else FEW
    info = _step(one, data_of(decoder)[:m], seeded(8))
    samples, times = info.samples, "a multiple of it" if one.encoder is None else "no more and no less"
    whole = isinstance(samples, Integral) and not isinstance(samples, bool) and samples >= m
    right = whole and (samples % m == 0 if one.encoder is None else samples == m)
    demand(right, f"a step on {m} points must count {m} samples, {times}", shown(samples), "set `StepInfo.samples`")
    rule = "a step must report a bound if, and only if, there is an encoder"
    demand((info.bound is None) == (one.encoder is None), rule, shown(info.bound), "set `StepInfo.bound`")
    if info.bound is not None:
        bound = _bound(info, m)
        demand(not bound.requires_grad, "a step's bound must be without gradients", "some", "detach it")
    found = one.diagnostics()
    finite = isinstance(found, dict) and all(isinstance(v, Real) and math.isfinite(v) for v in found.values())
    demand(finite, "diagnostics after a step must be a dict of finite numbers", found, "leave out what is not known")


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
        bound = _bound(_step(one, x, generator), N)
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
    each_step_draws_noise_of_its_own,
    one_that_is_saved_and_loaded_goes_on_as_if_nothing_had_happened,
    the_reported_bound_is_below_the_exact_log_likelihood_and_near_it_at_the_exact_posterior,
    training_raises_the_likelihood_of_what_is_trained_on,
    training_brings_the_encoder_nearer_to_the_posterior,
    the_prior_weighs_by_the_share_of_the_training_set,
    it_refuses_what_the_model_does_not_take,
)


def _made(learner: MakeLearner, decoder: MakeDecoder, options: AscentOptions, seed: int = 1) -> Learner:
    one = learner(model_of(decoder, seed), encoder_of(), N, options)
    rule, remedy = "a learner must have all of `aevb.learner.Learner`", "add it, or inherit from LearnerState"
    demand(not lacking(one), rule, f"no {', '.join(lacking(one))}", remedy)
    n, dreams = one.n_normal, one.dreams
    whole = isinstance(n, Integral) and not isinstance(n, bool) and n >= 0
    demand(whole, "`n_normal` must be a whole number, 0 or more", shown(n), "set 0 if `step` takes no noise")
    demand(isinstance(dreams, bool), "`dreams` must be True or False", shown(dreams), "set False if `step` draws none")
    return one


def _step(learner: Learner, x: Tensor, generator: torch.Generator) -> StepInfo:
    info = learner.step(Batch(x, torch.arange(len(x))), generator)
    rule = "a step must return a StepInfo"
    demand(isinstance(info, StepInfo), rule, shown(info), "end it with `return StepInfo(bound, samples)`")
    return info


def _bound(info: StepInfo, m: int) -> Tensor:
    return demand_numbers(info.bound, (m,), "a step's bound", "report the bound of each datapoint, detached", FINITE)


def _train(learner: Learner, x: Tensor, steps: int, generator: torch.Generator) -> None:
    for _ in range(steps):
        _step(learner, x, generator)


def _weights_after_few(learner: MakeLearner, decoder: MakeDecoder, times: int, weight: float) -> Tensor:
    """The model's, after three steps on a minibatch of a training set that is so many times as large."""
    options = AscentOptions(0.05, warm_up=0, prior_weight=weight)
    one = learner(model_of(decoder), encoder_of(), times * N, options)
    _train(one, data_of(decoder)[:FEW], 3, seeded(11))
    return parameters_to_vector(one.model.parameters()).detach()


def _distance(model: GenerativeModel, encoder: nn.Module, x: Tensor) -> float:
    """KL(q(z|x) ‖ p(z|x)) in mean over the points, nats."""
    eps = torch.randn(200, len(x), LATENTS, dtype=torch.float64, generator=seeded(22))
    with torch.no_grad():
        return float((grid_log_likelihood(model, x) - lower_bound_a(model, encoder, x, eps)).mean())


def _demand_equal(states: Sequence[Sequence[Tensor]], rule: str, remedy: str) -> None:
    differ = sum(not torch.equal(one, other) for one, other in zip(*states, strict=True))
    demand(not differ, rule, f"{differ} of {len(states[0])} tensors that differ", remedy)
