"""Arguments of another kind than a function takes are named as the caller knows them; none ends in Python's errors."""

import math

import numpy as np
import pytest
import torch

from aevb import diagnostics, hmc, tuning
from aevb.aevb import AEVB
from aevb.ascent import Ascent, AscentOptions
from aevb.best_gaussian import best_gaussian
from aevb.data import load_dataset
from aevb.densities import DiagonalGaussian
from aevb.encoder import GaussianEncoder
from aevb.errors import DataError, UserError
from aevb.fast.aevb import FastAEVB
from aevb.learner import Batch, Noise
from aevb.linear_gaussian import probabilistic_pca
from aevb.marginal.ais import ais_log_likelihood, reverse_ais_log_likelihood
from aevb.marginal.annealing import Annealing, tune_step_sizes
from aevb.marginal.appendix_d import appendix_d_log_likelihood
from aevb.marginal.chains import posterior_gaussian
from aevb.model import BernoulliModel
from aevb.reparameterization.inverse_cdf import reciprocal, uniform_noise
from aevb.trained import build, describe
from baselines.fast_wake_sleep import FastWakeSleep
from baselines.full_vb import FullVariationalBayes
from baselines.mcem import MonteCarloEM
from baselines.reweighted_wake_sleep import ReweightedWakeSleep
from baselines.wake_sleep import WakeSleep
from tests.bad_input import Tally, check_message, refuses
from tests.oracles import linear_gaussian
from tests.right_arguments import CHAINS, ENCODER, EPS, INDICES, LATENT, MODEL, PIXELS, SHORT, STATE, G, N, X, Z


def total(z):
    return -z.square().sum(-1)


HALF = torch.tensor(0.5)
STEPS = torch.full((len(SHORT.betas) - 1, N), 0.1)
NORMAL, UNIFORM = EPS[:1], torch.rand(N, PIXELS)
WRONG_STEPS = [
    torch.tensor(-0.1),
    torch.tensor(math.nan),
    HALF.double(),
    torch.full((N,), 0.1).double(),
    torch.ones(3),
    0.1,
    None,
]
CALLS = {
    "chains": [
        call
        for chains in (None, Z, (Z, HALF), CHAINS._replace(step_size=0.1), CHAINS._replace(n_tuned=0))
        for call in (
            lambda chains=chains: appendix_d_log_likelihood(MODEL, X, chains, G),
            lambda chains=chains: posterior_gaussian(MODEL, X, chains, G),
            lambda chains=chains: tuning.tune(total, chains, 2, 1, G),
        )
    ] + [lambda: tuning.tune_per_chain(torch.ones(3), torch.ones(3), 0)],
    "states and step sizes": [
        *(lambda s=s: hmc.move(total, s, HALF, 1, G) for s in (None, Z, (Z, Z))),
        *(lambda s=s: hmc.leapfrog(total, s, Z, HALF, 1) for s in (None, Z)),
        *(lambda m=m: hmc.leapfrog(total, STATE, m, HALF, 1) for m in (None, [1, 2], Z[0])),
        *(lambda h=h: hmc.move(total, STATE, h, 1, G) for h in WRONG_STEPS),
        *(lambda h=h: tuning.tune(total, CHAINS._replace(step_size=h), 1, 1, G) for h in WRONG_STEPS),
        lambda: hmc.gathered([]),
    ],
    "annealing": [
        *(
            lambda b=b: Annealing(b)
            for b in ([0.0, 0.5, 1.0], np.linspace(0, 1, 5), None, torch.tensor(0.5), torch.tensor([[0.0, 1.0]]))
        ),
        *(lambda a=a: ais_log_likelihood(MODEL, X, G, a) for a in (0, "short", SHORT.betas)),
        *(lambda t=t: ais_log_likelihood(MODEL, X, G, SHORT, on_progress=t) for t in (True, "AIS")),
        *(lambda a=a: tune_step_sizes(MODEL, X, G, a) for a in (None, 0)),
        *(
            lambda s=s: ais_log_likelihood(MODEL, X, G, SHORT, step_sizes=s)
            for s in (0.1, STEPS.tolist(), STEPS[1:], STEPS * math.nan, -STEPS)
        ),
        *(lambda z=z: reverse_ais_log_likelihood(MODEL, X, z, G, SHORT) for z in (None, Z.numpy(), Z.tolist())),
        *(lambda f=f: appendix_d_log_likelihood(MODEL, X, CHAINS, G, fit=f) for f in (["kde"], None, {})),
        *(lambda a=a: appendix_d_log_likelihood(MODEL, X, CHAINS, G, adapt=a) for a in (["burn_in"], None)),
    ],
    "noise of a step": [
        *(
            lambda kind=kind, noise=noise: kind(MODEL, ENCODER, N).step(Batch(X, INDICES), G, noise)
            for kind in (AEVB, FastAEVB)
            for noise in (Noise(EPS), Noise(NORMAL[:, :2]), Noise(NORMAL[..., :1]), Noise(None), NORMAL, EPS)
        ),
        *(
            lambda kind=kind, noise=noise: kind(MODEL, ENCODER, N).step(Batch(X, INDICES), G, noise)
            for kind in (WakeSleep, FastWakeSleep, lambda *a: ReweightedWakeSleep(*a, n_samples=1, sleep=True))
            for noise in (
                Noise(EPS[:2]), Noise(EPS[:2], UNIFORM[:1]), Noise(EPS[:2], UNIFORM[:, :1]), Noise(EPS, UNIFORM),
            )
        ),
    ],
    "batches and objectives": [
        *(
            lambda kind=kind, b=b: kind(MODEL, ENCODER, N).step(b, G)
            for kind in (AEVB, FastAEVB)
            for b in ((X, INDICES), X, None)
        ),
        lambda: torch.no_grad()(AEVB(MODEL, ENCODER, N).step)(Batch(X, INDICES), G),
        *(
            lambda o=o: Ascent(AscentOptions(), theta=MODEL).step(o)
            for o in (1.0, None, torch.tensor(1.0), MODEL.pixel_mean(Z))
        ),
    ],
    "states of learners": [
        lambda made=made, state=state: made.load_state_dict(state)
        for made in (AEVB(MODEL, ENCODER, N), MonteCarloEM(MODEL, N, G), WakeSleep(MODEL, ENCODER, N))
        for state in ({}, None, [], {"model": {}}, MODEL.state_dict())
    ],
    "full variational Bayes": [
        *(lambda s=s: FullVariationalBayes(MODEL, ENCODER, N, weight_std=s) for s in (0, 0.0, -1, math.nan, "1")),
        *(lambda o=o: FullVariationalBayes(MODEL, ENCODER, N, o) for o in (0.1, None, {})),
    ],
    "diagnostics": [
        *(lambda s=s: diagnostics.report(s) for s in (None, Z)),
        *(
            lambda chains=chains: diagnostics.report(hmc.sample(total, hmc.evaluate(total, chains), HALF, 5, 1, G))
            for chains in (Z[0], torch.randn(2, 3, LATENT))
        ),
        lambda: diagnostics.report(hmc.sample(total, STATE, HALF, 3, 1, G)),
    ],
    "Gaussians to begin with": [
        lambda q=q: best_gaussian(MODEL, X, q, G)
        for q in (
            DiagonalGaussian(Z, Z[:, :1]), DiagonalGaussian(Z, torch.zeros(5)), DiagonalGaussian(Z, Z.double()),
            DiagonalGaussian(Z.double(), Z), DiagonalGaussian(None, Z), DiagonalGaussian(Z, 0.0),
        )
    ],
    "reparameterizations": [
        lambda: reciprocal(torch.ones(3), torch.ones(4) * 2, torch.full((4,), 0.5)),
        lambda: reciprocal(torch.ones(3), torch.ones(3) * 2, torch.full((4,), 0.5)),
        *(lambda like=like: uniform_noise((3,), like, G) for like in (INDICES, X > 0.5, None)),
    ],
    "linear-Gaussian models": [
        lambda: linear_gaussian(5, 3), lambda: linear_gaussian(0, 3), lambda: linear_gaussian(1, 2.5),
    ],
}  # fmt: skip


