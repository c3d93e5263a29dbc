"""The hand-written steps against the readable ones, which have their gradients from autograd."""

import copy
import math

import pytest
import torch

from aevb import hmc
from aevb.aevb import AEVB
from aevb.ascent import AscentOptions
from aevb.encoder import GaussianEncoder
from aevb.estimators import LOWER_BOUNDS
from aevb.fast.aevb import FastAEVB
from aevb.fast.posterior import ROWS, Posterior, posterior
from aevb.fast.products import EXACT, products
from aevb.fast.stack import Stack
from aevb.fast.unseen import unseen
from aevb.learner import Batch, Noise, draw_noise
from aevb.model import BernoulliModel, GaussianModel
from baselines.fast_mcem import FastMinibatchMonteCarloEM, FastMonteCarloEM
from baselines.fast_wake_sleep import FastWakeSleep
from baselines.mcem import MinibatchMonteCarloEM, MonteCarloEM
from baselines.wake_sleep import WakeSleep

N, M, D = 300, 12, 14
OPTIONS = AscentOptions(0.05, warm_up=2, prior_on_encoder=True)
DECODERS = {
    "bernoulli": (BernoulliModel, {}),
    "gaussian": (GaussianModel, {"log_var_factor": 0.3}),
    "gaussian from the hidden layer": (GaussianModel, {"log_var": "hidden"}),
    "bernoulli, softplus": (BernoulliModel, {"activation": "softplus"}),
    "gaussian, softplus": (GaussianModel, {"activation": "softplus", "zero_output_bias": True}),
    "gaussian with a constant": (GaussianModel, {"log_var": "constant", "squash_mean": False}),
}


def modules(decoder, hidden, generator, dtype):
    kind, more = DECODERS[decoder]
    model = kind(3, D, hidden, init_std=0.3, generator=generator, **more)
    encoder = GaussianEncoder(
        D, 3, hidden, activation=more.get("activation", "tanh"), init_std=0.3, log_var_factor=0.5, zero_log_var=False,
        generator=generator,
    )  # fmt: skip
    return model.to(dtype), encoder.to(dtype)


def pair(method, decoder, hidden, generator, dtype, *, estimator="b", n_samples=1, options=OPTIONS):
    """The two learners, alike in all parameters."""
    model, encoder = modules(decoder, hidden, generator, dtype)
    twins = copy.deepcopy(model), copy.deepcopy(encoder)
    if method == "wake_sleep":
        return (
            WakeSleep(model, encoder, N, options, n_samples=n_samples),
            FastWakeSleep(*twins, N, options, n_samples=n_samples),
        )
    return (
        AEVB(model, encoder, N, options, estimator=LOWER_BOUNDS[estimator], n_samples=n_samples),
        FastAEVB(*twins, N, options, estimator=estimator, n_samples=n_samples),
    )


def follow(reference, fast, generator, dtype, steps=12):
    """Largest relative distance of bounds and of parameters on the way."""
    worst = 0.0
    for _ in range(steps):
        batch = Batch(torch.rand(M, D, generator=generator).to(dtype), torch.arange(M))
        noise = draw_noise(reference, batch, generator)
        bounds = [learner.step(batch, generator, noise).bound for learner in (reference, fast)]
        values = [bounds]
        for ours, theirs in ((reference.model, fast.model), (reference.encoder, fast.encoder)):
            values += zip(ours.parameters(), theirs.parameters(), strict=True)
        for one, other in values:
            worst = max(worst, float((one - other).detach().abs().max() / one.detach().abs().max()))
    return worst


@pytest.mark.parametrize("hidden", [(), (7,), (7, 5)], ids=str)
@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(("method", "estimator"), [("aevb", "a"), ("aevb", "b"), ("wake_sleep", "b")])
@pytest.mark.parametrize("n_samples", [1, 3])
def test_every_step_is_the_reference_step(method, estimator, decoder, hidden, n_samples, generator):
    dtype = torch.float64
    reference, fast = pair(method, decoder, hidden, generator, dtype, estimator=estimator, n_samples=n_samples)
    assert follow(reference, fast, generator, dtype) < 1e-11


