"""Laws of what a learner's training does, on models whose log p(x) is known."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from aevb.ascent import AscentOptions
from aevb.estimators import lower_bound_a
from aevb.linear_gaussian import exact_encoder, exact_log_marginal
from aevb.model import BernoulliModel, GenerativeModel
from aevb.testing.law import SIGMAS, demand, mean_and_error, seeded
from aevb.testing.learner_made import FEW, MakeLearner, bound_of, made, step_of, train
from aevb.testing.oracle import linear_gaussian
from aevb.testing.problem import (
    LATENTS,
    PIXELS,
    MakeDecoder,
    N,
    Sizes,
    data_of,
    encoder_of,
    grid_log_likelihood,
    model_of,
)

FRESH = 100  # learners whose first steps are looked at
FEWEST = 5  # datapoints whose log p(x) is looked at
CLOSE = 0.1  # nats
SAME = 1e-6  # of weights
NEARER = 0.8  # of an encoder's distance to the posterior; learners of the project leave less than half of it


def the_reported_bound_is_below_the_exact_log_likelihood_and_near_it_at_the_exact_posterior(
    learner: MakeLearner, *_others: object
) -> None:
    """On a linear-Gaussian model whose encoder is the posterior, first steps report log p(x) in mean, or a little less.

    A full posterior of the weights, as in full variational Bayes, costs that little. The decoder and the size of x that
    other laws take play no part: it is enough to try a learner once.
    """
    oracle = linear_gaussian(n_latent=2, n_pixels=PIXELS)
    x = oracle.simulate(N, seed=9)
    truth, generator, above = exact_log_marginal(oracle.model, x).detach(), seeded(9), []
    for _ in range(FRESH):
        model = linear_gaussian(n_latent=2, n_pixels=PIXELS).model
        one = learner(model, exact_encoder(model), N, AscentOptions(0.0, warm_up=1))
        if one.encoder is None:
            return
        bound = bound_of(step_of(one, x, generator), N)
        above.append((bound - truth).mean())
    mean, error = mean_and_error(torch.stack(above))
    got, remedy = f"{float(mean):.3g} ± {float(error):.2g} nats", "report log p(x, z) − log q(z|x), whatever you climb"
    demand(mean < SIGMAS * error + 1e-9, "a reported bound must be below log p(x) in mean", f"{got} above it", remedy)
    rule = "at the exact posterior a reported bound must be log p(x) in mean"
    demand(mean > -CLOSE - SIGMAS * error, rule, f"{got} apart", remedy)


def training_raises_the_likelihood_of_what_is_trained_on(
    learner: MakeLearner, decoder: MakeDecoder, n_pixels: int = PIXELS
) -> None:
    """Sixty steps on data of another model raise their mean log p(x), which is known by quadrature."""
    x = data_of(decoder, n_pixels)
    one = made(learner, decoder, AscentOptions(0.05, warm_up=0, prior_weight=0), n_pixels, seed=8)
    before = _log_likelihood(one.model, x)
    train(one, x, 60, seeded(7))
    after = _log_likelihood(one.model, x)
    rule = "training must raise the mean log p(x) of its data by 0.1 nats or more"
    demand(after > before + 0.1, rule, f"{before:.2f} before and {after:.2f} after", "climb in the model's parameters")


def training_brings_the_encoder_nearer_to_the_posterior(
    learner: MakeLearner, decoder: MakeDecoder, n_pixels: int = PIXELS
) -> None:
    """Sixty steps lower KL(q(z|x) ‖ p(z|x)) by a fifth or more, both times for the model that they end in.

    In mean over the data: log p(x), known by quadrature, less the lower bound. The bound itself
    rises by the model alone; this holds too for encoders that climb something else, as wake-sleep's does. For larger x
    sixty steps decide nothing: there it is the learner with Bernoulli pixels of the small problem.
    """
    if n_pixels > PIXELS:
        decoder, n_pixels = BernoulliModel, PIXELS
    x = data_of(decoder, n_pixels)
    one = made(learner, decoder, AscentOptions(0.05, warm_up=0, prior_weight=0), n_pixels, seed=8)
    if one.encoder is None:
        return
    first = copy.deepcopy(one.encoder)
    train(one, x, 60, seeded(7))
    before, after = (_distance(one.model, encoder, x) for encoder in (first, one.encoder))
    rule = f"training must bring KL(q(z|x) ‖ p(z|x)) of the trained model below {NEARER} of what the first encoder has"
    got = f"{after:.3g} nats where the first encoder has {before:.3g}"
    demand(after < NEARER * before, rule, got, "climb in the encoder's parameters, up the gradient and not down")


def the_prior_weighs_by_the_share_of_the_training_set(
    learner: MakeLearner, decoder: MakeDecoder, n_pixels: int = PIXELS
) -> None:
    """Steps on a minibatch stay as they are where the training set and the prior's weight are doubled: it is M/N of it.

    A learner keeps this law, too, if it has no prior, has N in what it climbs without one, or has no encoder, which may
    want all of its points at once. A constant factor of the prior is not seen.
    """
    if made(learner, decoder, AscentOptions(0.05, warm_up=0), n_pixels).encoder is None:
        return
    without, doubled_without, with_prior, doubled = (
        _weights_after_few(learner, decoder, n_pixels, times, times * weight)
        for weight in (0.0, 1.0)
        for times in (1, 2)
    )
    apart = float((with_prior - doubled).abs().max())
    right = apart < SAME or float((without - doubled_without).abs().max()) > SAME
    rule = "twice the training set with twice the prior's weight must give the same steps"
    remedy = "scale log p(θ) by `prior_weight` · len(batch.x) / n_datapoints"
    demand(right, rule, f"weights {apart:.2g} apart", remedy)


def _weights_after_few(learner: MakeLearner, decoder: MakeDecoder, n_pixels: int, times: int, weight: float) -> Tensor:
    """The model's, after three steps on a minibatch of a training set that is so many times as large."""
    options = AscentOptions(0.05, warm_up=0, prior_weight=weight)
    one = learner(model_of(decoder, sizes=Sizes(n_pixels=n_pixels)), encoder_of(n_pixels=n_pixels), times * N, options)
    train(one, data_of(decoder, n_pixels)[:FEW], 3, seeded(11))
    return parameters_to_vector(one.model.parameters()).detach()


def _log_likelihood(model: GenerativeModel, x: Tensor) -> float:
    """Log p(x), nats, in mean over the points, or over fewer of large ones: they take longer, and tell more."""
    return float(grid_log_likelihood(model, x[: max(N * PIXELS // x.shape[-1], FEWEST)]).mean())


def _distance(model: GenerativeModel, encoder: nn.Module, x: Tensor) -> float:
    """KL(q(z|x) ‖ p(z|x)) in mean over the points, nats."""
    eps = torch.randn(200, len(x), LATENTS, dtype=torch.float64, generator=seeded(22))
    with torch.no_grad():
        return float((grid_log_likelihood(model, x) - lower_bound_a(model, encoder, x, eps)).mean())