@pytest.mark.parametrize("calls", CALLS.values(), ids=CALLS.keys())
def test_what_is_of_another_kind_is_named(calls, tally: Tally):
    for call in calls:
        refuses(call, tally)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: posterior_gaussian(MODEL, X, CHAINS, G, n_leapfrog=0), "n_leapfrog"),
        (lambda: posterior_gaussian(MODEL, X, CHAINS, G, n_burn_in=-1), "n_burn_in"),
        (lambda: probabilistic_pca(X, -1), "n_latent` must be a whole number, at least 1"),
        (lambda: probabilistic_pca(X, PIXELS), f"n_latent` must be between 1 and {PIXELS - 1}"),
    ],
)
def test_an_error_speaks_of_what_the_caller_has_given(call, name):
    with pytest.raises(UserError, match="^`" + name):
        call()


def test_errors_of_datasets_speak_of_the_functions_own_arguments(tmp_path):
    with pytest.raises(UserError, match=r"^dataset must be a known name"):
        load_dataset("no_such_module_here:load")
    for deadline in ("a", None, [3], -1, math.nan):
        with pytest.raises(DataError, match=r"^deadline: ") as caught:
            load_dataset("frey_face", deadline=deadline)
        check_message(str(caught.value))
    np.save(tmp_path / "words.npy", np.array([["a", "b"], ["c", "d"]]))
    with pytest.raises(DataError, match="float, integer or bool"):
        load_dataset(tmp_path / "words.npy")


def test_networks_of_other_widths_are_described_and_built_again():
    model, encoder = (
        BernoulliModel(LATENT, PIXELS, (5,), generator=G),
        GaussianEncoder(PIXELS, LATENT, (7, 3), generator=G),
    )
    again = build(describe(model, encoder))
    assert torch.equal(again[0].pixel_mean(Z), model.pixel_mean(Z))
    assert torch.equal(again[1](X).mean, encoder(X).mean)
    assert "encoder_hidden" not in describe(model, GaussianEncoder(PIXELS, LATENT, (5,)))


@pytest.mark.parametrize("kind", [AEVB, FastAEVB])
def test_a_step_with_as_much_noise_as_it_draws_is_taken(kind):
    bound = kind(MODEL, ENCODER, N, n_samples=3).step(Batch(X, INDICES), G, Noise(EPS)).bound
    assert bound.shape == (N,)


def test_the_best_gaussian_is_found_where_gradients_are_off():
    q = DiagonalGaussian(Z, torch.zeros_like(Z))
    expected, seeds = [], (torch.Generator().manual_seed(1) for _ in range(2))
    for context, seed in zip((torch.enable_grad(), torch.no_grad()), seeds, strict=True):
        with context:
            expected.append(best_gaussian(MODEL, X, q, seed, n_steps=3).mean)
    assert torch.equal(*expected)


def test_a_step_size_of_one_number_serves_all_chains():
    one = CHAINS._replace(step_size=torch.tensor([0.1]))
    assert tuning.tune(total, one, 2, 1, G)[0].step_size.shape == (N,)
    double = hmc.evaluate(total, Z.double())
    assert hmc.move(total, double, torch.tensor(0.1), 1, G).state.z.dtype == torch.float64
