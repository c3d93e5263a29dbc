"""From a method's name to its learner: imported, checked, and given what its constructor asks for."""

import inspect
from typing import Any

import torch
from torch import nn

from aevb.ascent import AscentOptions
from aevb.errors import UserError, did_you_mean
from aevb.estimators import LOWER_BOUNDS
from aevb.learner import Learner
from aevb.model import GenerativeModel
from aevb.places import is_place, load_place
from harness.experiments.config import Config
from harness.experiments.methods import method_of
from harness.runs.streams import stream

# What `build` passes by place; a learner's other arguments are passed by name.
BY_PLACE = ("model", "encoder", "n_datapoints", "options")
MCEM_FIELDS = ("chain_leapfrog", "extra_leapfrog", "chain_step_size", "weight_steps")  # of a config
NEEDED = ("step", "diagnostics", "state_dict", "load_state_dict")  # of the protocol aevb.learner.Learner


def learner_with_encoder(
    config: Config, model: GenerativeModel, encoder: nn.Module, n_datapoints: int, options: AscentOptions, *, fast: bool
) -> Learner:
    """A learner of the config's method.

    Args:
        config: of the run.
        model: p(z) p(x|z).
        encoder: q(z|x).
        n_datapoints: N.
        options: how the parameters climb.
        fast: take the one with gradients by hand, which there is (see `by_hand`).

    Raises:
        UserError: the learner is not to be had, or does not take what the config gives it.
    """
    method = method_of(config.method)
    algorithm = learner_class(method.fast if fast else method.learner)
    # Gradients by hand are for estimators known by name.
    offered: dict[str, Any] = {"n_samples": config.n_samples, "estimator": config.estimator}
    if not fast:
        offered["estimator"] = LOWER_BOUNDS[config.estimator]
    names = _arguments(algorithm)
    known = {name: value for name, value in offered.items() if name in names}
    with torch.random.fork_rng(devices=[]):  # a stranger's may draw from torch's generator, an encoder's weights say
        torch.manual_seed(stream("learner", config.seed).initial_seed())
        return algorithm(model, encoder, n_datapoints, options, **known, **method.arguments, **dict(config.learner))


def check_learner(config: Config) -> None:
    """Find out now what would fail in the runs: a learner that is not there, or arguments that it does not have.

    Raises:
        UserError: so it is.
    """
    method = method_of(config.method)
    if method.like == "mcem" and config.learner:
        raise UserError(
            f"+learner.NAME=value is for learners with arguments of their own, and {config.method} has none, got "
            f"{config.learner[0][0]!r}: leave it out, or change a field of the protocol, as {', '.join(MCEM_FIELDS)}"
        )
    names = _arguments(learner_class(method.learner))
    for name, _ in config.learner:
        if name not in names or name in (*BY_PLACE, *method.arguments, "n_samples", "estimator"):
            own = sorted(set(names) - {*BY_PLACE, *method.arguments, "n_samples", "estimator"})
            raise UserError(
                f"+learner.NAME=value must name an argument of {method.learner}, which has "
                f"{', '.join(own) or 'none of its own'}, got {name!r}: choose another{did_you_mean(name, own)}"
            )


def stackable(config: Config) -> bool:
    """Its learners, those with gradients by hand, can be computed as one stack on a GPU."""
    method = method_of(config.method)
    return by_hand(config) and method.like != "mcem"


def engine_of(config: Config, asked: str) -> str:
    """The engine that computes it: code that is not the project's has none but the reference."""
    return "reference" if config.places else asked


def by_hand(config: Config) -> bool:
    """There are gradients by hand for its learner and for its decoder."""
    return bool(method_of(config.method).fast) and not is_place(config.decoder)


def learner_class(place: str) -> Any:
    """The class at "package.module:Class".

    Raises:
        UserError: it cannot be imported, or is no learner with an encoder.
    """
    found = load_place(place, "--method", "Learner")
    lacking = [needed for needed in NEEDED if not callable(getattr(found, needed, None))]
    if not inspect.isclass(found) or lacking:
        what = f"without {', '.join(lacking)}" if inspect.isclass(found) else "which is no class"
        raise UserError(
            f"--method must name a learner as aevb.learner.Learner describes it, got {place!r}, {what}: let it inherit "
            "from aevb.learner.LearnerState"
        )
    if "encoder" in _arguments(found) and [*_arguments(found)][: len(BY_PLACE)] != [*BY_PLACE]:
        raise UserError(
            f"a learner's constructor must begin with {', '.join(BY_PLACE)}, that of {place!r} has "
            f"{', '.join(_arguments(found))}: put them first, in this order"
        )
    return found


def _arguments(algorithm: type) -> list[str]:
    return [*inspect.signature(algorithm).parameters]
