"""The hand-written steps against the readable ones, which have their gradients from autograd."""

import copy

import pytest
import torch

from aevb.aevb import AEVB
from aevb.encoder import GaussianEncoder
from aevb.estimators import LOWER_BOUNDS
from aevb.fast.aevb import FastAEVB
from aevb.learner import AscentOptions, Batch, draw_noise
from aevb.model import BernoulliModel, GaussianModel
from baselines.fast_wake_sleep import FastWakeSleep
from baselines.wake_sleep import WakeSleep

N, M, D = 300, 12, 14
OPTIONS = AscentOptions(0.05, warm_up=2, prior_on_biases=False)
DECODERS = {
    "bernoulli": (BernoulliModel, {}),
    "gaussian": (GaussianModel, {"log_var_factor": 0.3}),
    "gaussian from the hidden layer": (GaussianModel, {"log_var": "hidden"}),
    "gaussian with a constant": (GaussianModel, {"log_var": "constant", "squash_mean": False}),
}


def modules(decoder, hidden, generator, dtype):
    kind, more = DECODERS[decoder]
    model = kind(3, D, hidden, init_std=0.3, generator=generator, **more)
    encoder = GaussianEncoder(D, 3, hidden, init_std=0.3, log_var_factor=0.5, zero_log_var=False, generator=generator)
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


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(("method", "estimator"), [("aevb", "a"), ("aevb", "b"), ("wake_sleep", "b")])
def test_every_step_is_the_reference_step_up_to_float32_rounding(method, estimator, decoder, generator):
    dtype = torch.float32
    reference, fast = pair(method, decoder, (7,), generator, dtype, estimator=estimator)
    assert follow(reference, fast, generator, dtype) < 2e-5
