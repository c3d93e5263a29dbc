"""Full variational Bayes: an approximate posterior over the model's parameters θ as well (appendix F)."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from aevb import checks, construction
from aevb.ascent import Ascent, AscentOptions
from aevb.estimators import LowerBound, lower_bound_b, per_datapoint, standard_normal
from aevb.learner import Batch, LearnerWithEncoder, Noise, StepInfo
from aevb.model import GenerativeModel


class FullVariationalBayes(LearnerWithEncoder):
    """Ascent on a lower bound of log p(X), θ integrated out: E_q(θ)[Σ_n bound(x_n; θ, φ)] − KL(q(θ) ‖ N(0, I)).

    q(θ) is a diagonal Gaussian over all weights and biases of the model; one draw θ = μ + σ·ζ serves a minibatch. The
    model's own parameters are the means μ, so that what is evaluated elsewhere is the model at its posterior mean.

    Args:
        model: p(z) p(x|z); those of its parameters that take gradients get a posterior. The others are known, and stay
            as they are, where other learners refuse such a model: a posterior of a part of θ has a meaning.
        encoder: q(z|x), with parameters φ.
        n_datapoints: N, size of the training set, which scales the KL of a minibatch.
        options: how the parameters climb. `prior_weight` multiplies the KL of q(θ); `prior_on_biases` says nothing
            here, since the posterior covers all of θ.
        estimator: of the bound given θ, `lower_bound_b` or another of its signature.
        n_samples: L, draws of z for each datapoint.
        weight_std: σ of q(θ) to begin with, at least 1e-30.

    Source: Kingma & Welling 2013, appendix F.

    Note:
        The KL of q(θ) is taken in closed form, as in eq. 24; eq. 22, for any q(θ), estimates it by the same draw.
    """

    _some_known = True

    def __init__(
        self,
        model: GenerativeModel,
        encoder: nn.Module,
        n_datapoints: int,
        options: AscentOptions = AscentOptions(),
        *,
        estimator: LowerBound = lower_bound_b,
        n_samples: int = 1,
        weight_std: float = 0.01,
    ) -> None:
        super().__init__(model, encoder, n_datapoints, n_samples)
        construction.function("take one of aevb.estimators, say", estimator=estimator)
        checks.number(1e-30, weight_std=weight_std)  # its logarithm is kept
        self._ascent = Ascent(options, phi=encoder)
        self._estimator = estimator
        self._prior_weight = options.prior_weight
        self._means = nn.ParameterList(p for p in model.parameters() if p.requires_grad)
        self._log_vars = nn.ParameterList(torch.full_like(p, 2 * math.log(weight_std)) for p in self._means)
        without_prior = replace(options, prior_weight=0.0)
        self._weights = Ascent(without_prior, theta=self._means)
        self._spreads = Ascent(without_prior, theta=self._log_vars)

    def step(self, batch: Batch, generator: torch.Generator, noise: Noise | None = None) -> StepInfo:
        """One minibatch: draw θ and z, estimate the bound and climb in μ, σ and φ; ζ comes from the generator."""
        self._check(batch)
        noise = self._noise(batch, generator, noise)
        scale = len(batch.x) / self._n_datapoints
        zeta = [standard_normal(tuple(p.shape), p, generator) for p in self._means]
        phi = [*self._q.parameters()]
        with self._weights_at(zeta):
            bound = per_datapoint(self._estimator(self.model, self._q, batch.x, noise.normal), batch.x)
            gradients = torch.autograd.grad(bound.sum(), [*self._means, *phi])
        for parameter, gradient in zip(phi, gradients[len(zeta) :], strict=True):
            parameter.grad = gradient
        weight = scale * self._prior_weight
        for mean, log_var, draw, gradient in zip(self._means, self._log_vars, zeta, gradients, strict=False):
            # ∂θ/∂log σ² = σ·ζ/2, and −KL = ½ Σ (1 + log σ² − μ² − σ²).
            mean.grad = gradient - weight * mean.detach()
            log_var.grad = 0.5 * (gradient * draw * (0.5 * log_var.detach()).exp() + weight * (1 - log_var.exp()))
        self._weights.climb()
        self._spreads.climb()
        self._ascent.climb(scale)
        return StepInfo(bound.detach(), len(batch.x))

    @torch.no_grad()
    def kl_of_weights(self) -> Float[Tensor, ""]:
        """KL(q(θ) ‖ N(0, I)) = −½ Σ (1 + log σ² − μ² − σ²), nats."""
        terms = [
            -0.5 * (1 + log_var - mean.square() - log_var.exp()).sum()
            for mean, log_var in zip(self._means, self._log_vars, strict=True)
        ]
        return torch.stack(terms).sum()

    @torch.no_grad()
    def evidence_bound(
        self, x: Float[Tensor, "n pixel"], generator: torch.Generator, n_draws: int = 100
    ) -> tuple[float, float]:
        """Lower bound of log p(X), nats for the whole set, and its standard error over the draws of θ.

        Args:
            x: the training set, all of it, shape (n, pixel).
            generator: of θ and z.
            n_draws: of θ, at least 2.

        Raises:
            ArgumentError: x is not what the model takes, the estimator gives another shape than one number for each
                datapoint, or there are too few draws.
        """
        checks.pixels(self.model, x)
        checks.whole(2, n_draws=n_draws)
        bounds = []
        for _ in range(n_draws):
            with self._weights_at([standard_normal(tuple(p.shape), p, generator) for p in self._means]):
                eps = standard_normal((self.n_normal, len(x), self.model.n_latent), x, generator)
                bound = per_datapoint(self._estimator(self.model, self._q, x, eps), x)
                bounds.append(bound.sum(dtype=torch.float64))
        totals = torch.stack(bounds) - self.kl_of_weights()
        return float(totals.mean()), float(totals.std() / math.sqrt(n_draws))

    @contextmanager
    def _weights_at(self, zeta: list[Tensor]) -> Iterator[None]:
        """The model's parameters at μ + σ·ζ; at μ again afterwards."""
        means = [mean.detach().clone() for mean in self._means]
        with torch.no_grad():
            for mean, log_var, draw in zip(self._means, self._log_vars, zeta, strict=True):
                mean.addcmul_((0.5 * log_var).exp(), draw)
        try:
            yield
        finally:
            with torch.no_grad():
                for mean, kept in zip(self._means, means, strict=True):
                    mean.copy_(kept)

    def _parts(self) -> dict[str, Any]:
        spread = {"log_vars": self._log_vars, "weights": self._weights, "spreads": self._spreads}
        return super()._parts() | spread | {"ascent": self._ascent}
