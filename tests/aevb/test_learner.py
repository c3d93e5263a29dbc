import numpy as np
import pytest
import torch
from torch import nn

from aevb.aevb import AEVB
from aevb.ascent import Ascent, AscentOptions
from aevb.encoder import GaussianEncoder
from aevb.estimators import evaluate_lower_bound, lower_bound_a, lower_bound_b
from aevb.learner import Batch
from aevb.model import BernoulliModel, GaussianModel
from baselines.wake_sleep import WakeSleep
from tests.oracles import FixedEncoder, linear_gaussian

LEARNERS = pytest.mark.parametrize("algorithm", [AEVB, WakeSleep])


def parameters_of(module):
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def small(algorithm, generator, options=AscentOptions(0.05, warm_up=0), **more):
    model = BernoulliModel(2, 9, (6,), generator=generator)
    encoder = GaussianEncoder(9, 2, (6,), generator=generator)
    return algorithm(model, encoder, 50, options, **more)


def batch(generator, m=20, d=9):
    return Batch(torch.rand(m, d, generator=generator), torch.arange(m))


@pytest.mark.parametrize("prior_on_biases", [False, True])
def test_ascent_is_adagrad_as_the_protocol_writes_it(prior_on_biases, generator):
    layer = nn.Linear(3, 2).double()
    expected = {name: value.numpy() for name, value in parameters_of(layer).items()}
    squares = {name: np.zeros_like(value) for name, value in expected.items()}
    options = AscentOptions(0.1, warm_up=3, prior_weight=2.0, prior_on_biases=prior_on_biases)
    ascent = Ascent(options, theta=layer)
    for step in range(8):
        x, target = torch.randn(5, 3, generator=generator).double(), torch.randn(5, 2, generator=generator).double()
        objective = -(layer(x) - target).square().sum()
        residual = x.numpy() @ expected["weight"].T + expected["bias"] - target.numpy()
        gradient = {"weight": -2 * residual.T @ x.numpy(), "bias": -2 * residual.sum(0)}
        ascent.step(objective, prior_scale=0.25)
        for name in expected:
            if name == "weight" or prior_on_biases:
                gradient[name] = gradient[name] - 2.0 * 0.25 * expected[name]
            squares[name] += gradient[name] ** 2
            if step >= 3:
                expected[name] = expected[name] + 0.1 * gradient[name] / np.sqrt(squares[name] + 1e-8)
            np.testing.assert_allclose(parameters_of(layer)[name], expected[name], rtol=1e-12)


@pytest.mark.parametrize("prior_on_encoder", [False, True])
def test_the_encoder_carries_a_prior_only_if_it_is_asked_for(prior_on_encoder, generator):
    encoder = GaussianEncoder(4, 2, (3,), zero_log_var=False, init_std=1.0, generator=generator).double()
    before = parameters_of(encoder)
    flat = sum((p * 0).sum() for p in encoder.parameters())
    options = AscentOptions(0.1, warm_up=0, prior_weight=2.0, prior_on_encoder=prior_on_encoder)
    Ascent(options, phi=encoder).step(flat, prior_scale=0.25)
    for name, value in parameters_of(encoder).items():
        gradient = -0.5 * before[name] if prior_on_encoder and name.endswith("weight") else 0 * before[name]
        torch.testing.assert_close(value, before[name] + 0.1 * gradient / (gradient.square() + 1e-8).sqrt())


def test_the_sleep_phase_climbs_the_encoders_prior_at_the_minibatchs_share(generator):
    moved = []
    for weight in (0.0, 50.0):
        options = AscentOptions(0.05, warm_up=0, prior_weight=weight, prior_on_encoder=True)
        learner = small(WakeSleep, torch.Generator().manual_seed(3), options)
        x, noise = batch(torch.Generator().manual_seed(4)), torch.Generator().manual_seed(5)
        start = parameters_of(learner.encoder)
        learner.step(x, noise)
        moved.append({name: p.grad.clone() for name, p in learner.encoder.named_parameters()} | {"start": start})
        change = parameters_of(learner.encoder)["hidden.0.weight"] - start["hidden.0.weight"]
        gradient = moved[-1]["hidden.0.weight"] - weight * 20 / 50 * start["hidden.0.weight"]
        torch.testing.assert_close(change, 0.05 * gradient / (gradient.square() + 1e-8).sqrt())


@LEARNERS
def test_nothing_moves_during_the_warm_up_and_everything_after_it(algorithm, generator):
    learner = small(algorithm, generator, AscentOptions(0.05, warm_up=2))
    start = [parameters_of(learner.model), parameters_of(learner.encoder)]
    for step in range(3):
        learner.step(batch(generator), generator)
        for module, before in zip((learner.model, learner.encoder), start, strict=True):
            for name, value in parameters_of(module).items():
                assert torch.equal(value, before[name]) == (step < 2), name


