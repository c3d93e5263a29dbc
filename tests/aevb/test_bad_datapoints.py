"""Datapoints and noise that a public function cannot take are named; they never broadcast, and never end in NaN."""

import warnings

import pytest
import torch

from aevb import checks
from aevb.aevb import AEVB
from aevb.errors import ArgumentError
from aevb.estimators import evaluate_lower_bound, lower_bound_a, lower_bound_b
from aevb.learner import Batch
from aevb.linear_gaussian import exact_log_marginal, exact_posterior
from aevb.marginal.ais import ais_log_likelihood, reverse_ais_log_likelihood
from aevb.marginal.annealing import tune_step_sizes
from aevb.marginal.appendix_d import appendix_d_log_likelihood
from aevb.marginal.chains import posterior_gaussian, start_chains
from aevb.marginal.estimate import UntrustedEstimateWarning
from aevb.marginal.importance import importance_log_likelihood
from baselines.mcem import MinibatchMonteCarloEM, MonteCarloEM
from baselines.score_function import ScoreFunction, score_function_bound
from baselines.wake_sleep import WakeSleep
from tests.bad_input import Tally, refuses
from tests.right_arguments import (
    CHAINS,
    ENCODER,
    EPS,
    GAUSSIAN,
    INDICES,
    LINEAR,
    MODEL,
    PIXELS,
    SHORT,
    G,
    N,
    X,
    Z,
    with_value,
)

BAD_SHAPES = {
    "a column": X[:, :1], "a pixel too many": torch.rand(N, PIXELS + 1), "one axis": X[0], "three axes": X[None],
    "no rows": X[:0], "no axes": X[0, 0],
}  # fmt: skip
BAD_TYPES = {
    "double": X.double(), "integers": X.int(), "booleans": X > 0.5, "complex": X * 1j, "half": X.half(),
    "another device": X.to("meta"), "NumPy's": X.numpy(), "a list": X.tolist(), "nothing": None,
}  # fmt: skip
BAD_VALUES = {
    "NaN": with_value(torch.nan), "infinity": with_value(torch.inf), "above one": with_value(1.5),
    "negative": with_value(-0.1),
}  # fmt: skip


# Functions of datapoints; those that also look at the values, which costs a wait, say so.
STEPS = {
    "AEVB": AEVB(MODEL, ENCODER, N), "wake-sleep": WakeSleep(MODEL, ENCODER, N), "MCEM": MonteCarloEM(MODEL, N, G),
    "minibatch MCEM": MinibatchMonteCarloEM(MODEL, N, G), "score function": ScoreFunction(MODEL, ENCODER, N),
}  # fmt: skip
OF_X = {
    "bound A": lambda x: lower_bound_a(MODEL, ENCODER, x, EPS),
    "bound B": lambda x: lower_bound_b(MODEL, ENCODER, x, EPS),
    "score function": lambda x: score_function_bound(MODEL, ENCODER, x, EPS),
    **{f"{name}'s step": lambda x, one=one: one.step(Batch(x, INDICES), G) for name, one in STEPS.items()},
}
OF_PIXELS = {
    "evaluation": lambda x: evaluate_lower_bound(MODEL, ENCODER, x, G),
    "importance sampling": lambda x: importance_log_likelihood(MODEL, x, ENCODER(X), G, n_samples=25),
    "appendix D": lambda x: appendix_d_log_likelihood(MODEL, x, CHAINS, G, n_samples=8),
    "AIS": lambda x: ais_log_likelihood(MODEL, x, G, SHORT),
    "reverse AIS": lambda x: reverse_ais_log_likelihood(MODEL, x, Z, G, SHORT),
    "step sizes": lambda x: tune_step_sizes(MODEL, x, G, SHORT),
    "starting chains": lambda x: start_chains(MODEL, x, G, n_candidates=2),
    "posterior Gaussian": lambda x: posterior_gaussian(MODEL, x, CHAINS, G, n_samples=2, n_burn_in=1),
}
UNBOUNDED = {
    "exact log p(x)": lambda x: exact_log_marginal(LINEAR, x),
    "exact posterior": lambda x: exact_posterior(LINEAR, x),
}


@pytest.mark.parametrize("name", [*OF_X, *OF_PIXELS, *UNBOUNDED])
def test_datapoints_of_another_shape_type_or_device_are_refused(name, tally: Tally):
    function = (OF_X | OF_PIXELS | UNBOUNDED)[name]
    for x in (BAD_SHAPES | BAD_TYPES).values():
        refuses(lambda x=x: function(x), tally)


@pytest.mark.parametrize("name", [*OF_PIXELS, *UNBOUNDED])
def test_datapoints_without_meaning_are_refused(name, tally: Tally):
    for kind in ("NaN", "infinity") if name in UNBOUNDED else BAD_VALUES:
        refuses(lambda kind=kind: (OF_PIXELS | UNBOUNDED)[name](BAD_VALUES[kind]), tally)


@pytest.mark.parametrize("bound", [lower_bound_a, lower_bound_b, score_function_bound])
def test_noise_for_another_batch_is_refused(bound, tally: Tally):
    wrong = [EPS[0], EPS[:, :1], EPS[..., :1], EPS[:0], EPS[None], EPS.double(), EPS.to("meta"), torch.randn(3, N, 3)]
    for eps in wrong:
        refuses(lambda eps=eps: bound(MODEL, ENCODER, X, eps), tally)


def test_the_error_says_what_to_do_about_noise_without_samples():
    expected = r"`eps` must have shape \(L, 4, 2\), got \(4, 2\): add a leading sample axis"
    with pytest.raises(ArgumentError, match=expected):
        lower_bound_b(MODEL, ENCODER, X, EPS[0])


def test_right_arguments_are_taken():
    """The functions that refuse above compute with what they were made for."""
    for function in (OF_X | UNBOUNDED).values():
        function(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrustedEstimateWarning)
        for function in OF_PIXELS.values():
            function(X)
    checks.pixels(GAUSSIAN, X * 5)
