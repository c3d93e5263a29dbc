"""Arguments that are right each, and do not fit each other or the function, are named; nothing broadcasts unasked."""

import math

import pytest
import torch

from aevb import restore
from aevb.aevb import AEVB
from aevb.encoder import GaussianEncoder
from aevb.fast.aevb import FastAEVB
from aevb.joint import Joint
from aevb.learner import Batch
from aevb.marginal.ais import simulate
from aevb.model import BernoulliModel, GaussianModel
from baselines.fast_mcem import FastMinibatchMonteCarloEM, FastMonteCarloEM
from baselines.fast_wake_sleep import FastWakeSleep
from baselines.full_vb import FullVariationalBayes
from baselines.importance_weighted import ImportanceWeighted
from baselines.mcem import MinibatchMonteCarloEM, MonteCarloEM
from baselines.reweighted_wake_sleep import ReweightedWakeSleep
from baselines.score_function import ScoreFunction
from baselines.sticking_the_landing import StickingTheLanding
from baselines.wake_sleep import WakeSleep
from tests.bad_input import Tally, refuses
from tests.right_arguments import GAUSSIAN, INDICES, LATENT, MODEL, PIXELS, G, N, X, Z

MODELS = (MODEL, GAUSSIAN)
SEEN = torch.arange(PIXELS) < 3
DRAWS = torch.randn(5, 2, N, LATENT, generator=G)
JOINT = Joint(lambda x, z: -(z.square().sum(-1) + x.square().sum(-1)), LATENT, PIXELS)


def total(z):
    return z.sum(-1)


CALLS = {
    "x and z": [
        call
        for model in MODELS
        for call in (
            lambda model=model: model.log_likelihood(X, Z[:1]), lambda model=model: model.log_likelihood(X, Z[0]),
            lambda model=model: model.log_likelihood(X[:3], Z), lambda model=model: model.log_joint(X[:3], DRAWS),
            lambda model=model: model.log_likelihood(X[None], Z),
        )
    ],
    "noise of pixels": [
        call
        for model in MODELS
        for call in (
            lambda model=model: model.pixels_at(Z, X[:, :1]), lambda model=model: model.pixels_at(Z, X[:, :5]),
            lambda model=model: model.pixels_at(Z[:1], X), lambda model=model: model.pixels_at(Z, X.double()),
            lambda model=model: model.pixels_at(Z, None), lambda model=model: model.pixel_noise(-1, G),
            lambda model=model: model.pixel_noise(2.0, G), lambda model=model: model.pixel_noise(3, None),
            lambda model=model: model.pixel_noise(3, 0),
        )
    ],
    "images to restore": [
        call
        for model in MODELS
        for z, x in ((Z, X[:3]), (DRAWS, X[:1]), (Z[0], X), (Z, X[0]), (DRAWS, X[None]), (Z.double(), X), (None, X))
        for call in (
            lambda model=model, x=x, z=z: restore.pixel_log_likelihood(model, x, SEEN, z),
            lambda model=model, x=x, z=z: restore.noisy_log_likelihood(model, x, 0.1, z),
            lambda model=model, x=x, z=z: restore.denoise(model, x, 0.1, z),
        )
    ] + [lambda: restore.denoise(None, X, 0.1, Z), lambda: restore.pixel_log_likelihood(JOINT, X, SEEN, Z)],
    "draws of restored images": [
        *(lambda z=z: restore.posterior_mean(MODEL.pixel_mean, z) for z in (DRAWS[:, 0], DRAWS[:0], Z, None)),
        *(lambda z=z: restore.predictive_log_likelihood(total, z) for z in (DRAWS[:, 0], DRAWS[:, :0], DRAWS[None])),
        *(
            lambda f=f: restore.posterior_mean(f, DRAWS)
            for f in (None, lambda z: z > 0, lambda z: (z > 0).int(), lambda z: z.mean(0), lambda z: 0.0)
        ),
        *(
            lambda f=f: restore.predictive_log_likelihood(f, DRAWS)
            for f in (None, lambda z: z, lambda z: z.sum(), lambda z: total(z)[0], lambda z: total(z).int())
        ),
    ],
    "chains of restored images": [
        *(
            lambda d=d: restore.sample_posterior(total, (N, LATENT), G, dtype=d)
            for d in (torch.int64, "float64", None, torch.bool)
        ),
        lambda: restore.sample_posterior(total, (N, LATENT), G, n_burn_in=0, jitter=math.nan),
    ],
    "models that draw": [
        lambda: simulate(JOINT, 3, G), lambda: simulate(None, 3, G), lambda: simulate(torch.nn.Linear(2, 6), 3, G),
        lambda: MonteCarloEM(JOINT, N, G),
        *(lambda none=none: MonteCarloEM(MODEL, N, none) for none in (None, 0, "seed")),
    ],
}  # fmt: skip


