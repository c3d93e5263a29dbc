"""HMC chains that sample p(z|x): where they start, and the Gaussian that sums up where they have been."""

import torch
from jaxtyping import Float
from torch import Tensor

from aevb import checks, hmc, tuning
from aevb.estimators import standard_normal
from aevb.fast.posterior import posterior
from aevb.marginal.gaussian import FullGaussian
from aevb.marginal.parts import log_joint
from aevb.model import GenerativeModel


def start_chains(
    model: GenerativeModel,
    x: Float[Tensor, "batch pixel"],
    generator: torch.Generator,
    *,
    n_candidates: int = 500,
    step_size: float = 0.1,
    chunk: int = 20_000,
) -> tuning.Chains:
    """One chain for each datapoint, at the best of `n_candidates` draws from the prior: the highest log p(x, z).

    1 is what the paper's author's library does. Such a chain may sit in a wrong mode for good, which makes the estimate
    of log p(x) too low, by 10 nats or more on MNIST; the estimators then do not trust it where draws from the prior
    contradict it (`aevb.marginal.contradiction`).

    Args:
        model: p(z) p(x|z).
        x: datapoints.
        generator: source of the draws.
        n_candidates: draws for each datapoint.
        step_size: HMC's, before any tuning.
        chunk: draws at a time, for all datapoints together.

    Raises:
        ArgumentError: x is not what the model takes, or not finite, or a number is out of range.
    """
    checks.pixels(model, x)
    checks.whole(1, n_candidates=n_candidates, chunk=chunk)
    checks.number(0, step_size=step_size)
    best: Tensor | None = None
    value = x.new_full((len(x),), -torch.inf)
    with torch.no_grad():
        for n in _split(n_candidates, max(1, chunk // len(x))):
            z = standard_normal((n, len(x), model.n_latent), x, generator)
            top, row = log_joint(model, x, z).nan_to_num(nan=-torch.inf, neginf=-torch.inf, posinf=torch.inf).max(0)
            chosen = z[row, torch.arange(len(x), device=x.device)]
            best = chosen if best is None else torch.where((top > value)[:, None], chosen, best)
            value = torch.maximum(value, top)
    assert best is not None
    n_tuned = torch.zeros((), dtype=torch.int64, device=x.device)
    return tuning.Chains(best, x.new_full((len(x),), step_size), n_tuned)


def posterior_gaussian(
    model: GenerativeModel,
    x: Float[Tensor, "batch pixel"],
    chains: tuning.Chains,
    generator: torch.Generator,
    *,
    n_samples: int = 200,
    n_burn_in: int = 100,
    n_leapfrog: int = 4,
    inflate: float = 1.5,
    jitter: float = 0.5,
) -> tuple[FullGaussian, tuning.Chains]:
    """A Gaussian fitted to a chain for each datapoint: a proposal for a model that has no encoder.

    Args:
        model: p(z) p(x|z); its parameters are not touched.
        x: datapoints.
        chains: one for each datapoint.
        generator: source of all randomness.
        n_samples: moves after which a sample is taken.
        n_burn_in: moves before them, which tune the step size.
        n_leapfrog: leapfrog steps of a move.
        inflate: factor of the covariance, since a proposal must not be narrower than the posterior.
        jitter: of the step size, see `aevb.hmc.move`.

    Returns:
        The Gaussian, NaN for a chain that did not move in all directions, and the chains.

    Raises:
        ArgumentError: x is not what the model takes, or not finite, or a number is out of range.
    """
    checks.pixels(model, x)
    checks.whole(2, n_samples=n_samples)
    checks.whole(0, n_burn_in=n_burn_in)
    checks.whole(1, n_leapfrog=n_leapfrog)
    checks.number(1e-6, inflate=inflate)
    checks.positions(model, x, chains)
    log_joint = posterior(model, x)
    chains, state = tuning.tune(log_joint, chains, n_burn_in, n_leapfrog, generator, jitter=jitter)
    samples = hmc.sample(log_joint, state, chains.step_size, n_samples, n_leapfrog, generator, jitter=jitter)
    return FullGaussian.fit(samples.z, inflate=inflate), chains._replace(z=samples.state.z)


def _split(total: int, most: int) -> list[int]:
    """`total` in parts of at most `most`."""
    return [min(most, total - start) for start in range(0, total, most)]
