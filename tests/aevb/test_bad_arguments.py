"""A wrong argument of a public function is an error that names it; it never broadcasts, and never ends in NaN."""

import copy
import math

import numpy as np
import pytest
import torch

from aevb import diagnostics, hmc, restore, tuning
from aevb.aevb import AEVB
from aevb.ascent import Ascent, AscentOptions
from aevb.best_gaussian import best_gaussian
from aevb.data import binarize, load_dataset
from aevb.densities import DiagonalGaussian
from aevb.encoder import GaussianEncoder
from aevb.errors import UserError
from aevb.estimators import evaluate_lower_bound, lower_bound_a, lower_bound_b, standard_normal
from aevb.evaluation import evaluate, lower_bound
from aevb.fast.aevb import FastAEVB
from aevb.learner import Batch
from aevb.linear_gaussian import exact_encoder, exact_log_marginal, exact_posterior, probabilistic_pca
from aevb.marginal.ais import ais_log_likelihood, reverse_ais_log_likelihood, simulate
from aevb.marginal.annealing import Annealing, sigmoidal_schedule
from aevb.marginal.appendix_d import appendix_d_log_likelihood
from aevb.marginal.chains import posterior_gaussian, start_chains
from aevb.marginal.gaussian import FullGaussian
from aevb.marginal.importance import importance_log_likelihood
from aevb.model import BernoulliModel, GaussianModel
from aevb.reparameterization.inverse_cdf import uniform_noise
from baselines.fast_wake_sleep import FastWakeSleep
from baselines.full_vb import FullVariationalBayes
from baselines.importance_weighted import ImportanceWeighted, importance_weighted_bound
from baselines.mcem import MonteCarloEM
from baselines.reweighted_wake_sleep import ReweightedWakeSleep
from baselines.score_function import ScoreFunction, score_function_bound
from baselines.sticking_the_landing import StickingTheLanding, sticking_the_landing_bound
from baselines.wake_sleep import WakeSleep
from tests.bad_input import Tally, check_message, refuses
from tests.right_arguments import (
    CHAINS,
    ENCODER,
    EPS,
    GAUSSIAN,
    INDICES,
    LATENT,
    MODEL,
    PIXELS,
    SHORT,
    STATE,
    G,
    N,
    X,
    Z,
    with_value,
)


def total(z):
    """A log-density for chains that will not run."""
    return z.sum(-1)


ELSEWHERE = Z.to("meta")
STATE_ELSEWHERE = hmc.State(*(part.to("meta") for part in STATE))


class Narrow(torch.nn.Linear):
    """An encoder of one latent, which would broadcast to two."""

    def forward(self, x):
        return DiagonalGaussian(*super().forward(x).chunk(2, -1))


