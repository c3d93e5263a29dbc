"""Laws of estimators of log p(x)."""

import math
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from aevb.checks import shown
from aevb.evaluation import ROUNDING
from aevb.marginal.ais import simulate
from aevb.marginal.estimate import MarginalEstimate, UntrustedEstimateWarning
from aevb.model import GenerativeModel
from aevb.testing.law import SIGMAS, demand, refusal, seeded
from aevb.testing.oracle import linear_gaussian
from aevb.testing.problem import PIXELS
from aevb.threads import one_thread

Estimator = Callable[[GenerativeModel, Tensor, Tensor, torch.Generator], MarginalEstimate]
"""From a model, x, the z behind x and a generator to estimates; few need z, which only data of the model have."""

FIELDS = ("log_likelihood", "standard_error", "ess", "acceptance", "n_non_finite", "trusted")
ORACLE = linear_gaussian(n_latent=2, n_pixels=PIXELS, diagonal_posterior=False)
LARGEST = 0.5  # nats, of the root mean square of errors; those of the project's estimators are below 0.2 here
FAR = 2.0  # of each pixel, which costs a datapoint some tens of nats


@one_thread()
def check_estimator(estimator: Estimator) -> None:
    """Hold an estimator of log p(x) to every law.

    Args:
        estimator: called with (model, x, z, generator); returns a `MarginalEstimate`.

    Raises:
        LawBroken: the first law that it does not keep.
    """
    for law in ESTIMATOR_LAWS:
        law(estimator)


def trusted_estimates_are_right_within_their_errors_and_untrusted_ones_are_few(estimator: Estimator) -> None:
    """On a linear-Gaussian model, whose log p(x) is exact by SciPy alone: each by itself, and all in mean.

    The mean is held to the error of a mean of independent estimates: draws that datapoints share make it too small. It
    may be off by half an error's square more, the bias of the log of a mean.
    """
    x, z = simulate(ORACLE.model, 60, seeded(16))
    estimate = _estimate(estimator, x, z, 17)
    truth, trusted = ORACLE.log_marginal(x), estimate.trusted
    share = float(trusted.double().mean())
    demand(share > 0.8, "four of five estimates must be trusted", f"{share:.0%}", "draw more samples")
    off, error = (estimate.log_likelihood - truth)[trusted].detach(), estimate.standard_error[trusted].detach()
    got = f"{int((~off.isfinite()).sum())} that are not"
    demand(off.isfinite(), "a trusted estimate must be finite", got, "trust none that is not a number")
    rule, got = "the error of a trusted estimate must be finite", f"{int((~error.isfinite()).sum())} that are not"
    demand(error.isfinite(), rule, got, "trust none whose error is not known")
    worst = float(off.abs().max())
    demand(worst < 1, "a trusted estimate must be within 1 nat of log p(x)", f"{worst:.2g}", "trust fewer")
    rounding = ROUNDING * (1 + truth[trusted].abs())  # all there is of an exact estimate's error
    covered = float((off.abs() <= 2 * error + rounding).double().mean())
    rule = "four of five trusted estimates must be within two standard errors of log p(x)"
    demand(covered > 0.8, rule, f"{covered:.0%}", "widen the standard errors")
    typical = float(error.square().mean().sqrt())
    rule = f"errors of trusted estimates must be below {LARGEST} nats in root mean square"
    demand(typical < LARGEST, rule, f"{typical:.2g}", "draw more samples, or trust fewer")
    allowed = _error_of_mean(error) + float(rounding.mean())
    rule = f"trusted estimates must be log p(x) within {allowed:.2g} nats in mean, by their standard errors"
    demand(off.mean().abs() < allowed, rule, f"{float(off.mean()):+.2g}", "look for a bias, or for draws in common")
    demand(not estimate.log_likelihood.requires_grad, "an estimate must be without gradients", "some", "detach it")


