"""Gradients by hand are of the project's own networks; those of others are autograd's, or are refused."""

import copy

import pytest
import torch
from torch import nn

from aevb.ascent import AscentOptions
from aevb.densities import DiagonalGaussian
from aevb.encoder import GaussianEncoder
from aevb.errors import ArgumentError
from aevb.fast.aevb import FastAEVB
from aevb.fast.posterior import Posterior, posterior
from aevb.model import BernoulliModel, GaussianModel
from aevb.trained import build, describe
from baselines.fast_mcem import FastMonteCarloEM
from baselines.fast_wake_sleep import FastWakeSleep

MODEL, ENCODER = BernoulliModel(2, 6, (5,)), GaussianEncoder(6, 2, (5,))


def changed(network, **layers):
    network = copy.deepcopy(network)
    for name, layer in layers.items():
        setattr(network, name, layer)
    return network


class Shifted(GaussianEncoder):
    """Something else than its class's."""

    def forward(self, x):
        q = super().forward(x)
        return DiagonalGaussian(q.mean + 3, q.log_var)


def shifted():
    encoder = Shifted(6, 2, (5,))
    encoder.load_state_dict(ENCODER.state_dict())
    return encoder


class Own(BernoulliModel):
    """A class of the reader's."""


MODELS = {
    "relu": changed(MODEL, hidden=nn.Sequential(nn.Linear(2, 5), nn.ReLU())),
    "no activation": changed(MODEL, hidden=nn.Sequential(nn.Linear(2, 5))),
    "no sequence": changed(MODEL, hidden=nn.Linear(2, 5)),
    "steeper softplus": changed(MODEL, hidden=nn.Sequential(nn.Linear(2, 5), nn.Softplus(beta=2))),
    "no bias": changed(MODEL, output=nn.Linear(5, 6, bias=False)),
    "deeper output": changed(MODEL, output=nn.Sequential(nn.Linear(5, 6))),
    "variances without bias": changed(GaussianModel(2, 6, (5,)), log_var=nn.Linear(5, 6, bias=False)),
}
ENCODERS = {
    "subclass": shifted(),
    "relu": changed(ENCODER, hidden=nn.Sequential(nn.Linear(6, 5), nn.ReLU())),
    "deeper head": changed(ENCODER, mean=nn.Sequential(nn.Linear(5, 2))),
    "another": nn.Linear(6, 4),
}


@pytest.mark.parametrize("kind", [FastAEVB, FastWakeSleep])
@pytest.mark.parametrize("model", [*MODELS.values(), Own(2, 6, (5,))], ids=[*MODELS, "subclass"])
def test_learners_by_hand_refuse_other_decoders(kind, model):
    with pytest.raises(ArgumentError, match=r"`model` must be of the project's own class .*, got .*: use "):
        kind(model, ENCODER, 9)


@pytest.mark.parametrize("model", [*MODELS.values(), Own(2, 6, (5,))], ids=[*MODELS, "subclass"])
def test_monte_carlo_em_by_hand_refuses_other_decoders(model, generator):
    with pytest.raises(ArgumentError, match=r"`model` must be of the project's own class .*, got .*: use "):
        FastMonteCarloEM(model, 9, generator, AscentOptions())


@pytest.mark.parametrize("kind", [FastAEVB, FastWakeSleep])
@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS.keys())
def test_learners_by_hand_refuse_other_encoders(kind, encoder):
    with pytest.raises(ArgumentError, match=r"`encoder` must be of the project's own class .*, got .*: use "):
        kind(MODEL, encoder, 9)


@pytest.mark.parametrize("model", [each for name, each in MODELS.items() if name != "no sequence"])
def test_chains_climb_what_the_decoder_computes_whatever_its_layers(model, generator):
    x, z = torch.rand(4, 6, generator=generator), torch.randn(4, 2, generator=generator).requires_grad_()
    target = posterior(model, x)
    assert not isinstance(target, Posterior)
    (expected,) = torch.autograd.grad(model.log_joint(x, z).sum(), z)
    (slope,) = torch.autograd.grad(target(z).sum(), z)
    torch.testing.assert_close(slope, expected)


def test_chains_of_the_projects_own_decoders_have_theirs_by_hand(generator):
    x = torch.rand(4, 6, generator=generator)
    for model in (MODEL, GaussianModel(2, 6, (5,)), GaussianModel(2, 6, (), log_var="constant"), GaussianModel(2, 6)):
        assert isinstance(posterior(model, x), Posterior)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_a_network_that_cannot_be_built_again_is_not_described(model):
    with pytest.raises(ArgumentError, match=r"`model` must have the layers .*: write a decoder of your own"):
        describe(model, None)


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS.keys())
def test_an_encoder_that_cannot_be_built_again_is_not_described(encoder):
    with pytest.raises(ArgumentError, match=r"`encoder` must be a GaussianEncoder .*: give None to leave it out"):
        describe(MODEL, encoder)


def test_another_activation_than_is_named_is_not_described():
    with pytest.raises(ArgumentError, match="`model` must have the layers"):
        describe(changed(MODEL, hidden=nn.Sequential(nn.Linear(2, 5), nn.Softplus())), None)


def test_what_is_described_is_built_again(generator):
    x = torch.rand(4, 6, generator=generator)
    model, encoder = build(describe(MODEL, ENCODER))
    assert encoder is not None
    torch.testing.assert_close(encoder(x).mean, ENCODER(x).mean, rtol=0, atol=0)
    torch.testing.assert_close(model.pixel_mean(x[:, :2]), MODEL.pixel_mean(x[:, :2]), rtol=0, atol=0)
