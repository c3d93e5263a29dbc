"""What a run's files say, or that it cannot be what was written: also where no checksum tells, as of older versions."""

import io
import json
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

SPLITS = ("train", "train_eval", "test")
MOST = 2**63 - 1  # samples
TEXTS = (
    *("commit", "arithmetic", "version", "started", "command", "python", "platform", "device", "device_type"),
    *("diff", "engine", "products", "kernels"),
)


def parse_json(text: str | bytes) -> Any:
    """What a text in JSON says.

    Raises:
        ValueError: it is none, or lists within lists without end.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def parse_environments(text: str) -> list[dict[str, Any]]:
    """What has computed a run, as `harness.store.environment.describe` tells it; older ones lack names.

    Raises:
        ValueError: it is no list of such records.
    """
    values = parse_json(text)
    if not isinstance(values, list) or not all(isinstance(each, dict) for each in values):
        raise ValueError("no list of environments")
    for each in values:
        wrong = [name for name in TEXTS if not isinstance(each.get(name, ""), str)]
        wrong += [] if _are_texts(each.get("resumed", [])) else ["resumed"]
        packages = each.get("packages", {})
        wrong += [] if isinstance(packages, dict) and _are_texts([*packages.values()]) else ["packages"]
        own_code = each.get("own_code", {})
        wrong += [] if isinstance(own_code, dict) and _are_texts([*own_code.values()]) else ["own_code"]
        wrong += [] if _are_instructions(each.get("instructions")) else ["instructions"]
        if wrong:
            raise ValueError(f"{', '.join(wrong)} of another kind")
    return values


def parse_curve(text: str, measure: str) -> pd.DataFrame:
    """A curve: a row for each split and logged point, ascending; the measure and the seconds are finite.

    Raises:
        ValueError: it is none, or a part of one.
    """
    curve = pd.read_csv(io.StringIO(text))
    if absent := {"split", "samples", measure, "standard_error", "seconds"} - {*curve.columns}:
        raise ValueError(f"no column {', '.join(sorted(absent))}")
    if not text.endswith("\n") or curve.empty:
        raise ValueError("its end is missing")
    if not curve["split"].isin(SPLITS).all():
        raise ValueError(f"a split other than {', '.join(SPLITS)}")
    for name in curve.columns.drop("split"):
        if not pd.api.types.is_numeric_dtype(curve[name]):
            raise ValueError(f"{name} has what is no number")
    for name in ("samples", measure, "seconds"):
        if not curve[name].map(math.isfinite).all():
            raise ValueError(f"{name} has what is not finite")
    if not ((curve["samples"] >= 1) & (curve["samples"] < MOST) & (curve["samples"] % 1 == 0)).all():
        raise ValueError("samples has what is no number of samples")
    if not curve["samples"].is_monotonic_increasing or curve.duplicated(["split", "samples"]).any():
        raise ValueError("its rows are not in their order, each once")
    return with_unknown(curve.astype({"samples": int, measure: float}))


def with_unknown(curve: pd.DataFrame) -> pd.DataFrame:
    """A curve whose errors of one minibatch are not known (NaN); older versions wrote 0 there."""
    of_one = (curve["split"] == "train") & (curve["standard_error"] == 0)
    return curve.assign(standard_error=curve["standard_error"].mask(of_one))


def is_count(value: object) -> bool:
    """A whole number of samples or of steps."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST


def is_finite(value: object) -> bool:
    """A number as JSON has it, which NaN and infinity are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def _are_texts(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _are_instructions(value: object) -> bool:
    if value is None:  # of an older version
        return True
    return isinstance(value, Mapping) and isinstance(value.get("torch"), str) and _are_texts(value.get("processor"))