def test_wake_touches_only_theta_and_sleep_only_phi(generator, monkeypatch):
    learner = small(WakeSleep, generator)
    model, encoder = parameters_of(learner.model), parameters_of(learner.encoder)
    seen = []
    ascend = Ascent.step

    def watched(self, *arguments, **named):
        ascend(self, *arguments, **named)
        theta, phi = parameters_of(learner.model), parameters_of(learner.encoder)
        seen.append(
            (
                any(not torch.equal(theta[k], model[k]) for k in model),
                any(not torch.equal(phi[k], encoder[k]) for k in encoder),
            )
        )

    monkeypatch.setattr(Ascent, "step", watched)
    learner.step(batch(generator), generator)
    assert seen == [(True, False), (True, True)]
    assert all(p.grad is not None for p in learner.model.parameters())


@LEARNERS
def test_the_reported_bound_is_the_estimator_before_the_update(algorithm, generator):
    learner = small(algorithm, generator)
    b = batch(generator, m=4000)
    reported = learner.step(b, generator)
    assert reported.samples == 4000
    fresh = small(algorithm, torch.Generator().manual_seed(20131220))
    expected = evaluate_lower_bound(fresh.model, fresh.encoder, b.x, generator, n_samples=50)
    difference = reported.bound - expected
    assert abs(float(difference.mean())) < 4 * float(difference.std()) / 4000**0.5


@LEARNERS
def test_state_goes_on_bit_for_bit(algorithm, generator):
    one, other = small(algorithm, generator), small(algorithm, generator)
    batches = [batch(generator) for _ in range(6)]
    noise = torch.Generator().manual_seed(1)
    for b in batches[:3]:
        one.step(b, noise)
    other.load_state_dict(one.state_dict())
    other_noise = torch.Generator()
    other_noise.set_state(noise.get_state())
    for b in batches[3:]:
        assert torch.equal(one.step(b, noise).bound, other.step(b, other_noise).bound)
    for name, value in parameters_of(one.model).items():
        assert torch.equal(value, parameters_of(other.model)[name])


def linear_learner(algorithm, generator, options, n):
    model = GaussianModel(2, 6, (), log_var="constant", squash_mean=False, init_std=0.1, generator=generator).double()
    gain, offset = 0.1 * torch.randn(2, 6, generator=generator).double(), torch.zeros(6).double()
    return algorithm(model, FixedEncoder(gain, offset, torch.zeros(2).double()), n, options)


@pytest.mark.parametrize(("algorithm", "estimator"), [(AEVB, lower_bound_a), (AEVB, lower_bound_b), (WakeSleep, None)])
def test_learners_reach_maximum_likelihood_on_linear_gaussian_data(algorithm, estimator, generator):
    # Wilks: the best of 26 parameters beats the true ones by about 26 / (2·4000) = 0.003 nats on their own data.
    oracle = linear_gaussian(2, 6)
    x = oracle.simulate(4000)
    options = AscentOptions(0.05, warm_up=0, prior_weight=0.0)
    learner = linear_learner(algorithm, generator, options, len(x))
    if estimator is not None:
        learner._estimator = estimator
    for _ in range(4000):
        indices = torch.randint(len(x), (100,), generator=generator)
        learner.step(Batch(x[indices], indices), generator)
    truth = oracle.log_marginal(x).mean()
    bound = evaluate_lower_bound(learner.model, learner.encoder, x, generator, n_samples=20).mean()
    assert truth - 0.06 < bound < truth + 0.02


def test_the_prior_covers_own_parameters_but_those_named_bias(generator):
    class Network(nn.Module):
        """One weight of the reader's name, and a bias."""

        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))
            self.bias = nn.Parameter(torch.ones(3))

    network = Network()
    Ascent(AscentOptions(0.1, warm_up=0), theta=network).step((network.scale + network.bias).sum() * 0, prior_scale=1.0)
    assert torch.allclose(network.scale, torch.tensor(0.9))  # Adagrad's first step is η against the sign of θ
    assert torch.equal(network.bias, torch.ones(3))


class Lying(nn.Module):
    """One weight, as it lies in memory, whose gradient is one number for all, or lies in another order."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)


LAYOUTS = {
    "one number for all": (torch.ones(3, 4), lambda weight: 2 * weight.sum()),
    "a transposed gradient": (torch.ones(3, 4), lambda weight: (weight.T * torch.arange(12.0).view(4, 3)).sum()),
    "a transposed weight": (torch.ones(4, 3).T, lambda weight: (weight * torch.arange(12.0).view(3, 4)).sum()),
    "every second number": (torch.ones(3, 8)[:, ::2], lambda weight: (weight * torch.arange(12.0).view(3, 4)).sum()),
}


@pytest.mark.parametrize(("weight", "objective"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_ascent_is_adagrad_however_weights_and_gradients_lie_in_memory(weight, objective):
    network = Lying(weight.clone() if weight.is_contiguous() else weight)
    ascent = Ascent(AscentOptions(0.1, warm_up=0), theta=network)
    expected, squares = network.weight.detach().clone().contiguous(), torch.full((3, 4), 1e-8)
    for _ in range(3):
        value = objective(network.weight)
        (gradient,) = torch.autograd.grad(value, network.weight, retain_graph=True)
        ascent.step(value, prior_scale=0.5)
        slope = gradient - 0.5 * expected
        squares = squares + slope.square()
        expected = expected + 0.1 * slope / squares.sqrt()
        torch.testing.assert_close(network.weight.detach(), expected)
