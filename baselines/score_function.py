"""The score-function estimator of the bound's gradient with respect to φ, which the paper sets aside (section 2.2)."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from aevb import checks
from aevb.ascent import Ascent, AscentOptions
from aevb.errors import ArgumentError
from aevb.estimators import Encoder, check_noise, posterior_of
from aevb.learner import Batch, LearnerWithEncoder, Noise, StepInfo
from aevb.model import GenerativeModel

RUNNING_DECAY = 0.9  # of the running mean that serves as a baseline

Baseline = Callable[[Tensor], Tensor | float]
"""From f, shape (L, batch), to what is subtracted from each; nothing that depends on a draw may meet that draw's f."""


def no_baseline(f: Float[Tensor, "L batch"]) -> float:
    """0: the paper's naive estimator."""
    return 0.0


def leave_one_out(f: Float[Tensor, "L batch"]) -> Float[Tensor, "L batch"]:
    """For each draw the mean of f over the datapoint's other L − 1 draws.

    Raises:
        ArgumentError: there is no other draw.
    """
    if len(f) < 2:
        raise ArgumentError("the leave-one-out baseline needs L of at least 2, got 1: draw more noise")
    return (f.sum(0) - f) / (len(f) - 1)


def score_function_bound(
    model: GenerativeModel,
    encoder: Encoder,
    x: Float[Tensor, "batch pixel"],
    eps: Float[Tensor, "L batch latent"],
    baseline: Baseline = no_baseline,
) -> Float[Tensor, " batch"]:
    """Estimator A's value, with the gradient (1/L) Σ (f(z) − b)·∇_φ log q(z|x) with respect to φ.

    f = log p(x, z) − log q(z|x), and z is a draw from q(z|x) that knows nothing of φ. As E[∇_φ log q] = 0, neither the
    baseline b nor leaving out that f itself depends on φ changes the mean. With respect to θ the gradient is
    (1/L) Σ ∇_θ log p(x, z).

    Args:
        model: p(z) p(x|z).
        encoder: q(z|x).
        x: datapoints, shape (batch, pixel).
        eps: standard normal noise, shape (L, batch, latent), from which z is made.
        baseline: from f to b.

    Returns:
        Nats for each datapoint, shape (batch,).

    Source: Kingma & Welling 2013, section 2.2; Paisley, Blei & Jordan 2012.
    """
    check_noise(model, x, eps)
    q = posterior_of(encoder, x, model.n_latent)
    z = q.at(eps).detach()
    log_q = q.log_density(z)
    log_joint = model.log_joint(x, z)
    f = log_joint - log_q.detach()
    weight = (f - baseline(f)).detach()
    return (f + weight * (log_q - log_q.detach())).mean(0)


class ScoreFunction(LearnerWithEncoder):
    """Minibatch ascent on the bound like `aevb.aevb.AEVB`, with the score-function gradient for φ.

    With L = 1 the baseline, if there is one, is the running mean of f over all earlier minibatches (their means,
    weighted 1, 0.9, 0.81, … from the latest back; 0 before the first), which no draw of this minibatch enters. With
    more draws it is the mean of the datapoint's other draws.

    Args:
        model: p(z) p(x|z), with parameters θ.
        encoder: q(z|x), with parameters φ.
        n_datapoints: N, size of the training set, which scales the prior on θ.
        options: how the parameters climb.
        n_samples: L, noise samples for each datapoint.
        with_baseline: subtract it.
    """

    def __init__(
        self,
        model: GenerativeModel,
        encoder: nn.Module,
        n_datapoints: int,
        options: AscentOptions = AscentOptions(),
        *,
        n_samples: int = 1,
        with_baseline: bool = False,
    ) -> None:
        super().__init__(model, encoder, n_datapoints, n_samples)
        checks.flag(with_baseline=with_baseline)
        self._with_baseline = with_baseline
        self._running = _RunningMean()
        self._ascent = Ascent(options, theta=model, phi=encoder)

    def step(self, batch: Batch, generator: torch.Generator, noise: Noise | None = None) -> StepInfo:
        """One minibatch: estimate its bound with fresh noise and climb."""
        self._check(batch)
        noise = self._noise(batch, generator, noise)
        bound = score_function_bound(self.model, self._q, batch.x, noise.normal, self._baseline())
        self._ascent.step(bound.sum(), prior_scale=len(batch.x) / self._n_datapoints)
        self._running.add(bound.detach().mean())
        return StepInfo(bound.detach(), len(batch.x))

    def _baseline(self) -> Baseline:
        if not self._with_baseline:
            return no_baseline
        return leave_one_out if self.n_normal > 1 else self._running

    def _parts(self) -> dict[str, Any]:
        return super()._parts() | {"ascent": self._ascent, "running": self._running}


class _RunningMean:
    """Weighted mean of what was added, the latest weighing most; a baseline. In double, and left on the device."""

    def __init__(self) -> None:
        self._sum: Tensor | float = 0.0
        self._weight = 0.0

    def __call__(self, f: Tensor) -> Tensor | float:
        return self._sum / self._weight if self._weight else 0.0

    def add(self, value: Tensor) -> None:
        self._sum = RUNNING_DECAY * self._sum + value.double()
        self._weight = RUNNING_DECAY * self._weight + 1

    def state_dict(self) -> dict[str, Any]:
        return {"sum": self._sum, "weight": self._weight}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._sum, self._weight = state["sum"], state["weight"]
