"""The path from the prior to the posterior that annealed importance sampling takes.

It is geometric: f_β(z) = p(z) p(x|z)^β, the prior at β = 0 and, but for 1 / p(x), the posterior at β = 1.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from aevb import checks, hmc, tuning
from aevb.densities import standard_normal_log_density
from aevb.errors import ArgumentError
from aevb.estimators import standard_normal
from aevb.fast.posterior import posterior
from aevb.model import GenerativeModel

OnMove = Callable[[int], object]


def sigmoidal_schedule(n: int, sharpness: float = 4.0) -> Float[Tensor, " n"]:
    """n inverse temperatures from 0 to 1, dense at both ends: sigmoid(s·(2t − 1)), rescaled, for equally spaced t.

    Source: Grosse, Ghahramani & Adams 2015, section 6; s = 4.

    Raises:
        ArgumentError: n is below 2, or s so high that the ends of the sigmoid are equal numbers.
    """
    checks.whole(2, n=n)
    checks.number(1e-6, 30, sharpness=sharpness)
    curve = torch.sigmoid(sharpness * torch.linspace(-1, 1, n, dtype=torch.float64))
    return (curve - curve[0]) / (curve[-1] - curve[0])


@dataclass(frozen=True)
class Annealing:
    """How to get from the prior to the posterior.

    Attributes:
        betas: inverse temperatures, rising from 0 to 1.
        n_chains: independent runs for each datapoint.
        n_leapfrog: leapfrog steps of the one HMC move at each temperature.
        jitter: of the step size, see `aevb.hmc.move`.
        n_tuning_chains: runs for each datapoint that find the step sizes and are then thrown away.
        chunk: decoder evaluations at a time (but one for each chain of a datapoint at least).
    """

    betas: Float[Tensor, " n"] = field(default_factory=lambda: sigmoidal_schedule(300))
    n_chains: int = 16
    n_leapfrog: int = 4
    jitter: float = 0.5
    n_tuning_chains: int = 8
    chunk: int = 5000

    def __post_init__(self) -> None:
        """Check the schedule.

        Raises:
            ArgumentError: it does not rise from 0 to 1, or there are fewer than two chains, so that no error is known.
        """
        checks.kind(Tensor, "take `sigmoidal_schedule(n)`", betas=self.betas)
        if (
            self.betas.ndim != 1
            or len(self.betas) < 2
            or self.betas[0] != 0
            or self.betas[-1] != 1
            or not (self.betas.diff() > 0).all()
        ):
            got = checks.shown(self.betas.tolist())
            raise ArgumentError(f"`betas` must rise from 0 to 1, got {got}: take `sigmoidal_schedule(n)`")
        checks.whole(2, n_chains=self.n_chains)  # one has no standard error
        checks.whole(1, n_leapfrog=self.n_leapfrog, n_tuning_chains=self.n_tuning_chains, chunk=self.chunk)
        checks.number(0, 1, jitter=self.jitter)


@dataclass(frozen=True)
class Run:
    """Log weights of all chains, acceptance at each temperature, and proposals that were not finite."""

    log_weights: Float[Tensor, "chain batch"]
    acceptance: Float[Tensor, "temperature batch"]
    n_non_finite: Int[Tensor, " batch"]


def tune_step_sizes(
    model: GenerativeModel,
    x: Float[Tensor, "batch pixel"],
    generator: torch.Generator,
    annealing: Annealing,
    on_move: OnMove | None = None,
) -> Float[Tensor, "temperature batch"]:
    """Step size for each temperature but β = 0 and each datapoint, from one annealing run that tunes as it goes.

    At each temperature log h moves by mean acceptance − 0.9, after 20 moves at the first temperature to start with.
    `on_move` is called after each temperature, with how many chains have moved.
    """
    checks.pixels(model, x)
    checks.kind(Annealing, "make one with Annealing()", annealing=annealing)
    z = standard_normal((annealing.n_tuning_chains, len(x), model.n_latent), x, generator)
    betas = annealing.betas[1:].tolist()
    step_size, steps = x.new_ones(len(x)), list[Tensor]()
    state = hmc.evaluate(posterior(model, x, betas[0]), z)
    for old, new in zip([betas[0], *betas[:-1]], betas, strict=True):
        state, target = _retemper(state, old, new), posterior(model, x, new)
        for _ in range(20 if not steps else 1):
            each = step_size.expand(z.shape[:2])
            outcome = hmc.move(target, state, each, annealing.n_leapfrog, generator, jitter=annealing.jitter)
            state = outcome.state
            step_size = step_size * torch.exp(outcome.accept_probability.mean(0) - tuning.TARGET_ACCEPTANCE)
        steps.append(step_size)
        if on_move is not None:
            on_move(z.shape[0] * z.shape[1])
    return torch.stack(steps)


def anneal(
    model: GenerativeModel,
    x: Float[Tensor, "batch pixel"],
    z: Float[Tensor, "chain batch latent"],
    generator: torch.Generator,
    annealing: Annealing,
    step_sizes: Float[Tensor, "temperature batch"],
    *,
    upwards: bool,
    on_move: OnMove | None = None,
) -> Run:
    """Take z along the path, with a move at each temperature strictly inside it, and weigh each change of temperature.

    A change from β to β′ weighs p(x|z)^(β′ − β), at the z of that moment and in either direction. Upwards, z must be
    drawn from the prior; downwards, from the posterior. `on_move` is called as that of `tune_step_sizes` is.

    Source: Neal 2001, section 2.
    """
    betas = annealing.betas.tolist()
    last = len(betas) - 1
    beta = betas[1] if upwards else 1.0  # never 0: log p(x|z) is to be read off log f_β
    state = hmc.evaluate(posterior(model, x, beta), z)
    log_weights = torch.zeros(z.shape[:2], dtype=torch.float64, device=z.device)
    n_non_finite = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    acceptance = []
    for here, there in pairwise(range(last + 1) if upwards else range(last, -1, -1)):
        log_weights += (betas[there] - betas[here]) * _log_likelihood(state, beta).double()
        if there in (0, last):
            break
        state, beta = _retemper(state, beta, betas[there]), betas[there]
        target, step_size = posterior(model, x, beta), step_sizes[there - 1].expand(z.shape[:2])
        outcome = hmc.move(target, state, step_size, annealing.n_leapfrog, generator, jitter=annealing.jitter)
        state = outcome.state
        acceptance.append(outcome.accept_probability.mean(0))
        n_non_finite += (~outcome.finite).sum(0)
        if on_move is not None:
            on_move(z.shape[0] * z.shape[1])
    moves = torch.stack(acceptance) if acceptance else x.new_full((1, len(x)), torch.nan)
    return Run(log_weights, moves, n_non_finite)


def _log_likelihood(state: hmc.State, beta: float) -> Tensor:
    """Log p(x|z), which log f_β contains, so that it need not be evaluated again; β > 0."""
    return (state.log_density - standard_normal_log_density(state.z)) / beta


def _retemper(state: hmc.State, old: float, new: float) -> hmc.State:
    """The same positions at another temperature: log f is linear in β, and so is its gradient. Both β > 0."""
    prior = standard_normal_log_density(state.z)
    ratio = new / old
    return hmc.State(
        state.z, prior + ratio * (state.log_density - prior), -state.z + ratio * (state.gradient + state.z)
    )
