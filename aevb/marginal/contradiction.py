"""Estimates of log p(x) that are too low, as from a chain in a wrong mode, and what shows that they are.

For any proposal q the mean of p(x, z_k) / q(z_k), z_k ~ q, is in expectation p(x). By Markov's inequality its log
exceeds log p(x) by b nats with a probability of at most e^−b, however little q is like the posterior; and where many
draws count, the mean less 3 of its standard errors is above log p(x) for one datapoint in 700, were the mean normal. An
estimate below such a limit is wrong but for that: each limit costs an exact estimate its trust with a probability of at
most e^−5 + 1/700, 0.8 %, and for one datapoint in 500 or fewer where it was measured.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeGuard

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torch.quasirandom import SobolEngine

from aevb.densities import LOG_2PI
from aevb.marginal.estimate import MarginalEstimate, error_of_log, summary
from aevb.marginal.parts import rows_at_a_time
from aevb.model import BernoulliModel, GaussianModel, GenerativeModel

N_PRIOR = 16_384  # draws; a decoder that is evaluated apart from x serves all datapoints at once
N_PRIOR_EACH = 1000  # where it is not, for each datapoint: as many as importance sampling takes
ERRORS, LIMIT_ERRORS, NATS = 2.0, 3.0, 5.0


def distrust(estimate: MarginalEstimate, limit: Float[Tensor, " batch"]) -> MarginalEstimate:
    """The same estimates, not trusted where even 2 standard errors up they are below what log p(x) is taken to exceed.

    An exact estimate with no error loses its trust where the limit is too high: see the head of this file.

    Args:
        estimate: by any estimator.
        limit: from `prior_limit` or `limit_of`, nats.
    """
    below = estimate.log_likelihood + ERRORS * estimate.standard_error < limit
    return replace(estimate, trusted=estimate.trusted & ~below)


def limit_of(bounds: Sequence[MarginalEstimate]) -> Float[Tensor, " batch"]:
    """The highest of the limits that estimates of the same datapoints give, each its mean less 3 standard errors.

    Too high for about one datapoint in 700, for each of the estimates.

    Args:
        bounds: by importance sampling or by AIS upwards, whose mean weight is in expectation p(x); trusted or not.
    """
    # The standard error s of a log is −log(1 − r) for the mean's relative error r.
    limits = [_limit(each.log_likelihood, -torch.expm1(-each.standard_error)) for each in bounds]
    return torch.stack(limits).max(0).values


@torch.no_grad()
def prior_limit(
    model: GenerativeModel, x: Float[Tensor, "batch pixel"], n_draws: int = N_PRIOR
) -> Float[Tensor, " batch"]:
    """What log p(x) exceeds by draws from the prior: log (1/K) Σ p(x|z_k) less 3 standard errors, or less 5 nats.

    The higher of the two, too high with a probability of about 0.1 % by the first and of at most 0.7 % by the second.
    Draws are a scrambled Sobol net, the same at every call: no generator moves on, and two latents are covered far more
    evenly than by random ones. Above about four latents hardly a draw comes near a sharp posterior; the limit is then
    low, and contradicts nobody.

    Args:
        model: p(z) p(x|z); its parameters are not touched.
        x: datapoints.
        n_draws: K. At most 1,000 count for a model that is not one of the project's own classes, for its decoder must
            be evaluated again for every datapoint.

    Returns:
        Nats, shape (batch,); −∞ with no draws, or where a density is NaN or +∞.

    Source: Grosse, Ghahramani & Adams 2015, for bounds that hold by Markov's inequality; Owen 1995, for the net.
    """
    total = squares = x.new_full((len(x),), -torch.inf, dtype=torch.float64)
    if not n_draws:
        return total
    n_draws = n_draws if _is_apart(model) else min(n_draws, N_PRIOR_EACH)
    rows = rows_at_a_time(max(len(x), model.n_pixels) if _is_apart(model) else len(x) * model.n_pixels, x)
    for z in _net(n_draws, model.n_latent).to(x).split(rows):
        log_weights = log_likelihood_of_pairs(model, x, z) if _is_apart(model) else _each(model, x, z)
        total = torch.logaddexp(total, log_weights.logsumexp(0))
        squares = torch.logaddexp(squares, (2 * log_weights).logsumexp(0))
    log_mean, relative, _ = summary(total, squares, n_draws)
    return _limit(log_mean, relative)


def log_likelihood_of_pairs(
    model: BernoulliModel | GaussianModel, x: Float[Tensor, "batch pixel"], z: Float[Tensor, "n latent"]
) -> Float[Tensor, "n batch"]:
    """Log p(x|z) of every z with every x, nats, in double; the decoder is evaluated once for each z.

    Both densities are exponential families, log p(x|z) = η(z)·T(x) − A(z): one product of matrices for all pairs.
    """
    if isinstance(model, BernoulliModel):
        logits = model.logits(z)
        return (logits @ x.T - functional.softplus(logits).sum(1, keepdim=True)).double()
    pixels, x = model.pixels(z), x.double()  # squares of x over small variances cancel
    mean, log_var = pixels.mean.double(), pixels.log_var.double().expand_as(pixels.mean)
    precision = (-log_var).exp()
    fit = (mean * precision) @ x.T - 0.5 * precision @ x.square().T
    return fit - 0.5 * (mean.square() * precision + log_var + LOG_2PI).sum(1, keepdim=True)


def _is_apart(model: GenerativeModel) -> TypeGuard[BernoulliModel | GaussianModel]:
    return type(model) in (BernoulliModel, GaussianModel)  # a subclass may compute something else


def _each(model: GenerativeModel, x: Tensor, z: Tensor) -> Float[Tensor, "n batch"]:
    return model.log_likelihood(x, z[:, None].repeat(1, len(x), 1)).double()


def _limit(log_mean: Tensor, relative: Tensor) -> Tensor:
    below = torch.maximum(log_mean - error_of_log(LIMIT_ERRORS * relative), log_mean - NATS)
    return below.nan_to_num(nan=-torch.inf, neginf=-torch.inf)


def _net(n: int, n_latent: int) -> Float[Tensor, "n latent"]:
    uniform = SobolEngine(n_latent, scramble=True, seed=0).draw(n, dtype=torch.float64)
    return torch.special.ndtri(uniform.clamp(2.0**-40, 1 - 2.0**-40))
