"""The two named protocols, and changes to them."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from typing import Any

from aevb.errors import UserError, did_you_mean
from harness.experiments.choices import PROTOCOLS, Choice
from harness.experiments.config import Config
from harness.experiments.methods import method_of
from harness.experiments.values import OWN, STEP_SIZE_CANDIDATES

_OWN_ARRAY: Mapping[str, Any] = {"pixel_scale": 0.0}
_NAMED = ("mnist", "frey_face")

_WHAT_IS_RUN = (
    *("dataset", "method", "n_latent", "seed", "protocol", "measure"),
    *("data_sha256", "evaluation_points", *OWN.values()),
)
_OWN_FIELD = re.compile(rf"({'|'.join(OWN)})\.([^\W\d]\w*)", re.ASCII)
CHANGEABLE = tuple(field.name for field in fields(Config) if field.name not in _WHAT_IS_RUN)
_WHOLE = {field.name for field in fields(Config) if field.type is int or field.name == "hidden"}
_LONGEST_NUMBER = 40  # letters, and digits before the point
# What is no field, and what of one's own has it instead.
_ELSEWHERE = {
    **dict.fromkeys(("optimizer", "optimiser"), "write a learner that climbs with another one"),
    "encoder": "write a learner that makes its own",
}
_PYTHONS = {"True": "write true", "False": "write false", "None": "leave the change out"}


def protocol_config(protocol: str, dataset: str, **experiment: Any) -> Config:
    """The config of one run. Later ones win: the experiment, the protocol's choices, the user's changes.

    Args:
        protocol: "author" or "paper", with changes if wanted: "author+binarization=dynamic+step_size=0.05"; what a
            learner's or a decoder's class has of its own is changed by "+learner.NAME=value", "+decoder.NAME=value".
        dataset: "mnist", "frey_face" or the file name of an array.
        experiment: fields that the experiment sets.

    Raises:
        UserError: the protocol, a field or a value is unknown.
    """
    protocol = in_whole_numbers(protocol)
    changes = dict(_change(text) for text in protocol.split("+")[1:])
    if "n_train" in changes and "n_train" in experiment:
        raise UserError("n_train may not be changed where each panel has its own, as in figure 3: use --train instead")
    own: dict[str, list[tuple[str, Any]]] = {}
    for name in [*changes]:
        if found := _OWN_FIELD.fullmatch(name):
            own.setdefault(OWN[found[1]], []).append((found[2], changes.pop(name)))
    chosen = {**({} if dataset in _NAMED else _OWN_ARRAY), **experiment}
    for choice in choices(protocol, dataset, **experiment):
        chosen.update(choice.fields)
    method = method_of(experiment.get("method", "aevb"))
    chosen.update(method.fields)
    chosen.update(changes)
    chosen.update({field: tuple(sorted(pairs)) for field, pairs in own.items()})
    if method.like == "mcem" and chosen.get("step_size") == "auto":
        chosen["step_size"] = max(STEP_SIZE_CANDIDATES)  # "auto" compares lower bounds, which MCEM does not have
    return Config(dataset=dataset, protocol=protocol, **chosen)


def one_value_each(protocol: str) -> str:
    """A protocol as a user types it, in whole numbers.

    Raises:
        UserError: it changes a field to two values, of which one would be ignored.
    """
    protocol = in_whole_numbers(protocol)
    changes: dict[str, str] = {}
    for change in protocol.split("+")[1:]:
        field, equals, value = change.partition("=")
        if equals and changes.setdefault(field, value) != value:
            raise UserError(
                f"a protocol must change a field to one value, got {field} = {changes[field]} and {value} in "
                f"{protocol!r}: leave one out"
            )
    return protocol


def in_whole_numbers(protocol: str) -> str:
    """The protocol with 100 for 1e2 and 100.0 where a field is a whole number, so that it has one name and one id.

    What is no whole number stays as it is, to be refused by its field.
    """
    name, *changes = protocol.split("+")
    for n, change in enumerate(changes):
        field, equals, value = change.partition("=")
        if field in _WHOLE and equals:
            changes[n] = f"{field}={re.sub(r'[^][, ]+', _in_digits, value)}"
    return "+".join([name, *changes])


def _in_digits(found: re.Match[str]) -> str:
    """A whole number that is written as JSON has others."""
    text = found[0]
    if not re.fullmatch(r"\d+(\.\d+)?([eE]\d+)?", text, re.ASCII) or len(text) > _LONGEST_NUMBER:
        return text
    try:
        number = Decimal(text)
        whole = number.adjusted() < _LONGEST_NUMBER and number == number.to_integral_value()
    except InvalidOperation:
        return text
    return f"{number:.0f}" if whole else text


def check_protocol(protocol: str) -> None:
    """Find out whether a protocol can be had, where nothing is made of it.

    Raises:
        UserError: it cannot.
    """
    protocol_config(protocol, _NAMED[0], method="aevb", n_latent=2, seed=0)


def choices(protocol: str, dataset: str, **experiment: Any) -> list[Choice]:
    """The protocol's choices for one run, in the order in which later ones win.

    Raises:
        UserError: the protocol is unknown.
    """
    name = protocol.partition("+")[0]
    if name not in PROTOCOLS:
        raise UserError(
            f"protocol must be one of {', '.join(PROTOCOLS)}, with +field=value for changes, got {name!r}: choose one"
            f"{did_you_mean(name, PROTOCOLS)}"
        )
    run = {"measure": "lower_bound", "n_train": 0, **experiment, "dataset": dataset}
    run["method"] = method_of(run.get("method", "")).like
    return [choice for choice in PROTOCOLS[name] if choice.holds(run)]


def _change(text: str) -> tuple[str, Any]:
    """A field and its value from `field=value`."""
    field, equals, value = text.partition("=")
    if (field not in CHANGEABLE and not _OWN_FIELD.fullmatch(field)) or not equals:
        if field in CHANGEABLE:
            raise UserError(f"a change of protocol must be field=value, got {text!r}: add =value")
        if elsewhere := _ELSEWHERE.get(field):
            raise UserError(
                f"a change of protocol must be field=value, and {field} is no field, got {text!r}: {elsewhere}, as "
                "docs/own-learner.md does, and name it with --method"
            )
        if meant := did_you_mean(field, CHANGEABLE):
            raise UserError(
                f"a change of protocol must be field=value, with a field that there is, got {text!r}{meant}"
            )
        known = ", ".join(CHANGEABLE)
        raise UserError(f"a change of protocol must be field=value, with a field of {known}, got {text!r}: choose one")
    if field not in CHANGEABLE and (remedy := _PYTHONS.get(value.strip())):  # a text else, which is true
        raise UserError(f"+{field} must be a number, true, false or a text, as in JSON, got {value}: {remedy}")
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return field, value
    return field, tuple(parsed) if isinstance(parsed, list) else parsed
