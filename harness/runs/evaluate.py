"""What is measured at a logged point: one estimator for every learner, whatever that learner optimises."""

import math
import warnings
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from aevb.encoder import GaussianEncoder
from aevb.estimators import evaluate_lower_bound
from aevb.eval_mode import in_eval_mode
from aevb.learner import Learner
from aevb.marginal.appendix_d import appendix_d_log_likelihood
from aevb.marginal.chains import start_chains
from aevb.marginal.estimate import UntrustedEstimateWarning
from aevb.model import GenerativeModel
from aevb.tuning import Chains
from harness.experiments.config import Config
from harness.experiments.paper_curves import paper_counts
from harness.runs.build import RunData, evaluation_generator
from harness.runs.steps import samples_per_step

Measurement = dict[str, float]
"""A column's name and its value: the measure and its standard error over datapoints in nats, and counts."""


class Evaluator(Protocol):
    """Measures a learner on fixed points. What it keeps from one call to the next is in its state.

    Attributes:
        pointwise: nats of each point at the last call, for each split; empty where nobody needs them.
    """

    pointwise: dict[str, Tensor]

    def measure(self, learner: Learner, samples: int) -> dict[str, Measurement]:
        """A measurement for each split, after so many training samples."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on bit for bit."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over another's state."""
        ...


class LowerBoundEvaluator:
    """The lower bound on fixed points by estimator B, with the same noise at every logged point; keeps nothing."""

    def __init__(self, data: RunData) -> None:
        self.pointwise: dict[str, Tensor] = {}
        self._points = {"train_eval": data.train_points, "test": data.test_points}

    def measure(self, learner: Learner, samples: int) -> dict[str, Measurement]:
        """Means over the points, for `train_eval` and `test`; the count of samples does not matter."""
        if learner.encoder is None:
            raise ValueError("the lower bound needs an encoder, and this learner has none: measure log p(x) instead")
        result = {}
        for split, x in self._points.items():
            noise = evaluation_generator(x.device)
            with in_eval_mode(learner.model, learner.encoder):
                bound = evaluate_lower_bound(learner.model, learner.encoder, x, noise)
            result[split] = {"lower_bound": float(bound.mean()), "standard_error": _standard_error(bound)}
        return result

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to take over."""


class MarginalEvaluator:
    """Log p(x) by appendix D; each point's chain starts at a prior draw and persists from one logged point to the next.

    Where the config has chains go on from the paper's own points alone, an evaluation elsewhere begins with the chains
    as the last of the paper's points left them, anew before the first, and leaves them and the noise as they were.

    Columns: marginal_log_likelihood and standard_error over the points that have an estimate, the mean ess, and the
    numbers of points that have no estimate and whose estimate is not to be trusted.
    """

    def __init__(self, config: Config, data: RunData) -> None:
        self.pointwise: dict[str, Tensor] = {}
        self._config = config
        self._points = {"train": data.train_points, "test": data.test_points}
        self._chains: dict[str, Chains] = {}
        self._generator = evaluation_generator(data.train.device)
        self._counts = paper_counts(config) if config.posterior_chains != "every_point" else []
        self._step = samples_per_step(config, data)

    def measure(self, learner: Learner, samples: int) -> dict[str, Measurement]:
        """Means over the points, for `train` and `test`."""
        leaves_trace = not self._counts or any(count <= samples < count + self._step for count in self._counts)
        before = {} if leaves_trace else self.state_dict()
        with in_eval_mode(learner.model):
            measured = {split: self._measure(learner, split, x) for split, x in self._points.items()}
        if not leaves_trace:
            self.load_state_dict(before | {"pointwise": self.pointwise})
        return measured

    def _measure(self, learner: Learner, split: str, x: Tensor) -> Measurement:
        config = self._config
        if split not in self._chains:
            self._chains[split] = start_chains(
                learner.model,
                x,
                self._generator,
                n_candidates=config.posterior_starts,
                step_size=config.posterior_step_size,
            )
        with warnings.catch_warnings():
            # What the warning says is in the columns `without_estimate` and `untrusted`.
            warnings.simplefilter("ignore", UntrustedEstimateWarning)
            estimate, self._chains[split] = appendix_d_log_likelihood(
                learner.model,
                x,
                self._chains[split],
                self._generator,
                n_samples=config.posterior_samples,
                n_burn_in=config.posterior_burn_in,
                n_leapfrog=config.posterior_leapfrog + config.extra_leapfrog,
                adapt=config.posterior_tuning,
                fit=config.posterior_fit,
                jitter=config.posterior_jitter,
                n_prior=0,  # `untrusted` counts what the paper's own way of estimating says of itself
            )
        self.pointwise[split] = estimate.log_likelihood
        found = estimate.log_likelihood.isfinite()
        values = estimate.log_likelihood[found]
        return {
            "marginal_log_likelihood": float(values.mean()) if len(values) else math.nan,
            "standard_error": _standard_error(values),
            "ess": float(estimate.ess.mean()),
            "without_estimate": int((~found).sum()),
            "untrusted": int((~estimate.trusted).sum()),
        }

    def state_dict(self) -> dict[str, Any]:
        """Chains and generator."""
        chains = {split: dict(chains._asdict()) for split, chains in self._chains.items()}
        return {"chains": chains, "generator": self._generator.get_state(), "pointwise": self.pointwise}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over chains and generator."""
        self._chains = {split: Chains(**chains) for split, chains in state["chains"].items()}
        self._generator.set_state(state["generator"].cpu())
        self.pointwise = state["pointwise"]


def make_evaluator(config: Config, data: RunData) -> Evaluator:
    """What the config measures."""
    return LowerBoundEvaluator(data) if config.measure == "lower_bound" else MarginalEvaluator(config, data)


@torch.no_grad()
def encode(model: GenerativeModel, encoder: GaussianEncoder, x: Float[Tensor, "n pixel"]) -> dict[str, Tensor]:
    """Where q(z|x) puts these points, and the bound of each, nats: `mean`, shape (n, latent), and `bound`; float16."""
    bound = evaluate_lower_bound(model, encoder, x, evaluation_generator(x.device), n_samples=10)
    return {"mean": encoder(x).mean.cpu().half(), "bound": bound.cpu().half()}


def _standard_error(values: Tensor) -> float:
    return float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else math.nan
