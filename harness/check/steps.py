"""How far a step moves the parameters, held to Adagrad's formula on a linear-Gaussian model."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from aevb.ascent import AscentOptions
from aevb.learner import Batch, Learner
from aevb.linear_gaussian import exact_encoder
from aevb.model import GenerativeModel
from baselines.fast_mcem import FastMinibatchMonteCarloEM, FastMonteCarloEM
from baselines.mcem import MinibatchMonteCarloEM, MonteCarloEM
from harness.check.case import Place
from harness.check.linear_gaussian import learners, problem
from harness.runs.streams import stream

ETA, PRIOR_WEIGHT, N_DATAPOINTS = 0.03, 1000.0, 1000  # a prior that weighs about as much as the data
OPTIONS = AscentOptions(ETA, warm_up=1, prior_weight=PRIOR_WEIGHT, prior_on_encoder=True)


@dataclass(frozen=True)
class Steps:
    """How far parameters lie, after two steps, from where a formula has them, as a share of the way that they went.

    The first step only accumulates; the second one is η·g₂/√(g₁² + g₂²), with g the gradient that a step has left, and
    for all weights the prior's, −(M/N)·weight·θ. In Monte Carlo EM autograd's gradient where the chains
    are stands in for the one that was left.

    Attributes:
        name: in one line.
        n_latent: size of z.
        points: in the minibatch.
    """

    name: str
    n_latent: int
    points: int

    random: ClassVar[bool] = False
    exact: ClassVar[frozenset[str]] = frozenset(
        f"{step}, {letter}"
        for step, letters in {
            **dict.fromkeys(("AEVB's step, A", "AEVB's step, B", "wake-sleep's step"), "θφ"),
            **dict.fromkeys(("MCEM's step", "minibatch MCEM's step"), "θ"),
        }.items()
        for letter in letters
    )

    def measure(self, seed: int, place: Place) -> dict[str, float]:
        """Shares, 0 for the step that is expected."""
        model, x, _, _ = problem(self.n_latent, self.points, place)
        q = exact_encoder(model)
        starts = [(module, _vector(module)) for module in (model, q)]
        noise = stream("check", seed, x.device)
        batch, few, many = Batch(x, torch.arange(len(x), device=x.device)), len(x), N_DATAPOINTS
        full, part = MonteCarloEM, MinibatchMonteCarloEM
        if place.engine == "fast":
            full, part = FastMonteCarloEM, FastMinibatchMonteCarloEM
        steppers: dict[str, tuple[Learner, int]] = {
            **{name: (learner, many) for name, learner in learners(model, q, place.engine, OPTIONS, many).items()},
            "MCEM's step": (full(model, few, noise, OPTIONS, n_weight_steps=1), few),
            "minibatch MCEM's step": (part(model, many, noise, OPTIONS, n_weight_steps=1), many),
        }
        values = {}
        for name, (learner, n) in steppers.items():
            for module, start in starts:
                vector_to_parameters(start, module.parameters())
            for letter, share in _shares(learner, batch, few / n, noise).items():
                values[f"{name}, {letter}"] = share
        return values


def _shares(learner: Learner, batch: Batch, prior_scale: float, noise: torch.Generator) -> dict[str, float]:
    """For θ, and for φ where there is an encoder."""
    modules = {"θ": learner.model} if learner.encoder is None else {"θ": learner.model, "φ": learner.encoder}
    starts = {letter: _vector(module) for letter, module in modules.items()}
    gradients: dict[str, list[Tensor]] = {letter: [] for letter in modules}
    chains = []
    for _ in range(2):
        learner.step(batch, noise)
        for letter, module in modules.items():
            gradients[letter].append(torch.cat([_gradient(p).flatten() for p in module.parameters()]))
        if learner.encoder is None:
            chains.append(learner.state_dict()["chains"]["z"][batch.indices])
    ways = {letter: _vector(module) - starts[letter] for letter, module in modules.items()}
    if chains:
        vector_to_parameters(starts["θ"], learner.model.parameters())
        gradients["θ"] = [_autograd(learner.model, batch.x, z) for z in chains]
    shares = {}
    for letter, module in modules.items():
        has_prior = [torch.full_like(p, name.endswith("weight")).flatten() for name, p in module.named_parameters()]
        prior = prior_scale * PRIOR_WEIGHT * torch.cat(has_prior) * starts[letter]
        first, second = (gradient - prior for gradient in gradients[letter])
        expected = ETA * second / (1e-8 + first.square() + second.square()).sqrt()
        shares[letter] = float((ways[letter] - expected).norm() / expected.norm())
    return shares


def _vector(module: nn.Module) -> Tensor:
    return parameters_to_vector(module.parameters()).detach().clone()


def _gradient(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()


def _autograd(model: GenerativeModel, x: Tensor, z: Tensor) -> Tensor:
    gradients = torch.autograd.grad(model.log_likelihood(x, z).sum(), [*model.parameters()], allow_unused=True)
    return torch.cat(
        [
            torch.zeros_like(p).flatten() if g is None else g.flatten()
            for p, g in zip(model.parameters(), gradients, strict=True)
        ]
    )
