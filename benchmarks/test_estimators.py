"""Estimators of the lower bound, and of log p(x): against each other, and against exact values."""

import math
import warnings
from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor

from aevb.encoder import GaussianEncoder
from aevb.estimators import LOWER_BOUNDS, standard_normal
from aevb.linear_gaussian import exact_log_marginal, exact_posterior, probabilistic_pca
from aevb.marginal.ais import ais_log_likelihood
from aevb.marginal.annealing import Annealing, sigmoidal_schedule
from aevb.marginal.appendix_d import appendix_d_log_likelihood
from aevb.marginal.chains import start_chains
from aevb.marginal.estimate import MarginalEstimate, UntrustedEstimateWarning
from aevb.marginal.gaussian import Density
from aevb.marginal.importance import importance_log_likelihood
from aevb.model import GaussianModel, GenerativeModel
from benchmarks.conftest import Meter
from benchmarks.engines import Engine, make_config, run_data
from harness.runs.streams import stream

POINTS = {"appendix D": 1000, "importance sampling": 100, "AIS": 10}
Estimator = Callable[[], MarginalEstimate]


@cache
def trained(device: str, n_hidden: int, n_latent: int) -> tuple[GenerativeModel, GaussianEncoder]:
    """Model and encoder after a second or so of AEVB: no longer the prior, not yet good."""
    engine = Engine(make_config(hidden=(n_hidden,), n_latent=n_latent, step_size=0.05, warm_up=100), "fast", device)
    engine.advance(400)
    learner = engine.learners[0]
    assert isinstance(learner.encoder, GaussianEncoder)
    return learner.model, learner.encoder


def points(device: str, n: int) -> Tensor:
    return run_data(device).test_points[:n]


@pytest.mark.parametrize("n_samples", [1, 10, 100])
@pytest.mark.parametrize("estimator", ["a", "b"])
def test_lower_bound(estimator: str, n_samples: int, device: str, meter: Meter) -> None:
    model, encoder = trained(device, 500, 20)
    x, generator = points(device, 100), stream("benchmark", device=device)

    @torch.no_grad()
    def bound(name: str = estimator, n: int = n_samples) -> Tensor:
        return LOWER_BOUNDS[name](model, encoder, x, standard_normal((n, len(x), 20), x, generator))

    products = [(100, 784, 500), (100, 500, 40), (100 * n_samples, 20, 500), (100 * n_samples, 500, 784)]
    meter(
        bound,
        samples=len(x),
        products=products,
        suite="lower bound",
        method=f"estimator {estimator.upper()}",
        engine="reference",
        batch_size=100,
        hidden=[500],
        n_latent=20,
        n_samples=n_samples,
    )
    # Both are unbiased for one bound: so are their means over draws of the noise.
    means = [torch.stack([bound(name, 10).mean() for _ in range(20)]).double() for name in ("a", "b")]
    error = math.sqrt(sum(float(each.var()) / len(each) for each in means))
    assert abs(float(means[0].mean() - means[1].mean())) < 5 * error
    mine = bound().mean()
    assert abs(float(mine - means[1].mean())) < 5 * float(means[0].std()) * math.sqrt(1 + 10 / n_samples)


@pytest.mark.parametrize("estimator", POINTS)
@pytest.mark.parametrize("kind", ["network", "linear-Gaussian"])
def test_log_marginal(kind: str, estimator: str, device: str, meter: Meter) -> None:
    measure_log_marginal(kind, estimator, device, meter, 1000)


@pytest.mark.parametrize("n_samples", [30, 100, 300])
def test_importance_sampling(n_samples: int, device: str, meter: Meter) -> None:
    measure_log_marginal("network", "importance sampling", device, meter, n_samples)


def measure_log_marginal(kind: str, estimator: str, device: str, meter: Meter, n_samples: int) -> None:
    """Time an estimator, and compare the mean over datapoints with the truth.

    Of the linear-Gaussian model the truth is known exactly; of the network importance sampling from a trained encoder
    with many samples stands for it. Appendix D is biased by up to a nat with 50 samples in 3 dimensions.
    """
    x, generator = points(device, POINTS[estimator]), stream("benchmark", device=device)
    if kind == "network":
        model, encoder = trained(device, 100, 3)
        proposal: Density = encoder(x)
    else:
        model = probabilistic_pca(run_data(device).train[:2000], 3).float()
        proposal = exact_posterior(model, x)
    if estimator == "appendix D":
        chains, effort = start_chains(model, x, generator, n_candidates=100), 50
        run: Estimator = lambda: appendix_d_log_likelihood(model, x, chains, generator, n_samples=effort)[0]  # noqa: E731
    elif estimator == "AIS":
        annealing, effort = Annealing(sigmoidal_schedule(60), n_chains=8), 60
        run = lambda: ais_log_likelihood(model, x, generator, annealing)  # noqa: E731
    else:
        effort = n_samples
        run = lambda: importance_log_likelihood(model, x, proposal, generator, n_samples=effort)  # noqa: E731
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrustedEstimateWarning)  # what they are worth is asserted below
        meter(
            run,
            samples=len(x),
            suite="log p(x)",
            method=f"{estimator}, {kind}",
            engine="fast" if estimator != "importance sampling" else "reference",
            batch_size=len(x),
            hidden=[100] if kind == "network" else [],
            n_latent=3,
            n_samples=effort,
        )
        estimate = run()
        if kind == "network":
            first = x[:100]
            many = importance_log_likelihood(model, first, encoder(first), generator, n_samples=1000)
            truth, doubt = many.log_likelihood, many.standard_error
        else:
            assert isinstance(model, GaussianModel)
            truth = exact_log_marginal(model, x).detach()
            doubt = torch.zeros_like(truth)
    difference = (estimate.log_likelihood[: len(truth)] - truth).double()
    assert difference.isfinite().float().mean() > 0.95
    difference = difference[difference.isfinite()]
    spread = float(difference.std()) / math.sqrt(len(difference))
    bias = 1.5 if estimator == "appendix D" else 0.1
    assert abs(float(difference.mean())) < bias + 5 * spread + float(doubt.nanmean())
