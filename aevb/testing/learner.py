"""Laws of learners."""

from collections.abc import Callable, Sequence

from aevb import checks
from aevb.ascent import AscentOptions
from aevb.checks import shown
from aevb.errors import ArgumentError
from aevb.model import BernoulliModel, GaussianModel
from aevb.testing.law import calling
from aevb.testing.learner_made import MakeLearner as MakeLearner  # for who writes laws
from aevb.testing.learner_made import made
from aevb.testing.learner_state import (
    a_state_stays_as_it_was_while_the_learner_goes_on,
    a_state_that_is_refused_changes_nothing,
    one_that_is_saved_and_loaded_goes_on_as_if_nothing_had_happened,
    the_same_seed_gives_the_same_steps_bit_for_bit,
)
from aevb.testing.learner_steps import (
    a_step_says_what_it_did,
    a_step_takes_the_noise_that_it_is_given,
    each_step_draws_noise_of_its_own,
    every_row_of_a_batch_moves_the_parameters,
    it_refuses_what_the_model_does_not_take,
)
from aevb.testing.learner_training import (
    the_prior_weighs_by_the_share_of_the_training_set,
    the_reported_bound_is_below_the_exact_log_likelihood_and_near_it_at_the_exact_posterior,
    training_brings_the_encoder_nearer_to_the_posterior,
    training_raises_the_likelihood_of_what_is_trained_on,
)
from aevb.testing.problem import PIXELS, MakeDecoder, Sizes, demand_answers
from aevb.threads import one_thread

DECODERS: tuple[MakeDecoder, ...] = (BernoulliModel, GaussianModel)


@one_thread()
def check_learner(learner: MakeLearner, decoders: Sequence[MakeDecoder] = DECODERS, *, n_pixels: int = PIXELS) -> None:
    """Hold a learner to every law, with each of these decoders.

    Args:
        learner: its class, or a function that makes one; called with (model, encoder, n_datapoints, options).
        decoders: classes of models, one or more; the project's own.
        n_pixels: size of x; 784, say, for decoders that are made for images of 28×28. z has two numbers.

    Raises:
        ArgumentError: there are no decoders, or the size is no whole number of at least 1.
        LawBroken: the first law that it does not keep.
    """
    if not (isinstance(decoders, Sequence) and decoders):
        raise ArgumentError(f"`decoders` must be a list of one class or more, got {shown(decoders)}: or leave it out")
    checks.whole(1, n_pixels=n_pixels)
    for decoder in decoders:
        demand_answers(decoder, Sizes(n_pixels=n_pixels), "for x of another size call check_learner with n_pixels")
    with calling("a learner's class", "it is called as learner(model, encoder, n_datapoints, options)"):
        made(learner, decoders[0], AscentOptions(), n_pixels)
    for n, decoder in enumerate(decoders):
        for law in LAWS_BY_DECODER if n else LEARNER_LAWS:
            law(learner, decoder, n_pixels)


LEARNER_LAWS: tuple[Callable[[MakeLearner, MakeDecoder, int], None], ...] = (
    a_step_says_what_it_did,
    the_same_seed_gives_the_same_steps_bit_for_bit,
    each_step_draws_noise_of_its_own,
    a_step_takes_the_noise_that_it_is_given,
    every_row_of_a_batch_moves_the_parameters,
    one_that_is_saved_and_loaded_goes_on_as_if_nothing_had_happened,
    a_state_stays_as_it_was_while_the_learner_goes_on,
    a_state_that_is_refused_changes_nothing,
    the_reported_bound_is_below_the_exact_log_likelihood_and_near_it_at_the_exact_posterior,
    training_raises_the_likelihood_of_what_is_trained_on,
    training_brings_the_encoder_nearer_to_the_posterior,
    the_prior_weighs_by_the_share_of_the_training_set,
    it_refuses_what_the_model_does_not_take,
)

OWN_MODEL = (the_reported_bound_is_below_the_exact_log_likelihood_and_near_it_at_the_exact_posterior,)
"""Laws that bring a model of their own, whatever the decoder: once for each learner is enough."""

LAWS_BY_DECODER = tuple(law for law in LEARNER_LAWS if law not in OWN_MODEL)
