"""What is checked, as data."""

from collections.abc import Mapping
from typing import Any

from harness.check.beginnings import Beginnings
from harness.check.case import Case
from harness.check.gradients import Gradients
from harness.check.linear_gaussian import Bounds, Marginals
from harness.check.splits import Splits
from harness.check.steps import Steps
from harness.check.training import Training
from harness.check.waves import NAME as WAVES

CHECKED_SEEDS = 6
REFERENCE_SEEDS = 24

# Weights start far from zero, so that all latents are in use from the first steps on and seeds differ little; the
# prior weighs so much that its scale shows.
SMALL = "author+hidden=[50]+init_std=0.2+batch_size=50+warm_up=5+step_size=0.05+prior_weight=20+points_per_decade=2"
BERNOULLI, DYNAMIC = (f"{SMALL}+binarization={kind}" for kind in ("static", "dynamic"))
GAUSSIAN = SMALL + "+decoder=gaussian"
SOFTPLUS = "+decoder_log_var=hidden+encoder_activation=softplus+decoder_activation=softplus"
HEAD = GAUSSIAN + "+encoder_log_var_factor=0.1+decoder_log_var_factor=0.1+decoder_log_var_zero=true"
MCEM = "+warm_up=0"
BOUND: Mapping[str, Any] = {"n_latent": 5, "first_point": 2_000, "evaluation_points": 1000}
MARGINAL: Mapping[str, Any] = {
    "n_latent": 3,
    "n_train": 150,  # more than the hand-written gradient takes at once
    "samples": 90_000,
    "first_point": 30_000,
    "evaluation_points": 50,
    "measure": "marginal_log_likelihood",
}
SOONER = {"samples": 30_000, "first_point": 10_000}
SHORTER, SHORT, LONG = ({**BOUND, "samples": samples} for samples in (10_000, 20_000, 40_000))
ON_MNIST = "author+hidden=[50]+init_std=0.05+batch_size=50+warm_up=10+points_per_decade=2"
MNIST: Mapping[str, Any] = {"n_latent": 10, "samples": 10_000, "first_point": 3_000, "evaluation_points": 500}

CASES: tuple[Case, ...] = (
    Splits("MNIST, grey", "mnist", "author"),
    Splits("MNIST, binarized, N = 1000", "mnist", "author+binarization=static", {"n_train": 1000}),
    Splits("waves", WAVES, "author"),
    Splits("waves, in order", WAVES, "author+split=chronological"),
    Beginnings("beginnings, MNIST", "mnist", "author"),
    Beginnings("beginnings, MNIST, wake-sleep", "mnist", "author", "wake_sleep"),
    Beginnings("beginnings, Frey Face", "frey_face", "author"),
    Beginnings("beginnings, Frey Face, paper", "frey_face", "paper"),
    Bounds("linear-Gaussian, bound − log p(x)", n_latent=3, points=500),
    Gradients("linear-Gaussian, gradient / expectation − 1", n_latent=3, points=1000),
    Steps("linear-Gaussian, step / Adagrad's − 1", n_latent=3, points=150),
    Marginals("linear-Gaussian, estimate − log p(x)", n_latent=3, points=100),
    Training("AEVB, B, Bernoulli", WAVES, "aevb", BERNOULLI + "+estimator=b", SHORT),
    Training("AEVB, A, Bernoulli", WAVES, "aevb", DYNAMIC, SHORT),
    Training("AEVB, B, Gaussian", WAVES, "aevb", HEAD + "+estimator=b", LONG),
    Training("AEVB, A, Gaussian", WAVES, "aevb", GAUSSIAN + SOFTPLUS, LONG),
    Training("wake-sleep, Bernoulli", WAVES, "wake_sleep", BERNOULLI, SHORT),
    Training("wake-sleep, Gaussian", WAVES, "wake_sleep", HEAD, SHORTER),
    Training("MCEM, Bernoulli", WAVES, "mcem", BERNOULLI + MCEM + "+batch_size=0", MARGINAL),
    Training("MCEM, Gaussian", WAVES, "mcem", HEAD + MCEM, {**MARGINAL, **SOONER}),
    Training("MNIST, AEVB", "mnist", "aevb", ON_MNIST, MNIST),
    Training("MNIST, wake-sleep", "mnist", "wake_sleep", ON_MNIST, MNIST),
)