def an_estimate_does_not_depend_on_its_company(estimator: Estimator) -> None:
    """Twenty datapoints have the same estimates, within their errors, beside likely ones and beside unlikely ones.

    Errors may depend on the company, as those of annealed importance sampling do, which are never below the typical.
    """
    (x, z), (others, theirs) = (simulate(ORACLE.model, 20, seeded(seed)) for seed in (22, 23))
    mean, covariance = ORACLE.posterior(others + FAR)
    far = mean + torch.randn(mean.shape, dtype=mean.dtype, generator=seeded(24)) @ torch.linalg.cholesky(covariance).T
    near, unlikely = (
        _estimate(estimator, torch.cat([x, more]), torch.cat([z, its]), 25)
        for more, its in ((others, theirs), (others + FAR, far))
    )
    both = (near.trusted & unlikely.trusted)[: len(x)]
    rule = "estimates must be trusted in any company"
    demand(both.double().mean() > 0.5, rule, f"{int(both.sum())} of {len(x)} that are", "look at each row alone")
    apart = (unlikely.log_likelihood - near.log_likelihood)[: len(x)][both].detach()
    error = (near.standard_error.square() + unlikely.standard_error.square()).sqrt()[: len(x)][both].detach()
    allowed = _error_of_mean(error) + ROUNDING * (1 + float(near.log_likelihood[: len(x)][both].abs().mean()))
    rule = "a datapoint's estimate must not depend on its company"
    got = f"a mean that is {float(apart.mean()):+.2g} nats off, where errors allow {allowed:.2g}"
    demand(apart.mean().abs() < allowed, rule, got, "average over draws, never over datapoints")


def an_estimate_has_every_field_for_every_datapoint_and_the_same_generator_gives_it_again(estimator: Estimator) -> None:
    """Shape (batch,); errors and effective sample sizes are not negative; a second time it is the same bit for bit."""
    x, z = simulate(ORACLE.model, 7, seeded(18))
    estimate, again = (_estimate(estimator, x, z, 19) for _ in range(2))
    for name in ("standard_error", "ess"):
        demand(getattr(estimate, name) >= 0, f"`{name}` must not be negative", getattr(estimate, name), "look again")
    for name in FIELDS:
        same = torch.allclose(getattr(estimate, name), getattr(again, name), rtol=0, atol=0, equal_nan=True)
        demand(same, f"the same generator must give the same `{name}`", "another", "draw from the generator alone")


def it_refuses_what_is_no_number(estimator: Estimator) -> None:
    """x with NaN in it ends in a `UserError`."""
    x, z = simulate(ORACLE.model, 3, seeded(20))
    x[1, 2] = math.nan
    with refusal("NaN in x", "begin with `aevb.checks.pixels(model, x)`"):
        _answer(estimator, x, z, 21)


ESTIMATOR_LAWS: tuple[Callable[[Estimator], None], ...] = (
    an_estimate_has_every_field_for_every_datapoint_and_the_same_generator_gives_it_again,
    trusted_estimates_are_right_within_their_errors_and_untrusted_ones_are_few,
    an_estimate_does_not_depend_on_its_company,
    it_refuses_what_is_no_number,
)


def _error_of_mean(errors: Tensor) -> float:
    """How far the mean of independent estimates may be off: by chance, and by the bias of the log of a mean."""
    return SIGMAS * float(errors.square().sum().sqrt()) / len(errors) + float(errors.square().mean()) / 2


def _estimate(estimator: Estimator, x: Tensor, z: Tensor, seed: int) -> MarginalEstimate:
    """An answer, looked at: every field is a tensor with a value for each datapoint."""
    answer = _answer(estimator, x, z, seed)
    kind = isinstance(answer, MarginalEstimate)
    demand(kind, "an estimator must return a MarginalEstimate", shown(answer), "return one for the batch")
    shape, remedy = (len(x),), "give one for each datapoint"
    for name in FIELDS:
        value = getattr(answer, name)
        demand(isinstance(value, Tensor), f"`{name}` must be a tensor", shown(value), remedy)
        demand(value.shape == shape, f"`{name}` must have shape {shape}", tuple(value.shape), remedy)
    demand(answer.trusted.dtype == torch.bool, "`trusted` must be of booleans", answer.trusted.dtype, "compare")
    return answer


def _answer(estimator: Estimator, x: Tensor, z: Tensor, seed: int) -> MarginalEstimate:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrustedEstimateWarning)
        return estimator(ORACLE.model, x, z, seeded(seed))
