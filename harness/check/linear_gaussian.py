"""Bounds and estimators of log p(x) where log p(x) is known: on a linear-Gaussian model.

No fault can move reference and check together in the lines that are exact, for their truth is SciPy's.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from aevb.aevb import AEVB
from aevb.ascent import AscentOptions
from aevb.data import load_dataset
from aevb.encoder import GaussianEncoder
from aevb.estimators import LOWER_BOUNDS, evaluate_lower_bound
from aevb.fast.aevb import FastAEVB
from aevb.learner import Batch, Learner
from aevb.linear_gaussian import exact_encoder, exact_log_marginal, exact_posterior, probabilistic_pca
from aevb.marginal.ais import ais_log_likelihood, reverse_ais_log_likelihood, simulate
from aevb.marginal.annealing import Annealing, sigmoidal_schedule
from aevb.marginal.appendix_d import appendix_d_log_likelihood
from aevb.marginal.chains import posterior_gaussian, start_chains
from aevb.marginal.estimate import UntrustedEstimateWarning
from aevb.marginal.importance import importance_log_likelihood
from aevb.model import GaussianModel
from baselines.fast_wake_sleep import FastWakeSleep
from baselines.wake_sleep import WakeSleep
from harness.check.case import Place
from harness.runs.streams import stream

AT_REST = AscentOptions(warm_up=1)  # a first step reports its bound, and moves nothing


@dataclass(frozen=True)
class Bounds:
    """What evaluation and the learners' steps give for the bound where q(z|x) is the exact posterior: log p(x)."""

    name: str
    n_latent: int
    points: int

    random: ClassVar[bool] = True
    exact: ClassVar[frozenset[str]] = frozenset(
        ("closed form", "evaluation, A", "evaluation, B", "AEVB's step, A", "AEVB's step, B", "wake-sleep's step")
    )

    def measure(self, seed: int, place: Place) -> dict[str, float]:
        """Mean of each minus log p(x)."""
        model, x, _, truth = problem(self.n_latent, self.points, place)
        noise = stream("check", seed, x.device)
        q = exact_encoder(model)
        bounds = {"closed form": exact_log_marginal(model, x).detach()}
        for name, estimator in LOWER_BOUNDS.items():
            bound = evaluate_lower_bound(model, q, x, noise, estimator=estimator, n_samples=5)
            bounds[f"evaluation, {name.upper()}"] = bound
        for name, learner in learners(model, q, place.engine, AT_REST, len(x)).items():
            bound_of_step = learner.step(Batch(x, torch.arange(len(x), device=x.device)), noise).bound
            assert bound_of_step is not None
            bounds[name] = bound_of_step
        return {name: float((bound - truth).mean()) for name, bound in bounds.items()}


@dataclass(frozen=True)
class Marginals:
    """Estimators of log p(x), each minus log p(x): their bias, which is part of them, and their errors."""

    name: str
    n_latent: int
    points: int

    random: ClassVar[bool] = True
    exact: ClassVar[frozenset[str]] = frozenset(("importance sampling", "importance sampling from the posterior"))

    def measure(self, seed: int, place: Place) -> Mapping[str, float]:
        """Mean of each minus log p(x)."""
        model, x, z, truth = problem(self.n_latent, self.points, place)
        noise = stream("check", seed, x.device)
        annealing = Annealing(betas=sigmoidal_schedule(20), n_chains=8, n_tuning_chains=4)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UntrustedEstimateWarning)  # few samples are enough to notice a change
            proposal, chains = posterior_gaussian(model, x, start_chains(model, x, noise, n_candidates=50), noise)
            estimates = {
                "importance sampling": importance_log_likelihood(model, x, proposal, noise, n_samples=100),
                "importance sampling from the posterior": importance_log_likelihood(
                    model, x, exact_posterior(model, x), noise, n_samples=25
                ),
                "appendix D": appendix_d_log_likelihood(model, x, chains, noise, fit="kde", jitter=0.0)[0],
                "appendix D, shrunk KDE": appendix_d_log_likelihood(model, x, chains, noise)[0],
                "AIS, lower bound": ais_log_likelihood(model, x, noise, annealing),
                "AIS, upper bound": reverse_ais_log_likelihood(model, x, z, noise, annealing),
            }
        return {name: float((each.log_likelihood - truth).mean()) for name, each in estimates.items()}


def problem(n_latent: int, points: int, place: Place) -> tuple[GaussianModel, Tensor, Tensor, Tensor]:
    """A model fitted to the waves, points from it with their latents, and log p(x) by SciPy alone."""
    from scipy.stats import multivariate_normal  # takes half a second, which nobody else has to wait for

    model = probabilistic_pca(load_dataset(str(place.waves)).train, n_latent)
    x, z = simulate(model, points, stream("check points"))
    weight, noise_var = model.output.weight.detach(), torch.exp(model.log_var.bias.detach())
    covariance = weight @ weight.T + noise_var.diag()
    truth = multivariate_normal(model.output.bias.detach().numpy(), covariance.numpy()).logpdf(x.numpy())
    device = place.torch_device
    return model.to(device), x.to(device), z.to(device), torch.as_tensor(truth).to(device)


def learners(
    model: GaussianModel, q: GaussianEncoder, engine: str, options: AscentOptions, n_datapoints: int
) -> dict[str, Learner]:
    """Those with an encoder; each moves the modules that are given."""
    if engine == "fast":
        return {
            "AEVB's step, A": FastAEVB(model, q, n_datapoints, options, estimator="a"),
            "AEVB's step, B": FastAEVB(model, q, n_datapoints, options, estimator="b"),
            "wake-sleep's step": FastWakeSleep(model, q, n_datapoints, options),
        }
    return {
        "AEVB's step, A": AEVB(model, q, n_datapoints, options, estimator=LOWER_BOUNDS["a"]),
        "AEVB's step, B": AEVB(model, q, n_datapoints, options, estimator=LOWER_BOUNDS["b"]),
        "wake-sleep's step": WakeSleep(model, q, n_datapoints, options),
    }