@pytest.mark.parametrize("library", EXACT)
@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(("method", "estimator"), [("aevb", "a"), ("aevb", "b"), ("wake_sleep", "b")])
def test_every_step_is_the_reference_step_up_to_float32_rounding(method, estimator, decoder, library, generator):
    dtype = torch.float32
    reference, fast = pair(method, decoder, (7,), generator, dtype, estimator=estimator)
    with products(library):
        assert follow(reference, fast, generator, dtype) < 2e-5


@pytest.mark.parametrize("method", ["aevb", "wake_sleep"])
def test_autograd_can_go_on_with_what_a_step_leaves(method, generator):
    _, fast = pair(method, "bernoulli", (7,), generator, torch.float32)
    x = torch.rand(M, D, generator=generator)
    bound = fast.step(Batch(x, torch.arange(M)), generator).bound
    before = [parameter.grad.clone() for parameter in fast.model.parameters()]
    fast.model.log_likelihood(x, torch.zeros(M, 3)).sum().backward()
    assert all(
        (one != parameter.grad).any()
        for one, parameter in zip(before, fast.model.parameters(), strict=True)
        if parameter.ndim == 1
    )
    weights = torch.ones(M, requires_grad=True)
    (weights * bound.add_(1)).sum().backward()
    assert torch.equal(weights.grad, bound)


@pytest.mark.parametrize("method", ["aevb", "wake_sleep"])
def test_steps_that_are_unseen_at_once_are_those_taken_one_by_one(method, generator):
    reference, fast = pair(method, "bernoulli", (7,), generator, torch.float32)
    twin = copy.deepcopy(fast)
    batch = Batch(torch.rand(M, D, generator=generator), torch.arange(M))
    noises = [draw_noise(reference, batch, generator) for _ in range(5)]
    with unseen(reference):
        assert not torch.is_inference_mode_enabled()
    with unseen(fast):
        assert torch.is_inference_mode_enabled()
        bounds = [fast.step(batch, generator, noise).bound for noise in noises]
    assert all(map(torch.equal, bounds, [twin.step(batch, generator, noise).bound for noise in noises]))
    assert all(map(torch.equal, fast.model.parameters(), twin.model.parameters()))
    assert not any(parameter.is_inference() or parameter.grad.is_inference() for parameter in fast.model.parameters())


@pytest.mark.parametrize("library", EXACT)
@pytest.mark.parametrize("method", ["aevb", "wake_sleep", "mcem"])
def test_a_copy_of_a_learner_that_has_stepped_goes_on_as_it_does(method, library, generator):
    if method == "mcem":
        model, _ = modules("bernoulli", (7,), generator, torch.float32)
        fast = FastMonteCarloEM(model, N, torch.Generator().manual_seed(1), OPTIONS)
    else:
        _, fast = pair(method, "bernoulli", (7,), generator, torch.float32)
    batches = [Batch(torch.rand(N, D, generator=generator), torch.arange(N)) for _ in range(4)]
    with products(library):
        for batch in batches:
            fast.step(batch, torch.Generator().manual_seed(2))
        twin = copy.deepcopy(fast)
        for batch in batches:
            fast.step(batch, torch.Generator().manual_seed(2))
        mine = [parameter.clone() for parameter in fast.model.parameters()]
        for batch in batches:
            twin.step(batch, torch.Generator().manual_seed(2))
    assert all(map(torch.equal, mine, twin.model.parameters()))
    assert all(map(torch.equal, mine, fast.model.parameters()))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("batch_size", [0, 150])
