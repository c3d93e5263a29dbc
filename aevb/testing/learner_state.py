"""Laws of a learner's state: it holds all that matters, and goes on alike."""

from aevb.ascent import AscentOptions
from aevb.errors import UserError
from aevb.testing.law import demand, numbers, seeded
from aevb.testing.learner_made import MakeLearner, demand_equal, made, train
from aevb.testing.problem import PIXELS, MakeDecoder, data_of

NOTHING_ELSE = "draw from the generator that `step` is given, and from nothing else"


def the_same_seed_gives_the_same_steps_bit_for_bit(
    learner: MakeLearner, decoder: MakeDecoder, n_pixels: int = PIXELS
) -> None:
    """Two learners with equal weights and equal generators are in equal states after three steps."""
    x, states = data_of(decoder, n_pixels), []
    for _ in range(2):
        one = made(learner, decoder, AscentOptions(0.05, warm_up=1), n_pixels)
        train(one, x, 3, seeded(5))
        states.append(numbers(one.state_dict()))
    rule = "a learner's state must hold all that it learns"
    demand(len(states[0]) > 3, rule, f"{len(states[0])} numbers", "name its modules and its ascent in `_parts`")
    demand_equal(states, "the same seed must give the same steps", NOTHING_ELSE)


def one_that_is_saved_and_loaded_goes_on_as_if_nothing_had_happened(
    learner: MakeLearner, decoder: MakeDecoder, n_pixels: int = PIXELS
) -> None:
    """The state of a learner, given to another one, makes it take the same steps."""
    x, options, generator = data_of(decoder, n_pixels), AscentOptions(0.05, warm_up=1), seeded(6)
    one, other = (made(learner, decoder, options, n_pixels) for _ in range(2))
    train(one, x, 2, generator)
    noise = generator.get_state()
    other.load_state_dict(one.state_dict())
    train(one, x, 2, generator)
    generator.set_state(noise)
    train(other, x, 2, generator)
    states = [numbers(each.state_dict()) for each in (one, other)]
    remedy = "keep all of it in `_parts`, and share no tensors with what you save or load"
    demand_equal(states, "a learner must go on from its state as if nothing had happened", remedy)


def a_state_stays_as_it_was_while_the_learner_goes_on(
    learner: MakeLearner, decoder: MakeDecoder, n_pixels: int = PIXELS
) -> None:
    """Taken, and loaded after more steps, it has the learner take the same steps again, as often as it is loaded."""
    x, generator, ends = data_of(decoder, n_pixels), seeded(15), []
    one = made(learner, decoder, AscentOptions(0.05, warm_up=1), n_pixels)
    train(one, x, 2, generator)
    state, noise = one.state_dict(), generator.get_state()
    for _ in range(3):
        generator.set_state(noise)
        train(one, x, 2, generator)
        ends.append([number.detach().clone() for number in numbers(one.state_dict())])
        one.load_state_dict(state)
    remedy = "clone tensors in `state_dict`, and copy them in `load_state_dict`"
    for end in ends[1:]:
        demand_equal((ends[0], end), "a state must stay as it was while the learner goes on", remedy)


def a_state_that_is_refused_changes_nothing(learner: MakeLearner, decoder: MakeDecoder, n_pixels: int = PIXELS) -> None:
    """Where `load_state_dict` raises, as of a state in which a part is empty, the learner is in the state it was in."""
    x, options = data_of(decoder, n_pixels), AscentOptions(0.05, warm_up=1)
    one, other = (made(learner, decoder, options, n_pixels) for _ in range(2))
    train(other, x, 2, seeded(16))
    state, remedy = other.state_dict(), "look at the whole state before you take any of it, or put back what was there"
    for name in state:
        before = [number.detach().clone() for number in numbers(one.state_dict())]
        try:
            one.load_state_dict({**state, name: {}})
        except (UserError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
            after = numbers(one.state_dict())
            demand_equal(
                (before, after), f"a state with an empty {name}, which is refused, must change nothing", remedy
            )