NARROW = Narrow(PIXELS, 2)
SHARING = copy.deepcopy(ENCODER)
SHARING.mean.weight = MODEL.output.weight
BOUNDS = (
    lower_bound_a, lower_bound_b, score_function_bound, importance_weighted_bound, sticking_the_landing_bound,
)  # fmt: skip
WITH_ANY_ENCODER = (
    AEVB, WakeSleep, ReweightedWakeSleep, ScoreFunction, ImportanceWeighted, StickingTheLanding, FullVariationalBayes,
)  # fmt: skip
APPENDIX_D = ("n_samples", "n_burn_in", "n_leapfrog", "chunk")
RESTORE = ("n_chains", "n_candidates", "n_burn_in", "n_samples", "n_leapfrog")
WRONG_Z = [Z[:, :1], torch.randn(N, 3), torch.tensor(1.0), Z.double(), Z.to("meta"), Z.tolist()]
CALLS = {
    "decoder's z": [lambda z=z, m=m: m.pixel_mean(z) for z in WRONG_Z for m in (MODEL, GAUSSIAN)],
    "log-likelihood's x": [
        lambda m=m, x=x: m.log_likelihood(x, Z) for m in (MODEL, GAUSSIAN) for x in (X[:, :1], X.double())
    ],
    "encoder's x": [lambda x=x: ENCODER(x) for x in (X[:, :1], X[0, 0], X.double(), None)],
    "network sizes": [
        *(lambda n=n: BernoulliModel(n, PIXELS) for n in (0, -1, 2.0, True, "2", None)),
        *(lambda n=n: GaussianModel(LATENT, n) for n in (0, -3, 1.5)),
        *(lambda h=h: GaussianEncoder(PIXELS, LATENT, h) for h in ((0,), (5, -1), (2.5,))),
        *(lambda s=s: BernoulliModel(LATENT, PIXELS, init_std=s) for s in (-1.0, float("nan"), float("inf"), "1")),
        lambda: GaussianModel(LATENT, PIXELS, log_var="pixel"),
    ],
    "learners": [
        lambda: AEVB(MODEL, ENCODER, 0), lambda: AEVB(MODEL, ENCODER, N, n_samples=0),
        lambda: WakeSleep(MODEL, ENCODER, -1),
        lambda: AEVB(MODEL, GaussianEncoder(PIXELS, 3), N), lambda: WakeSleep(MODEL, GaussianEncoder(7, LATENT), N),
        lambda: ScoreFunction(MODEL, ENCODER, N, n_samples=0), lambda: MonteCarloEM(MODEL, 0, G),
        lambda: MonteCarloEM(MODEL, N, G, n_leapfrog=0), lambda: MonteCarloEM(MODEL, N, G, step_size=float("nan")),
        lambda: MonteCarloEM(MODEL, N, G).step(Batch(X, INDICES // 2), G),
    ],
    "HMC": [
        lambda: hmc.evaluate(lambda z: z.sum(), Z), lambda: hmc.evaluate(lambda z: z, Z),
        lambda: hmc.leapfrog(total, STATE, Z[:1], torch.tensor(0.1), 1),
        lambda: hmc.leapfrog(total, STATE, Z, 0.1, 1),
        lambda: hmc.leapfrog(total, STATE, Z, torch.ones(3), 1),
        *(lambda n=n: hmc.leapfrog(total, STATE, Z, torch.tensor(0.1), n) for n in (0, -1, 1.5)),
        *(lambda n=n: hmc.sample(total, STATE, torch.tensor(0.1), n, 1, G) for n in (0, -2, 2.5)),
        *(lambda j=j: hmc.move(total, STATE, torch.tensor(0.1), 1, G, jitter=j) for j in (-0.1, 1.5, float("nan"))),
        lambda: tuning.tune(total, CHAINS, -1, 1, G),
    ],
    "numbers of the estimators": [
        *(lambda k=k: evaluate_lower_bound(MODEL, ENCODER, X, G, **{k: 0}) for k in ("n_samples", "chunk")),
        lambda: importance_log_likelihood(MODEL, X, ENCODER(X), G, n_samples=24),
        lambda: importance_log_likelihood(MODEL, X, ENCODER(X), G, chunk=0),
        lambda: importance_log_likelihood(MODEL, X, ENCODER(X), G, n_prior=-1),
        *(lambda k=k: appendix_d_log_likelihood(MODEL, X, CHAINS, G, **{k: -1}) for k in APPENDIX_D),
        lambda: appendix_d_log_likelihood(MODEL, X, CHAINS, G, fit="normal"),
        lambda: appendix_d_log_likelihood(MODEL, X, CHAINS._replace(z=Z[:2]), G),
        lambda: appendix_d_log_likelihood(MODEL, X, CHAINS._replace(z=Z.double()), G),
        lambda: appendix_d_log_likelihood(MODEL, X, CHAINS._replace(step_size=torch.ones(3)), G),
        *(lambda k=k: start_chains(MODEL, X, G, **{k: 0}) for k in ("n_candidates", "chunk")),
        lambda: start_chains(MODEL, X, G, step_size=-1.0),
        lambda: posterior_gaussian(MODEL, X, CHAINS, G, n_samples=1),
        lambda: posterior_gaussian(MODEL, X, CHAINS, G, inflate=0.0),
        *(lambda k=k: Annealing(**{k: 0}) for k in ("n_chains", "n_leapfrog", "n_tuning_chains", "chunk")),
        lambda: Annealing(torch.tensor([0.0, 0.5])), lambda: Annealing(jitter=2.0), lambda: sigmoidal_schedule(1),
        lambda: ais_log_likelihood(MODEL, X, G, SHORT, step_sizes=torch.ones(1, N)),
        *(lambda z=z: reverse_ais_log_likelihood(MODEL, X, z, G, SHORT) for z in (Z[:1], Z[:, :1], Z.double())),
        lambda: simulate(MODEL, 0, G), lambda: simulate(MODEL, -1, G),
        *(lambda n=n: probabilistic_pca(X.double(), n) for n in (0, PIXELS, -1)),
        lambda: probabilistic_pca(with_value(torch.nan), 1), lambda: probabilistic_pca(X[0], 1),
        lambda: exact_log_marginal(GAUSSIAN, X),
    ],
    "encoders of another size": [
        *(
            lambda bound=bound, q=q: bound(MODEL, lambda x: q, X, EPS)
            for bound in BOUNDS
            for q in (
                DiagonalGaussian(Z[:, :1], Z[:, :1]), DiagonalGaussian(Z[:1], Z[:1]), DiagonalGaussian(Z[0], Z[0]),
                DiagonalGaussian(Z, Z[:, :1]), DiagonalGaussian(Z, Z[:2]), (Z, Z[:, :1]), Z, None,
            )
        ),
        lambda: evaluate_lower_bound(MODEL, NARROW, X, G),
        *(lambda kind=kind: kind(MODEL, NARROW, N).step(Batch(X, INDICES), G) for kind in WITH_ANY_ENCODER),
    ],
    "proposals": [
        lambda q=q: importance_log_likelihood(MODEL, X, q, G)
        for q in (
            None, Z, (Z,), (Z, None), ENCODER(X[:1]), ENCODER(X[:3]), (Z[:, :1], Z[:, :1]), (Z.double(), Z.double()),
            (Z.to("meta"), Z.to("meta")), torch.distributions.Laplace(Z, 1.0), torch.distributions.LogNormal(Z, 1.0),
            torch.distributions.HalfNormal(Z.exp()), FullGaussian(Z, torch.eye(3)),
        )
    ] + [
        lambda q=q: evaluate(MODEL, X, G, q=lambda x: q)
        for q in (
            torch.distributions.LogNormal(Z, 1.0), torch.distributions.HalfNormal(Z.exp()),
            torch.distributions.Independent(torch.distributions.LogNormal(Z, 1.0), 1), (Z * torch.nan, Z),
        )
    ] + [
        lambda: lower_bound(MODEL, X, (Z, Z[:2]), G, 9), lambda: lower_bound(MODEL, X, ENCODER(X), G, 1),
        lambda: lower_bound(MODEL, X.double(), ENCODER(X), G, 9),
    ],
    "restoration": [
        lambda: restore.pixel_log_likelihood(MODEL, X, torch.ones(PIXELS), Z),
        lambda: restore.pixel_log_likelihood(MODEL, X, torch.ones(3, dtype=torch.bool), Z),
        *(lambda s=s: restore.denoise(MODEL, X, s, Z) for s in (-1.0, float("nan"), "0")),
        lambda: restore.noisy_log_likelihood(MODEL, X[:, :1], 0.1, Z),
        *(lambda k=k: restore.sample_posterior(total, (N, LATENT), G, **{k: -1}) for k in RESTORE),
        lambda: restore.sample_posterior(total, (0, LATENT), G),
    ],
    "ascent": [
        *(lambda k=k, v=v: AscentOptions(**{k: v}) for k in ("step_size", "prior_weight") for v in (-1, math.nan, "1")),
        *(lambda v=v: AscentOptions(warm_up=v) for v in (-1, 0.5, True)),
    ],
    "estimators of another shape": [
        call
        for wrong in (lambda *a: lower_bound_b(*a).mean(), lambda *a: lower_bound_b(*a)[None], lambda *a: 0.0)
        for call in (
            lambda wrong=wrong: evaluate_lower_bound(MODEL, ENCODER, X, G, estimator=wrong),
            lambda wrong=wrong: AEVB(MODEL, ENCODER, N, estimator=wrong).step(Batch(X, INDICES), G),
            lambda wrong=wrong: FullVariationalBayes(MODEL, ENCODER, N, estimator=wrong).step(Batch(X, INDICES), G),
            lambda wrong=wrong: FullVariationalBayes(MODEL, ENCODER, N, estimator=wrong).evidence_bound(X, G, 2),
        )
    ],
    "parameters": [
        lambda: AEVB(MODEL, SHARING, N), lambda: WakeSleep(MODEL, SHARING, N),
        lambda: Ascent(AscentOptions(), theta=MODEL).step(MODEL.output.bias.sum()),
        lambda: Ascent(AscentOptions(), theta=torch.nn.Linear(2, 2)).climb(),
    ],
    "fast learners": [
        lambda kind=kind, bad=bad: kind(MODEL, ENCODER, **({"n_datapoints": 9} | bad))
        for kind in (FastAEVB, FastWakeSleep)
        for bad in ({"n_datapoints": 0}, {"n_samples": 0}, {"n_samples": 1.5})
    ],
    "sources of randomness": [
        call
        for none in (None, 0, "seed", np.random.default_rng(0))
        for call in (
            lambda none=none: evaluate_lower_bound(MODEL, ENCODER, X, none),
            lambda none=none: MODEL.sample_pixels(Z, none),
            lambda none=none: hmc.move(lambda z: -z.square().sum(-1), STATE, torch.tensor(0.1), 1, none),
            lambda none=none: restore.sample_posterior(total, (N, LATENT), none),
            lambda none=none: best_gaussian(MODEL, X, ENCODER(X), none),
            lambda none=none: uniform_noise((3,), Z, none),
            lambda none=none: binarize(X, "static", none),
            lambda none=none: evaluate(MODEL, X, none),
        )
    ],
    "sources of randomness on another device": [
        lambda: standard_normal((3,), ELSEWHERE, G), lambda: uniform_noise((3,), ELSEWHERE, G),
        *(
            lambda jitter=jitter: hmc.move(total, STATE_ELSEWHERE, STATE_ELSEWHERE.log_density[0], 1, G, jitter=jitter)
            for jitter in (0.0, 0.5)
        ),
        *(lambda m=m: copy.deepcopy(m).to("meta").pixel_noise(3, G) for m in (MODEL, GAUSSIAN)),
        lambda: MonteCarloEM(copy.deepcopy(MODEL).to("meta"), N, G),
    ],
    "things of another kind": [
        lambda: lower_bound_b(ENCODER, MODEL, X, EPS), lambda: lower_bound_b(MODEL, ENCODER, X, EPS.numpy()),
        lambda: evaluate_lower_bound(MODEL, None, X, G),
        lambda: evaluate_lower_bound(MODEL, ENCODER, X, G, estimator="b"),
        lambda: exact_log_marginal(MODEL, X), lambda: exact_posterior(ENCODER, X), lambda: exact_encoder(GAUSSIAN),
        lambda: probabilistic_pca(X.numpy(), 1), lambda: probabilistic_pca(X, 1.5),
        lambda: best_gaussian(MODEL, X, (Z, Z), G), lambda: best_gaussian(MODEL, X, ENCODER(X[:1]), G),
        lambda: best_gaussian(MODEL, X, DiagonalGaussian(Z * torch.nan, Z), G),
        lambda: evaluate(MODEL, X, G, q=3), lambda: evaluate(MODEL, X, G, q=lambda x: (Z, Z[:, :1])),
        lambda: hmc.evaluate(None, Z), lambda: hmc.evaluate(total, Z.numpy()), lambda: hmc.evaluate(total, Z.int()),
        lambda: hmc.evaluate(lambda z: 0.0, Z), lambda: hmc.evaluate(lambda z: total(z.detach()), Z),
        lambda: hmc.evaluate(lambda z: torch.ones(N, requires_grad=True), Z),
        lambda: hmc.move(total, STATE, 0.1, 1, G, jitter=0.5),
        lambda: hmc.leapfrog(total, STATE, torch.zeros_like(Z).double(), torch.tensor(0.1), 1),
        lambda: MODEL.log_joint(X, [0.0]), lambda: GAUSSIAN.log_joint(X, None),
        lambda: probabilistic_pca(X[:, :0], 1), lambda: probabilistic_pca(X[:, :1], 1),
        lambda: sigmoidal_schedule(300, 36.0), lambda: AscentOptions(torch.tensor(0.1)),
        lambda: hmc.move(total, STATE, torch.ones(3), 1, G, jitter=0.5),
        lambda: diagnostics.effective_sample_size(np.zeros((9, 2))), lambda: diagnostics.split_r_hat(Z.tolist()),
        lambda: diagnostics.split_r_hat(torch.zeros(9, 0)),
        lambda: restore.pixel_log_likelihood(MODEL, X.numpy(), torch.ones(PIXELS).bool(), Z),
        lambda: restore.pixel_log_likelihood(MODEL, X, [True] * PIXELS, Z),
        lambda: restore.sample_posterior(total, N, G), lambda: restore.sample_posterior(total, (N, LATENT, 1), G),
        lambda: restore.sample_posterior(None, (N, LATENT), G),
        lambda: restore.sample_posterior(lambda z: z, (N, LATENT), G),
        lambda: binarize(X.numpy(), "threshold"), lambda: binarize((X * 255).byte(), "threshold"),
        lambda: MODEL.sample_pixels(Z.numpy(), G), lambda: MODEL.sample_pixels(Z[0, 0], G),
    ],
    "binarization": [
        lambda: binarize(X, "dynamic"), lambda: binarize(X + 1, "static", G),
        *(
            lambda kind=kind, value=value: binarize(with_value(value), kind, G)
            for kind in ("threshold", "static", "dynamic")
            for value in (torch.nan, torch.inf, -0.1, 1.01)
        ),
    ],
}  # fmt: skip


def test_whole_numbers_of_numpy_are_whole_numbers():
    assert FastAEVB(MODEL, ENCODER, np.int64(9), AscentOptions(np.float64(0.1), np.int64(0))).n_normal == 1


@pytest.mark.parametrize("calls", CALLS.values(), ids=CALLS.keys())
def test_a_wrong_argument_is_named(calls, tally: Tally):
    for call in calls:
        refuses(call, tally)


SETTINGS = [
    {"split": "random"}, {"pixel_scale": -1.0}, {"pixel_scale": "255"}, {"data_dir": "nowhere/at/all"},
    {"data_dir": 3}, {"name": None}, {"name": 3},
]  # fmt: skip


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_wrong_setting_of_a_dataset_is_named(settings, tally: Tally):
    with pytest.raises(UserError) as caught:
        load_dataset(**{"name": "mnist", **settings})
    check_message(str(caught.value))
    tally("bad inputs")