def test_monte_carlo_em_is_the_reference(decoder, batch_size, generator):
    # More points than one part holds, so that the parts' gradients add up.
    model, _ = modules(decoder, (7,), generator, torch.float64)
    kinds = (MinibatchMonteCarloEM, FastMinibatchMonteCarloEM) if batch_size else (MonteCarloEM, FastMonteCarloEM)
    learners = [
        kind(copy.deepcopy(model), N, torch.Generator().manual_seed(1), AscentOptions(0.05, warm_up=2))
        for kind in kinds
    ]
    x = torch.rand(N, D, generator=generator).double()
    noise = [torch.Generator().manual_seed(2) for _ in kinds]
    assert N > 2 * ROWS
    for _ in range(4):
        indices = torch.randint(N, (batch_size,), generator=generator) if batch_size else torch.arange(N)
        for learner, own in zip(learners, noise, strict=True):
            learner.step(Batch(x[indices], indices), own)
    for one, other in zip(learners[0].model.parameters(), learners[1].model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)
    one, other = (learner._chains.state_dict()["counts"] for learner in learners)
    torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_the_posterior_knows_its_gradient(decoder, beta, generator):
    model, _ = modules(decoder, (7,), generator, torch.float64)
    x = torch.rand(2 * ROWS + 3, D, generator=generator).double()
    z = torch.randn(2, len(x), 3, generator=generator).double()
    by_hand = posterior(model, x, beta)
    assert isinstance(by_hand, Posterior)

    def plain(z):
        return -0.5 * (z.square() + math.log(2 * math.pi)).sum(-1) + beta * model.log_likelihood(x, z)

    expected, got = hmc.evaluate(plain, z), hmc.evaluate(by_hand, z)
    for one, other in zip(expected, got, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(by_hand(z), expected.log_density, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(by_hand.gradient(z), expected.gradient, rtol=1e-10, atol=1e-10)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_model_of_ones_own_has_its_gradient_from_autograd(generator):
    class Shifted(BernoulliModel):
        def logits(self, z):
            return super().logits(z) + 1

    model = Shifted(2, D, (5,), init_std=0.3, generator=generator).double()
    x, z = torch.rand(6, D, generator=generator).double(), torch.randn(6, 2, generator=generator).double()
    torch.testing.assert_close(posterior(model, x)(z), model.log_joint(x, z))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(("method", "estimator"), [("aevb", "a"), ("aevb", "b"), ("wake_sleep", "b")])
@pytest.mark.parametrize(("n_samples", "library"), [(1, "blas"), (3, "blas"), (1, "openblas")])
def test_a_run_in_a_stack_is_the_run_alone(method, estimator, decoder, n_samples, library, generator):
    more = {"estimator": estimator, "n_samples": n_samples}
    stacked = [pair(method, decoder, (7,), generator, torch.float64, **more)[1] for _ in range(3)]
    alone = [learner.remade(copy.deepcopy(learner.model), copy.deepcopy(learner.encoder)) for learner in stacked]
    stack = Stack(stacked)
    for _ in range(6):
        batches = [Batch(torch.rand(M, D, generator=generator).double(), torch.arange(M)) for _ in alone]
        noises = [draw_noise(learner, batch, generator) for learner, batch in zip(alone, batches, strict=True)]
        bounds = [
            learner.step(batch, generator, noise).bound
            for learner, batch, noise in zip(alone, batches, noises, strict=True)
        ]
        pixels = [noise.pixels for noise in noises]
        joint = Noise(
            torch.stack([noise.normal for noise in noises]), None if pixels[0] is None else torch.stack(pixels)
        )
        x = torch.stack([batch.x for batch in batches])
        with products(library):
            info = stack.step(Batch(x, torch.stack([batch.indices for batch in batches])), generator, joint)
        torch.testing.assert_close(info.bound, torch.stack(bounds), rtol=1e-11, atol=1e-11)
    for own, joined in zip(alone, stacked, strict=True):
        assert own.state_dict().keys() == joined.state_dict().keys()
        for module, twin in ((own.model, joined.model), (own.encoder, joined.encoder)):
            for one, other in zip(module.parameters(), twin.parameters(), strict=True):
                torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)
        for ascent, twin in zip(own.ascents, joined.ascents, strict=True):
            assert ascent.steps == twin.steps == 6
            for one, other in zip(ascent.accumulators, twin.accumulators, strict=True):
                torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)
