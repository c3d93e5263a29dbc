"""Hamiltonian Monte Carlo on many independent chains at once.

A log-density is a function from z, shape ``(*chains, latent)``, to nats, shape ``(*chains,)``; its gradient comes from
autograd, unless it is a `Target` that brings its own. Every leading axis of z is a chain of its own. Nothing here waits
for the device.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from aevb import checks
from aevb.errors import ArgumentError
from aevb.estimators import standard_normal

LogDensity = Callable[[Tensor], Tensor]
"""Unnormalised log-density in nats: z of shape (*chains, latent) to (*chains,)."""


class State(NamedTuple):
    """Positions, with the log-density and gradient there, so that the next move need not evaluate them again."""

    z: Float[Tensor, "*chains latent"]
    log_density: Float[Tensor, "*chains"]
    gradient: Float[Tensor, "*chains latent"]


class Move(NamedTuple):
    """Outcome of one Metropolis test for each chain.

    Attributes:
        state: where the chains are now.
        accept_probability: min(1, exp(−ΔH)), 0 for a proposal that was not finite.
        accepted: the proposal was taken.
        finite: the proposal's energy was finite; such a proposal is always rejected if not.
    """

    state: State
    accept_probability: Float[Tensor, "*chains"]
    accepted: Bool[Tensor, "*chains"]
    finite: Bool[Tensor, "*chains"]


class Samples(NamedTuple):
    """Draws after each of n moves, and what the moves did.

    Attributes:
        z: positions after each move.
        log_density: nats at those positions.
        acceptance: mean accept probability of each chain.
        n_accepted: accepted moves of each chain; 0 means that it never moved.
        n_non_finite: proposals of each chain whose energy was not finite.
        state: where the chains are now.
    """

    z: Float[Tensor, "move *chains latent"]
    log_density: Float[Tensor, "move ..."]
    acceptance: Float[Tensor, "*chains"]
    n_accepted: Int[Tensor, "*chains"]
    n_non_finite: Int[Tensor, "*chains"]
    state: State


class Target(ABC):
    """A log-density that knows its gradient."""

    @abstractmethod
    def __call__(self, z: Float[Tensor, "*chains latent"]) -> Float[Tensor, "*chains"]:
        """The log-density in nats."""

    @abstractmethod
    def evaluate(self, z: Float[Tensor, "*chains latent"]) -> State:
        """Log-density and gradient."""

    @abstractmethod
    def gradient(self, z: Float[Tensor, "*chains latent"]) -> Float[Tensor, "*chains latent"]:
        """The gradient alone."""


def evaluate(log_density: LogDensity, z: Float[Tensor, "*chains latent"]) -> State:
    """Log-density and gradient at z; no gradient is taken with respect to anything else.

    Raises:
        ArgumentError: z is no tensor of positions, or the log-density does not have one value for each chain, or does
            not depend on z.
    """
    if isinstance(log_density, Target):
        return log_density.evaluate(z)
    if not isinstance(z, Tensor) or not z.is_floating_point() or not z.ndim:
        kind = f"{z.dtype} {tuple(z.shape)}" if isinstance(z, Tensor) else checks.shown(z)
        raise ArgumentError(f"`z` must be a tensor of shape (*chains, latent), got {kind}: give positions")
    if not callable(log_density):
        raise ArgumentError(f"`log_density` must be a function of z, got {checks.shown(log_density)}: write one")
    with torch.enable_grad():
        z = z.detach().requires_grad_(True)
        value = log_density(z)
        if not isinstance(value, Tensor):
            raise ArgumentError(
                f"`log_density` must give a tensor, got {checks.shown(value)}: one value for each chain"
            )
        if value.shape != z.shape[:-1]:
            expected, got = tuple(z.shape[:-1]), tuple(value.shape)
            raise ArgumentError(f"`log_density` must give shape {expected}, got {got}: one value for each chain")
        if not value.requires_grad:
            raise ArgumentError("`log_density` must depend on z, got values without a gradient: detach nothing in it")
        (gradient,) = torch.autograd.grad(value.sum(), z, allow_unused=True)
        if gradient is None:
            raise ArgumentError("`log_density` must depend on z, got values that do not: use z in it")
    return State(z.detach(), value.detach(), gradient)


def leapfrog(
    log_density: LogDensity,
    state: State,
    momentum: Float[Tensor, "*chains latent"],
    step_size: Float[Tensor, "*#chains"],
    n_steps: int,
) -> tuple[State, Float[Tensor, "*chains latent"]]:
    """Follow the Hamiltonian −log p(z) + ½|r|² for `n_steps` steps; one gradient evaluation for each.

    Returns:
        The end state and its momentum. Negate that and go as far again, and you are back at the start.

    Raises:
        ArgumentError: `n_steps` is not positive, `momentum` is of another shape, type or device than z, or `step_size`
            fits neither one nor all chains.

    Source: Neal 2011, "MCMC using Hamiltonian dynamics", section 2.3.
    """
    checks.whole(1, n_steps=n_steps)
    checks.parts(State._fields, "make one with `evaluate`", state=state)
    checks.kind(Tensor, "draw it for the chains", momentum=momentum)
    if momentum.shape != state.z.shape:
        expected, got = tuple(state.z.shape), tuple(momentum.shape)
        raise ArgumentError(f"`momentum` must have the chains' shape {expected}, got {got}: draw it for them")
    checks.same("momentum", momentum, state.z)
    check_step_size(step_size, state)
    h = step_size[..., None]
    z, momentum = state.z, momentum + 0.5 * h * state.gradient
    for _ in range(n_steps - 1):
        z = z + h * momentum
        # On the way only the gradient counts.
        between = log_density.gradient(z) if isinstance(log_density, Target) else evaluate(log_density, z).gradient
        momentum = momentum + h * between
    state = evaluate(log_density, z + h * momentum)
    return state, momentum + 0.5 * h * state.gradient


def check_step_size(step_size: Tensor, state: State) -> None:
    """One step size for all chains or for each, in a type that leaves that of z as it is.

    Raises:
        ArgumentError: not so.
    """
    if not isinstance(step_size, Tensor):
        raise ArgumentError(f"`step_size` must be a tensor, got {type(step_size).__name__}: use torch.tensor")
    if step_size.ndim and step_size.shape != state.log_density.shape:
        raise ArgumentError(
            f"`step_size` must have shape () or that of the chains, {tuple(state.log_density.shape)}, "
            f"got {tuple(step_size.shape)}: give one for all chains or one for each"
        )
    if torch.promote_types(step_size.dtype, state.z.dtype) != state.z.dtype:
        checks.same("step_size", step_size, state.z)


def move(
    log_density: LogDensity,
    state: State,
    step_size: Float[Tensor, "*#chains"],
    n_steps: int,
    generator: torch.Generator,
    *,
    jitter: float = 0.0,
) -> Move:
    """Fresh momentum, one trajectory, one Metropolis test for each chain.

    A proposal whose energy is not finite is rejected. A chain whose own log-density is −∞ takes any finite proposal;
    one whose log-density is NaN stays there, and says so by `accepted` and `log_density`.

    Args:
        log_density: the target.
        state: where the chains are.
        step_size: one for all, or one for each.
        n_steps: leapfrog steps.
        generator: source of momenta, Metropolis tests and jitter.
        jitter: the step size of each chain and move is uniform within this fraction of `step_size`. A few steps of one
            fixed size can be just one period of a near-Gaussian target: then every move is accepted and none mixes.

    Raises:
        ArgumentError: `jitter` is not from 0 to 1, `generator` is none or of another kind of device, a step size is
            negative or NaN (on a GPU nobody looks), or `leapfrog` refuses an argument.

    Source: Neal 2011, section 3.2; jitter: section 4.2.
    """
    checks.number(0, 1, jitter=jitter)
    checks.parts(State._fields, "make one with `evaluate`", state=state)
    checks.source(generator, state.z)
    check_step_size(step_size, state)
    if step_size.is_cpu and not bool((step_size >= 0).all()):  # on a GPU a look is a wait; there NaN moves no chain
        raise ArgumentError("`step_size` must not be negative or NaN, got one that is: tune it anew")
    if jitter:
        spread = torch.rand(state.log_density.shape, dtype=state.z.dtype, device=state.z.device, generator=generator)
        step_size = step_size * (1 + jitter * (2 * spread - 1))
    momentum = standard_normal(state.z.shape, state.z, generator)
    uniform = torch.rand(state.log_density.shape, dtype=state.z.dtype, device=state.z.device, generator=generator)
    proposal, end_momentum = leapfrog(log_density, state, momentum, step_size, n_steps)
    proposed = proposal.log_density - 0.5 * end_momentum.square().sum(-1)
    log_ratio = proposed - (state.log_density - 0.5 * momentum.square().sum(-1))
    finite = proposed.isfinite()
    possible = finite & ~log_ratio.isnan()
    accept_probability = torch.where(possible, log_ratio.clamp(max=0).exp(), 0)
    accepted = uniform < accept_probability
    new = State(
        torch.where(accepted[..., None], proposal.z, state.z),
        torch.where(accepted, proposal.log_density, state.log_density),
        torch.where(accepted[..., None], proposal.gradient, state.gradient),
    )
    return Move(new, accept_probability, accepted, finite)


def sample(
    log_density: LogDensity,
    state: State,
    step_size: Float[Tensor, "*#chains"],
    n_moves: int,
    n_steps: int,
    generator: torch.Generator,
    *,
    jitter: float = 0.0,
) -> Samples:
    """`n_moves` moves with the step size as it is, and every position on the way.

    Raises:
        ArgumentError: `n_moves` is not positive.
    """
    checks.whole(1, n_moves=n_moves)
    moves = []
    for _ in range(n_moves):
        moves.append(move(log_density, state, step_size, n_steps, generator, jitter=jitter))
        state = moves[-1].state
    return gathered(moves)


def gathered(moves: Sequence[Move]) -> Samples:
    """Successive moves of the same chains as their samples.

    Raises:
        ArgumentError: there are none.
    """
    if not moves:
        raise ArgumentError("`moves` must not be empty, got none: make some with `move`")
    return Samples(
        z=torch.stack([m.state.z for m in moves]),
        log_density=torch.stack([m.state.log_density for m in moves]),
        acceptance=torch.stack([m.accept_probability for m in moves]).mean(0),
        n_accepted=torch.stack([m.accepted for m in moves]).sum(0),
        n_non_finite=torch.stack([~m.finite for m in moves]).sum(0),
        state=moves[-1].state,
    )
