"""Which values the fields of a config may have."""

import reprlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from aevb.errors import UserError, did_you_mean
from aevb.places import is_place
from harness.experiments.methods import METHODS, is_method

Arguments = tuple[tuple[str, bool | int | float | str], ...]
STEP_SIZE_TYPE = float | Literal["auto"]
STEP_SIZE_CANDIDATES = (0.01, 0.02, 0.1)

CHOICES: Mapping[str, tuple[str, ...]] = {
    "measure": ("lower_bound", "marginal_log_likelihood"),
    "split": ("shuffled", "chronological"),
    "binarization": ("none", "threshold", "static", "dynamic"),
    "decoder": ("bernoulli", "gaussian"),
    "decoder_log_var": ("hidden", "latent", "constant"),
    "estimator": ("a", "b"),
    "precision": ("float32", "bfloat16"),
    "posterior_chains": ("every_point", "paper_points", "paper_timer"),
    "posterior_fit": ("shrunk_kde", "kde", "scott_kde", "full", "diagonal"),
    "posterior_tuning": ("burn_in", "every_move"),
    "encoder_activation": ("tanh", "softplus"),
    "decoder_activation": ("tanh", "softplus"),
}
AT_LEAST: Mapping[str, float] = {
    "n_latent": 1,
    "n_train": 0,
    "seed": 0,
    "batch_size": 0,
    "n_samples": 1,
    "auto_steps": 1,
    "warm_up": 0,
    "evaluation_points": 2,
    "points_per_decade": 1,
    "first_point": 1,
    "chain_leapfrog": 1,
    "chain_step_size": 0,
    "extra_leapfrog": 0,
    "posterior_step_size": 0,
    "encoder_init_factor": 0,
    "weight_steps": 1,
    "posterior_leapfrog": 1,
    "posterior_burn_in": 0,
    "posterior_samples": 8,
    "posterior_starts": 1,
    "posterior_jitter": 0,
    "pixel_scale": 0,
    "init_std": 0,
    "prior_weight": 0,
    "encoder_log_var_factor": 0,
    "decoder_log_var_factor": 0,
}
# Of all numbers but the following: room for any sensible one, and no product of two overflows float32.
MOST = 10**6
AT_MOST: Mapping[str, int] = {
    **dict.fromkeys(("seed", "n_train", "evaluation_points", "first_point"), 10**18),
    "points_per_decade": 1_000,
}

# Of whom a run takes arguments of its own, "learner.NAME" in a protocol, and the field that holds them.
OWN: Mapping[str, str] = {"learner": "learner", "decoder": "decoder_arguments"}
LONGEST_NAME = 150  # bytes; names become parts of file names, which have 255


def checked(name: str, kind: Any, value: Any) -> Any:
    """A field's value; a whole number where any number may be is a float, so that 1 and 1.0 are one config.

    Args:
        name: the field's.
        kind: its type.
        value: what came.

    Raises:
        UserError: it is not allowed.
    """
    if name in CHOICES and value not in CHOICES[name] and not (name == "decoder" and is_place(value)):
        own = ", or package.module:Class" if name == "decoder" else ""
        raise bad(name, f"one of {', '.join(CHOICES[name])}{own}", value, CHOICES[name])
    if name in AT_LEAST:
        _check_number(name, kind, value)
    if type(value) is int and abs(value) < 1e300 and kind in (float, STEP_SIZE_TYPE):
        value = float(value)
    if kind is bool and not isinstance(value, bool):
        raise bad(name, "true or false", value, ("true", "false"))
    if kind is str and not (isinstance(value, str) and value.isprintable() and "/" not in value):
        raise bad(name, "a name in printable letters, without /", value)
    if name == "method" and not is_method(value):
        raise bad(name, f"one of {', '.join(METHODS)}, or package.module:Learner", value, METHODS)
    if name == "dataset" and len(value.encode()) > LONGEST_NAME:
        raise bad(name, f"at most {LONGEST_NAME} bytes long", value)
    if name in OWN.values() and not (isinstance(value, tuple) and all(_is_argument(pair) for pair in value)):
        raise bad(name, "names with a number, true, false or a text each", value)
    if name == "hidden":
        widths = value if isinstance(value, tuple) else (0,)
        if not all(type(width) is int and 0 < width <= MOST for width in widths):
            raise bad(name, f"a list of widths of at most {MOST:g}, as in [500]", value)
    if name == "step_size" and value != "auto" and not (isinstance(value, float) and 0 < value < 1e300):
        raise bad(name, 'a positive number or "auto"', value, ("auto",))
    return value


def _check_number(name: str, kind: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int if kind is int else (int, float)) or value != value:
        raise bad(name, "a whole number" if kind is int else "a finite number", value)
    if value < AT_LEAST[name]:
        raise bad(name, f"at least {AT_LEAST[name]:g}", value)
    if value > (most := AT_MOST.get(name, MOST)):
        raise bad(name, f"at most {most:g}", value)


def _is_argument(pair: object) -> bool:
    """A name and a value that JSON keeps as it is."""
    if not (isinstance(pair, tuple) and len(pair) == 2):
        return False
    name, value = pair
    return (
        isinstance(name, str) and name.isidentifier() and isinstance(value, bool | int | float | str) and value == value
    )


def bad(name: str, rule: str, value: object, known: Iterable[str] = ()) -> UserError:
    """What to raise for a field whose value is not allowed."""
    meant = did_you_mean(value, known) if isinstance(value, str) else ""
    return UserError(f"{name} must be {rule}, got {reprlib.repr(value)}: choose another{meant}")
