"""Step sizes of Hamiltonian Monte Carlo: one for all chains by the paper's rule, or one for each chain."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from aevb import checks, hmc

TARGET_ACCEPTANCE = 0.9


class Chains(NamedTuple):
    """What must outlive a sampler: positions, and how far the step size has been tuned. All that a checkpoint needs.

    Attributes:
        z: positions.
        step_size: one for all chains, shape (), or one for each.
        n_tuned: moves that have tuned the step size so far; tuning calms down as it grows.
    """

    z: Float[Tensor, "*chains latent"]
    step_size: Float[Tensor, "*#chains"]
    n_tuned: Int[Tensor, ""]


def tune_global(
    step_size: Float[Tensor, ""], accept_probability: Float[Tensor, "*chains"], target: float = TARGET_ACCEPTANCE
) -> Float[Tensor, ""]:
    """One step size for all chains: divide it by min(1.25, 1.02ⁿ) if mean acceptance is low, else multiply.

    n is the number of chains, at most 100.

    Note:
        The step size never comes to rest: it straddles the one with `target`. A step size that depends on the last
        move leaves the target only about unchanged, most with few chains: of a standard normal law E z² comes out too
        high with one chain, by several percent or more, and with 100 no error is to be seen.

    Source: Kingma & Welling 2013, app. E (acceptance 0.9); the factor is that of its first author's library.
    """
    factor = min(1.25, 1.02 ** min(accept_probability.numel(), 100))
    return torch.where(accept_probability.mean() < target, step_size / factor, step_size * factor)


def tune_per_chain(
    step_size: Float[Tensor, "*chains"],
    accept_probability: Float[Tensor, "*chains"],
    n_tuned: Int[Tensor, ""],
    target: float = TARGET_ACCEPTANCE,
) -> Float[Tensor, "*chains"]:
    """Robbins–Monro on log h: log h += gain·(a − target), gain = max(4·(1 + n_tuned)^−0.6, 0.2).

    The floor lets a chain that lives through a change of the model follow it.
    """
    checks.kind(Tensor, "use torch.tensor", n_tuned=n_tuned)
    gain = (4 * (1 + n_tuned).to(step_size.dtype) ** -0.6).clamp(min=0.2)
    return step_size * torch.exp(gain * (accept_probability - target))


def tune_by_test(step_size: Float[Tensor, "*chains"], accepted: Bool[Tensor, "*chains"]) -> Float[Tensor, "*chains"]:
    """Each chain's own step size times e^1.02 where its move was accepted, by as much smaller where it was not.

    About half of all moves are accepted, and the step size never comes to rest.

    Source: its paper's first author's library.
    """
    return step_size * torch.exp(1.02 * (2 * accepted.to(step_size) - 1))


def sample_and_tune(
    log_density: hmc.LogDensity,
    state: hmc.State,
    step_size: Float[Tensor, "*chains"],
    n_moves: int,
    n_steps: int,
    generator: torch.Generator,
) -> tuple[hmc.Samples, Float[Tensor, "*chains"]]:
    """`aevb.hmc.sample` with `tune_by_test` after every move; also the step sizes in the end.

    Note:
        A step size that depends on earlier tests leaves the target only about unchanged.

    Raises:
        ArgumentError: `n_moves` is not positive, or `aevb.hmc.move` refuses an argument.
    """
    checks.whole(1, n_moves=n_moves)
    moves = []
    for _ in range(n_moves):
        moves.append(hmc.move(log_density, state, step_size, n_steps, generator))
        state, step_size = moves[-1].state, tune_by_test(step_size, moves[-1].accepted)
    return hmc.gathered(moves), step_size


def tune(
    log_density: hmc.LogDensity,
    chains: Chains,
    n_moves: int,
    n_steps: int,
    generator: torch.Generator,
    *,
    jitter: float = 0.0,
) -> tuple[Chains, hmc.State]:
    """Burn-in: `n_moves` moves, each of which tunes its chain's own step size to acceptance 0.9.

    Raises:
        ArgumentError: `n_moves` is negative, or `aevb.hmc.move` refuses an argument.
    """
    checks.whole(0, n_moves=n_moves)
    checks.parts(Chains._fields, "make them with Chains(z, step_size, n_tuned)", chains=chains)
    state = hmc.evaluate(log_density, chains.z)
    one = chains.step_size[0] if chains.step_size.shape == (1,) else chains.step_size
    hmc.check_step_size(one, state)
    step_size, n_tuned = one.expand(state.log_density.shape), chains.n_tuned
    for _ in range(n_moves):
        outcome = hmc.move(log_density, state, step_size, n_steps, generator, jitter=jitter)
        step_size = tune_per_chain(step_size, outcome.accept_probability, n_tuned)
        state, n_tuned = outcome.state, n_tuned + 1
    return Chains(state.z, step_size, n_tuned), state
