"""Why a run diverged, as far as its remains tell, and what to do."""

import math

from torch import nn

from aevb.learner import Learner
from harness.experiments.config import Config
from harness.runs.build import RunData
from harness.runs.curve import Progress

NAMED = 3  # parameters
SAFE = 0.01  # a step size
SHARP = 4.0  # nats of a pixel: a Gaussian of σ = 0.007, finer than grey values are


def explain(config: Config, data: RunData, learner: Learner, progress: Progress, per_step: int) -> str:
    """First where numbers were lost and in what, then a cause and a remedy.

    Args:
        config: of the run.
        data: its own.
        learner: as it is now.
        progress: of the run.
        per_step: samples that a step takes.
    """
    where = _in_what(learner)
    if progress.lost:
        where = f"the bound of step {progress.lost // per_step:,} was the first that is none, {where}"
    return f"{where}; {_why(config, data, progress)}"


def _in_what(learner: Learner) -> str:
    parts: dict[str, nn.Module | None] = {"decoder": learner.model, "encoder": learner.encoder}
    named = [
        (f"{part}'s {name}", p) for part, net in parts.items() if net is not None for name, p in net.named_parameters()
    ]
    lost = [(name, p) for name, p in named if not p.isfinite().all()]
    if not lost:
        return "with all parameters still finite"
    kind = "NaN" if any(p.isnan().any() for _, p in lost) else "infinity"
    more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
    return f"with {kind} in {', '.join(name for name, _ in lost[:NAMED])}{more}"


def _why(config: Config, data: RunData, progress: Progress) -> str:
    n_pixels = data.train.shape[1]
    if config.decoder == "gaussian":
        bernoulli = f"use --protocol {_changed(config.protocol, 'decoder', 'bernoulli')}"
        if constant := int((data.train.amax(0) == data.train.amin(0)).sum()):
            return (
                f"{constant:,} of {n_pixels:,} pixels never vary, and a Gaussian decoder's density of those has no "
                f"bound: leave them out, add a little noise, or {bernoulli}"
            )
        best = max((row.get(config.measure, -math.inf) for row in progress.rows), default=-math.inf)
        if best > SHARP * n_pixels:
            return (
                f"at {best / n_pixels:.1f} nats a pixel the Gaussian decoder's variances go to 0, and its density has "
                f"no bound: add a little noise to the data, or {bernoulli}"
            )
    smaller = _changed(config.protocol, "step_size", f"{min(progress.step_size / 10, SAFE):g}")
    if config.places:
        own = " or ".join(config.places)
        return (
            f"{own} made it so, or η = {progress.step_size:g} is too large a step for it: look there for logs and "
            f"quotients, or use a smaller η, --protocol {smaller}"
        )
    return f"η = {progress.step_size:g} is too large a step, most likely: use a smaller one, --protocol {smaller}"


def _changed(protocol: str, field: str, value: str) -> str:
    """The protocol with another value of this field."""
    name, *changes = protocol.split("+")
    return "+".join([name, *(c for c in changes if c.partition("=")[0] != field), f"{field}={value}"])
