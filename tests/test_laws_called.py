"""What is called as laws call it, on one thread; what cannot be is told how."""

import copy

import pytest
import torch
from torch import nn

from aevb.aevb import AEVB
from aevb.errors import ArgumentError
from aevb.estimators import lower_bound_b
from aevb.model import BernoulliModel, GaussianModel
from aevb.testing import LawBroken, check_bound, check_decoder, check_learner
from aevb.testing.learner_training import FRESH
from baselines.score_function import ScoreFunction
from baselines.wake_sleep import WakeSleep


def minus_the_bound(model, encoder, x, eps):
    return -lower_bound_b(model, encoder, x, eps)


def of_bernoulli_pixels(model, encoder, x, eps):
    return torch.nn.functional.binary_cross_entropy(model.pixel_mean(encoder(x).mean), x, reduction="none").sum(-1)


class Convolutional(BernoulliModel):
    """Images of 28×28 from networks of its own, whose weights come from torch's generator."""

    def __init__(self, n_latent, n_pixels, hidden, *, scale=1.0):
        nn.Module.__init__(self)
        self.n_latent, self.n_pixels, self.scale = n_latent, n_pixels, scale
        self.deep = nn.Sequential(
            *(nn.Linear(n_latent, 196), nn.Unflatten(-1, (4, 7, 7)), nn.Tanh()),
            *(nn.ConvTranspose2d(4, 4, 2, stride=2), nn.Tanh(), nn.ConvTranspose2d(4, 1, 2, stride=2)),
        )
        self.output = self.deep[-1]

    def logits(self, z):
        return self.scale * self.deep(z.reshape(-1, self.n_latent)).reshape(*z.shape[:-1], 784)


class Asserting(BernoulliModel):
    """Images of 28×28 and no others."""

    def __init__(self, n_latent, n_pixels, hidden, **layers):
        assert n_pixels == 784, n_pixels
        super().__init__(n_latent, n_pixels, hidden, **layers)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: check_bound(minus_the_bound), r"below log p\(x\) in mean, got \+.* a loss in place of a bound"),
        (
            lambda: check_bound(of_bernoulli_pixels),
            r"a bound must answer, got RuntimeError: .* GaussianModel.* take model\.log_l",
        ),
        (lambda: check_bound(lambda x: x), "a bound must answer, got TypeError: .* bound\\(model, encoder, x, eps\\)"),
        (lambda: check_decoder(nn.Linear), r"a decoder must be an aevb.model.GenerativeModel, got Linear: let its"),
        (lambda: check_decoder(lambda z: None), r"a decoder's class must answer, got TypeError: .* decoder\(2, 6, hi"),
        (lambda: check_decoder(Convolutional), r"a decoder must answer, got RuntimeError: .* check_decoder with n_lat"),
        (
            lambda: check_decoder(Asserting),
            r"decoder's class must answer, got AssertionError: 6.* check_decoder with n_l",
        ),
        (
            lambda: check_learner(AEVB, [Asserting]),
            r"class must answer, got AssertionError: 6.* check_learner with n_p",
        ),
        (
            lambda: check_learner(AEVB, [Convolutional]),
            r"decoder must answer, got RuntimeError: .* check_learner wi",
        ),
        (
            lambda: check_learner(lambda model: None),
            r"a learner's class must answer, got TypeError: .* learner\(model,",
        ),
    ],
)
def test_what_cannot_be_called_as_a_law_calls_it_is_told_how(call, says):
    with pytest.raises(LawBroken, match=says):
        call()


def test_a_convolution_with_weights_of_torchs_own_keeps_the_laws_and_leaves_its_generator_alone():
    before = torch.get_rng_state()
    check_decoder(Convolutional, n_latent=3, n_pixels=784)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("decoder", [Asserting, Convolutional])
def test_a_learner_keeps_the_laws_with_a_decoder_of_large_images(decoder):
    check_learner(AEVB, [decoder], n_pixels=784)


def with_kept(part: str) -> type[AEVB]:
    """AEVB that leaves the model or the encoder as it is."""

    class Changed(AEVB):
        def step(self, batch, generator, noise=None):
            kept = copy.deepcopy(getattr(self, part).state_dict())
            info = super().step(batch, generator, noise)
            getattr(self, part).load_state_dict(kept)
            return info

    return Changed


@pytest.mark.parametrize(("part", "says"), [("model", "must raise the mean log p"), ("encoder", "must bring KL")])
def test_with_large_images_a_law_is_broken_as_with_small_ones(part, says):
    with pytest.raises(LawBroken, match=f"training {says}"):
        check_learner(with_kept(part), [Asserting], n_pixels=784)


@pytest.mark.parametrize("kind", [BernoulliModel, GaussianModel])
@pytest.mark.parametrize("learner", [AEVB, WakeSleep, ScoreFunction])
def test_our_learners_keep_the_laws_at_other_sizes(learner, kind):
    check_learner(learner, [kind], n_pixels=300)
    check_learner(learner, [kind], n_pixels=1)


def test_a_law_with_a_model_of_its_own_is_tried_once_whatever_the_decoders():
    linear = []

    def learner(model, encoder, n_datapoints, options):
        linear.append(not len(model.hidden))
        return AEVB(model, encoder, n_datapoints, options)

    check_learner(learner, [BernoulliModel, GaussianModel])
    assert sum(linear) == FRESH


@pytest.mark.parametrize("n_pixels", [0, 2.5, None])
def test_a_learner_is_tried_at_a_size_that_is_one(n_pixels):
    with pytest.raises(ArgumentError, match="`n_pixels` must be a whole number"):
        check_learner(AEVB, n_pixels=n_pixels)


@pytest.mark.parametrize("kind", [BernoulliModel, GaussianModel])
def test_our_decoders_keep_the_laws_at_other_sizes(kind):
    check_decoder(kind, n_latent=5, n_pixels=300)
    check_decoder(kind, n_latent=1, n_pixels=1)


@pytest.mark.parametrize("sizes", [{"n_latent": 0}, {"n_pixels": 2.5}, {"n_pixels": None}])
def test_a_decoder_is_tried_at_sizes_that_are_some(sizes):
    with pytest.raises(ArgumentError, match=f"`{next(iter(sizes))}` must be a whole number"):
        check_decoder(BernoulliModel, **sizes)


def test_laws_run_on_one_thread_and_leave_the_others_be():
    seen, threads = [], torch.get_num_threads()

    def watched(model, encoder, x, eps):
        seen.append(torch.get_num_threads())
        return lower_bound_b(model, encoder, x, eps)

    torch.set_num_threads(2)
    try:
        check_bound(watched)
        assert {*seen} == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
