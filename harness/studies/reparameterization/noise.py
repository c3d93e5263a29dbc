"""How noisy are estimators of the bound's gradient with respect to φ, for any number L of samples and minibatch M?

The gradient of a minibatch, for each datapoint, is G = (1/M) Σ gᵢ with independent terms, so that for minibatches drawn
with replacement tr Var G = (tr Var E[g|x] + E[tr Var(g|x)]) / M: a part between datapoints, the same for every unbiased
estimator, and a part within them, which falls with L. Both are estimated here without bias for all L at once, from
some draws at some datapoints; `simulated_variance` is the direct way, to check it by.

φ enters g only through the moments m = (μ(x), log σ²(x)): g = Jᵀd with d = ∂/∂m and J = ∂m/∂φ. With a Cholesky factor
S of J Jᵀ, ‖g‖ = ‖Sᵀd‖, and 80,000 coordinates of φ shrink to the 2·N_z of Sᵀd.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from aevb.densities import DiagonalGaussian
from aevb.estimators import LowerBound, lower_bound_a, lower_bound_b, standard_normal
from aevb.model import GenerativeModel
from baselines.score_function import leave_one_out, no_baseline, score_function_bound
from harness.studies.reparameterization.table import BASELINE, NAIVE, A, B

DRAWS_AT_ONCE = 16_000  # datapoint-latent pairs in one pass of the decoder
JACOBIANS_AT_ONCE = 4  # each is 2·N_z rows of all coordinates of φ: few fit the cache


@dataclass(frozen=True)
class GradientNoise:
    """Contributions of datapoints to the trace of a gradient's covariance, each of shape (points,).

    Attributes:
        between: means to the part between datapoints.
        within: to the part within them for L = 1, for each estimator; with the constant baseline.
        shared: with `pair`, to the part within them for the leave-one-out baseline, see `contributions`.
        pair: see `shared`.
        n_coordinates: of φ.
        signal: ‖E g‖², estimated without bias.
        signal_error: its standard error.
    """

    between: Float[Tensor, " points"]
    within: dict[str, Float[Tensor, " points"]]
    shared: Float[Tensor, " points"]
    pair: Float[Tensor, " points"]
    n_coordinates: int
    signal: float
    signal_error: float

    def contributions(self, estimator: str, n_samples: int) -> Float[Tensor, " points"]:
        """Their mean is the trace for M = 1; divide by M for larger minibatches.

        The leave-one-out estimator is a U-statistic, the sample covariance of f and the score, with variance
        2/(L(L−1)) · (2(L−2)·shared + pair): `shared` is the covariance of its kernel at pairs with one draw in common,
        `pair` its variance (Hoeffding 1948).
        """
        if estimator == BASELINE and n_samples > 1:
            pairs = n_samples * (n_samples - 1) / 2
            return self.between + (2 * (n_samples - 2) * self.shared + self.pair) / pairs
        return self.between + self.within[estimator] / n_samples


def measure_noise(
    model: GenerativeModel,
    encoder: nn.Module,
    x: Float[Tensor, "points pixel"],
    n_draws: int,
    baseline: float,
    generator: torch.Generator,
) -> GradientNoise:
    """Measure all four estimators at once.

    Args:
        model: p(z) p(x|z).
        encoder: q(z|x).
        x: independent datapoints.
        n_draws: at each of them, a multiple of four.
        baseline: constant that the score function uses where L = 1, nats.
        generator: of the noise.
    """
    n_points = len(x)
    with torch.no_grad():
        q = encoder(x)
    draws = [
        _gradients(model, q, x, standard_normal((part, n_points, model.n_latent), x, generator))
        for part in _parts(n_draws, max(DRAWS_AT_ONCE // n_points, 1))
    ]
    f, score, a, b = (torch.cat(part).double() for part in zip(*draws, strict=True))
    factor = torch.linalg.cholesky(_gram_matrices(encoder, x))
    score, short_a, short_b = ((d[..., None, :] @ factor)[..., 0, :] for d in (score, a, b))
    within = {
        NAIVE: f[..., None] * score,
        BASELINE: (f - baseline)[..., None] * score,
        A: short_a,
        B: short_b,
    }
    variances = {name: v.var(0).sum(-1) for name, v in within.items()}
    shared, pair = _pair_variances(f, score)

    mean, inner = _mean_gradient(encoder, x, b.mean(0))
    squared, mean_squared = short_b.mean(0).square().sum(-1), mean.square().sum()
    spread = (squared - 2 * inner + mean_squared) * n_points / (n_points - 1)
    return GradientNoise(
        between=spread - variances[B] / n_draws,
        within=variances,
        shared=shared,
        pair=pair,
        n_coordinates=len(mean),
        signal=float(n_points * mean_squared - squared.mean()) / (n_points - 1),
        signal_error=2 * float(inner.std()) / n_points**0.5,
    )


def estimator_of(name: str, baseline: float, n_samples: int) -> LowerBound:
    """The estimator whose gradient is studied under that name; with a baseline, as `GradientNoise` has it."""
    if name in (A, B):
        return {A: lower_bound_a, B: lower_bound_b}[name]

    def constant(f: Tensor) -> float:
        return baseline

    with_baseline = leave_one_out if n_samples > 1 else constant
    return partial(score_function_bound, baseline=no_baseline if name == NAIVE else with_baseline)


def simulated_variance(draw_gradient: Callable[[], Float[Tensor, " phi"]], n_replicates: int) -> tuple[float, float]:
    """Mean variance of a coordinate over independent gradients, and its standard error."""
    gradients = torch.stack([draw_gradient() for _ in range(n_replicates)])
    squared = (gradients - gradients.mean(0)).square().mean(-1, dtype=torch.float64) * n_replicates / (n_replicates - 1)
    return float(squared.mean()), float(squared.std()) / n_replicates**0.5


def gradient(bound: Float[Tensor, " batch"], encoder: nn.Module) -> Float[Tensor, " phi"]:
    """Gradient of the mean bound with respect to φ, as one vector."""
    return torch.cat([part.flatten() for part in torch.autograd.grad(bound.mean(), list(encoder.parameters()))])


def _parts(n: int, size: int) -> list[int]:
    return [min(size, n - start) for start in range(0, n, size)]


def _gradients(
    model: GenerativeModel, q: DiagonalGaussian, x: Tensor, eps: Float[Tensor, "draw points latent"]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """F, the score and both reparameterized gradients with respect to the moments, for each draw and datapoint."""
    n_draws, n_points, _ = eps.shape
    every = DiagonalGaussian(*(m.repeat(n_draws, 1).requires_grad_() for m in (q.mean, q.log_var)))
    moments, noise, repeated = (every.mean, every.log_var), eps.flatten(0, 1), x.repeat(n_draws, 1)

    def by_moments(value: Tensor) -> Tensor:
        return torch.cat(torch.autograd.grad(value.sum(), moments), -1).reshape(n_draws, n_points, -1)

    z = every.at(noise).detach()
    log_q = every.log_density(z)
    with torch.no_grad():
        f = model.log_joint(repeated, z) - log_q
    a, b = (
        by_moments(bound(model, lambda _: every, repeated, noise[None])) for bound in (lower_bound_a, lower_bound_b)
    )
    return f.reshape(n_draws, n_points), by_moments(log_q), a, b


def _pair_variances(f: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
    """Of the kernel ½(f₁ − f₂)(s₁ − s₂): covariance at pairs with one draw in common, and variance; no bias."""
    f1, f2, f3, f4 = f.reshape(4, -1, f.shape[1])[..., None]
    s1, s2, s3, s4 = score.reshape(4, -1, *score.shape[1:])
    h12, h34, h13, h24 = (
        0.5 * (f_one - f_two) * (s_one - s_two)
        for f_one, s_one, f_two, s_two in (
            (f1, s1, f2, s2), (f3, s3, f4, s4), (f1, s1, f3, s3), (f2, s2, f4, s4)
        )
    )  # fmt: skip
    apart = 0.5 * (h12 * h34 + h13 * h24)
    shared = 0.25 * (h12 + h34) * (h13 + h24) - apart
    pair = 0.25 * (h12.square() + h34.square() + h13.square() + h24.square()) - apart
    return shared.sum(-1).mean(0), pair.sum(-1).mean(0)


def _moments(encoder: nn.Module, parameters: dict[str, Tensor], x: Tensor) -> Tensor:
    q = functional_call(encoder, parameters, (x,))
    return torch.cat([q.mean, q.log_var], -1)


def _gram_matrices(encoder: nn.Module, x: Tensor) -> Float[Tensor, "points moment moment"]:
    """J Jᵀ of each datapoint, float64."""
    parameters = {name: value.detach() for name, value in encoder.named_parameters()}

    def gram(datapoint: Tensor) -> Tensor:
        jacobian = jacrev(partial(_moments, encoder))(parameters, datapoint)
        return torch.stack([rows.flatten(1) @ rows.flatten(1).T for rows in jacobian.values()]).sum(0)

    return vmap(gram, chunk_size=JACOBIANS_AT_ONCE)(x).double()


def _mean_gradient(
    encoder: nn.Module, x: Tensor, d: Float[Tensor, "points moment"]
) -> tuple[Float[Tensor, " phi"], Float[Tensor, " points"]]:
    """ḡ = mean of Jᵀd, and its inner product with each datapoint's Jᵀd."""
    parameters = [value.detach().requires_grad_() for value in encoder.parameters()]
    moments = _moments(encoder, dict(zip(dict(encoder.named_parameters()), parameters, strict=True)), x)
    weights = (d / len(x)).to(moments.dtype).requires_grad_()
    mean = torch.autograd.grad(moments, parameters, weights, create_graph=True)
    # Jᵀw is linear in w: its own gradient is J.
    (along,) = torch.autograd.grad(mean, weights, [part.detach() for part in mean])
    return torch.cat([part.detach().flatten() for part in mean]).double(), (along.double() * d).sum(-1)