@pytest.mark.parametrize("calls", CALLS.values(), ids=CALLS.keys())
def test_what_does_not_fit_is_named(calls, tally: Tally):
    for call in calls:
        refuses(call, tally)


@pytest.mark.parametrize("model", MODELS)
def test_a_z_for_each_datapoint_and_more_of_them_are_taken(model):
    assert model.log_likelihood(X[:1], DRAWS).shape == DRAWS.shape[:-1]
    assert model.log_likelihood(X[0], Z).shape == (N,)
    assert model.log_likelihood(X, DRAWS).shape == DRAWS.shape[:-1]
    assert model.pixels_at(DRAWS, X).shape == (5, 2, N, PIXELS)
    with torch.no_grad():
        assert restore.posterior_mean(model.pixel_mean, DRAWS).shape == (N, PIXELS)
        assert restore.predictive_log_likelihood(lambda z: model.log_likelihood(X, z), DRAWS).shape == (N,)


WITH_ENCODER = (
    AEVB, FastAEVB, WakeSleep, FastWakeSleep, ImportanceWeighted, ReweightedWakeSleep, ScoreFunction,
    StickingTheLanding,
)  # fmt: skip
OF_CHAINS = (MonteCarloEM, FastMonteCarloEM, MinibatchMonteCarloEM, FastMinibatchMonteCarloEM)


def networks():
    return BernoulliModel(LATENT, PIXELS, (5,), generator=G), GaussianEncoder(PIXELS, LATENT, (5,), generator=G)


@pytest.mark.parametrize("kind", [*WITH_ENCODER, *OF_CHAINS])
@pytest.mark.parametrize("which", ["model", "encoder"])
@pytest.mark.parametrize("how_many", ["one", "all"])
def test_a_learner_refuses_parameters_that_take_no_gradients_and_says_how_to_train_on(kind, which, how_many, tally):
    model, encoder = networks()
    parts = (model, encoder, N) if kind in WITH_ENCODER else (model, N, G)
    module = {"model": model, "encoder": encoder}[which]
    frozen = list(module.parameters())[-1 if how_many == "one" else 0 :]
    for parameter in frozen:
        parameter.requires_grad_(False)
    if which == "model" or kind in WITH_ENCODER:
        refuses(lambda: kind(*parts), tally)
        with pytest.raises(ValueError, match=rf"`{which}` .*\.bias.* call {which}\.requires_grad_\(True\)"):
            kind(*parts)
    module.requires_grad_(True)
    kind(*parts).step(Batch(X, INDICES), G)


def test_full_variational_bayes_leaves_what_is_known_of_a_model_and_refuses_an_encoder_without_gradients(tally):
    model, encoder = networks()
    model.output.requires_grad_(False)
    before = model.output.weight.clone()
    FullVariationalBayes(model, encoder, N).step(Batch(X, INDICES), G)
    assert torch.equal(model.output.weight, before)
    refuses(lambda: FullVariationalBayes(model, encoder.requires_grad_(False), N), tally)


@pytest.mark.parametrize("kind", [MinibatchMonteCarloEM, FastMinibatchMonteCarloEM, MonteCarloEM])
def test_places_of_later_batches_are_looked_at(kind, tally: Tally):
    learner = kind(networks()[0], N, G)
    learner.step(Batch(X, INDICES), G)
    before = learner.state_dict()["chains"]["z"]
    for wrong in (INDICES + 1, INDICES - 1, -INDICES - 1, INDICES[:3], INDICES.float(), INDICES.tolist(), None):
        refuses(lambda wrong=wrong: learner.step(Batch(X, wrong), G), tally)
    assert torch.equal(learner.state_dict()["chains"]["z"], before)


@pytest.mark.parametrize("make", [
    lambda: BernoulliModel(LATENT, PIXELS, (5,), generator=torch.Generator()),
    lambda: GaussianModel(LATENT, PIXELS, (5,), zero_log_var=True, generator=torch.Generator()),
    lambda: GaussianEncoder(PIXELS, LATENT, (5,), generator=torch.Generator()),
])  # fmt: skip
def test_a_network_that_is_given_a_generator_leaves_torchs_own_alone(make):
    before = torch.get_rng_state()
    made = make()
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(made.parameters(), make().parameters(), strict=True))


def test_a_networks_weights_are_the_generators_own_draws():
    layer = BernoulliModel(LATENT, PIXELS, (), init_std=1.0, generator=torch.Generator().manual_seed(3)).output
    noise = torch.Generator().manual_seed(3)
    assert torch.equal(layer.weight, torch.empty(PIXELS, LATENT).normal_(generator=noise))
    assert torch.equal(layer.bias, torch.empty(PIXELS).normal_(generator=noise))
