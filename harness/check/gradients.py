"""Gradients of the learners' steps where their expectations are known: on a linear-Gaussian model.

Adagrad takes any constant factor out of a gradient, so that a curve does not show one; this does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from aevb.encoder import GaussianEncoder
from aevb.learner import Batch, Noise
from aevb.linear_gaussian import exact_encoder
from aevb.model import GaussianModel
from harness.check.case import Place
from harness.check.linear_gaussian import AT_REST, learners, problem
from harness.runs.streams import stream

A_AND_B = "AEVB's step, A − B at equal noise, encoder's mean"


@dataclass(frozen=True)
class Gradients:
    """How much longer a step's gradient is than its expectation, as a share, in the direction of the expectation.

    One quantity for each learner and layer. Model and encoder are off, lest the expectations be zero. One more tells
    estimator A from B: at equal noise their gradients of the encoder's mean differ by −(z − μ), summed over the points.

    Attributes:
        name: in one line.
        n_latent: size of z.
        points: in the one minibatch.
    """

    name: str
    n_latent: int
    points: int

    random: ClassVar[bool] = True
    exact: ClassVar[frozenset[str]] = frozenset(
        f"{learner}, {layer}"
        for learner in ("AEVB's step, A", "AEVB's step, B", "wake-sleep's step")
        for layer in ("decoder's mean", "decoder's log σ²", "encoder's mean", "encoder's log σ²")
    ) | {A_AND_B}

    def measure(self, seed: int, place: Place) -> dict[str, float]:
        """Shares, 0 for the gradient that is expected."""
        model, x, _, _ = problem(self.n_latent, self.points, place)
        q = exact_encoder(model)
        with torch.no_grad():
            model.output.weight.mul_(1.3)
            model.log_var.bias.add_(3)
            q.mean.weight.mul_(0.5)
            q.log_var.bias.add_(0.7)
        layers = {
            "decoder's mean": model.output,
            "decoder's log σ²": model.log_var,
            "encoder's mean": q.mean,
            "encoder's log σ²": q.log_var,
        }
        noise = stream("check", seed, x.device)
        values = {}
        for name, learner in learners(model, q, place.engine, AT_REST, len(x)).items():
            objective = _wake_and_sleep if learner.dreams else _bound
            expected = _gradients(layers, lambda objective=objective: objective(model, q, x))  # type: ignore[misc]
            learner.step(Batch(x, torch.arange(len(x), device=x.device)), noise)
            for layer, module in layers.items():
                found = _flat([parameter.grad for parameter in module.parameters() if parameter.grad is not None])
                values[f"{name}, {layer}"] = float(found @ expected[layer] / expected[layer].square().sum()) - 1
        values[A_AND_B] = _a_and_b(model, q, x, seed, place)
        return values


def _a_and_b(model: GaussianModel, q: GaussianEncoder, x: Tensor, seed: int, place: Place) -> float:
    """How far the difference of A's and B's gradient of the mean's bias is from −Σ (z − μ), as a share of it."""
    eps = stream("check eps", seed, x.device)
    noise = Noise(torch.randn(1, len(x), model.n_latent, dtype=x.dtype, device=x.device, generator=eps))
    batch = Batch(x, torch.arange(len(x), device=x.device))
    gradients = {}
    for name, learner in learners(model, q, place.engine, AT_REST, len(x)).items():
        if not learner.dreams:
            learner.step(batch, eps, noise)
            assert q.mean.bias.grad is not None
            gradients[name] = q.mean.bias.grad.clone()
    a, b = gradients.values()
    with torch.no_grad():
        expected = -((0.5 * q(x).log_var).exp() * noise.normal[0]).sum(0)
    return float((a - b - expected).norm() / expected.norm())


def _gradients(layers: dict[str, nn.Linear], objective: Callable[[], Tensor]) -> dict[str, Tensor]:
    """Of the objective, by autograd, in the parameters of each layer."""
    parameters = {name: [*layer.parameters()] for name, layer in layers.items()}
    everything = [parameter for group in parameters.values() for parameter in group]
    gradients = dict(zip(everything, torch.autograd.grad(objective(), everything), strict=True))
    return {name: _flat([gradients[parameter] for parameter in group]) for name, group in parameters.items()}


def _flat(tensors: list[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])


def _bound(model: GaussianModel, q: GaussianEncoder, x: Tensor) -> Tensor:
    """The bound's expectation over noise, up to a constant, summed over the points."""
    mean, log_var = x @ q.mean.weight.T + q.mean.bias, q.log_var.bias
    negative_kl = 0.5 * (1 + log_var - mean.square() - log_var.exp()).sum()
    return _log_likelihood(model, x, mean, log_var) + negative_kl + _no_gradient(q)


def _wake_and_sleep(model: GaussianModel, q: GaussianEncoder, x: Tensor) -> Tensor:
    """Wake: E log p(x|z) in θ, z ~ q. Sleep: E log q(z|x) in φ over as many (x, z) ~ p, up to a constant."""
    with torch.no_grad():
        mean, log_var = x @ q.mean.weight.T + q.mean.bias, q.log_var.bias.clone()
    wake = _log_likelihood(model, x, mean, log_var)
    gain, weight, noise_var = q.mean.weight, model.output.weight.detach(), model.log_var.bias.detach().exp()
    bias = gain @ model.output.bias.detach() + q.mean.bias
    left = torch.eye(len(gain)).to(gain) - gain @ weight  # of z, once gain·x is taken from it
    squared = left.square().sum(1) + (gain.square() * noise_var).sum(1) + bias.square()
    sleep = -0.5 * len(x) * (squared * torch.exp(-q.log_var.bias) + q.log_var.bias).sum()
    return wake + sleep + _no_gradient(q)


def _log_likelihood(model: GaussianModel, x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """E log N(x; W z + b, D) over z ~ N(mean, diag exp(log_var)), up to a constant, summed over the points."""
    weight, precision = model.output.weight, torch.exp(-model.log_var.bias)
    squared = (x - mean @ weight.T - model.output.bias).square() @ precision
    spread = log_var.exp() @ weight.square().T @ precision
    return -0.5 * (squared + spread + model.log_var.bias.sum()).sum()


def _no_gradient(q: GaussianEncoder) -> Tensor:
    """Zero; the encoder's log σ² does not depend on x here, but its weight is a parameter."""
    return 0 * q.log_var.weight.sum()
