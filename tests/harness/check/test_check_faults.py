"""The check fails on every planted fault; `test_check.py` shows that it passes without.

With `pytest -s`, the table of faults and detections.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from aevb.densities import standard_normal_log_density
from aevb.model import GenerativeModel
from harness.check import linear_gaussian
from harness.check.measure import measure_all
from harness.check.reference import PATH, read_reference
from harness.check.roster import CASES, CHECKED_SEEDS
from harness.check.verdict import Verdict, aligned, judge
from harness.experiments.choices import PROTOCOLS
from tests.planted import planted

FAST, READABLE = "fast", "reference"
BOUNDS, GRADIENTS = "linear-Gaussian, bound − log p(x)", "linear-Gaussian, gradient / expectation − 1"
STEPS, MARGINALS = "linear-Gaussian, step / Adagrad's − 1", "linear-Gaussian, estimate − log p(x)"
AEVB, AEVB_GAUSSIAN = "AEVB, B, Bernoulli", "AEVB, B, Gaussian"
WAKE_SLEEP, WAKE_SLEEP_GAUSSIAN = "wake-sleep, Bernoulli", "wake-sleep, Gaussian"
MCEM, MCEM_GAUSSIAN = "MCEM, Bernoulli", "MCEM, Gaussian"
WAVES, MNIST, MNIST_1000 = "waves", "MNIST, grey", "MNIST, binarized, N = 1000"
LEARN = "harness.runs.learners:learner_with_encoder"
BUILD, MODEL = "harness.runs.build:build_learner", "harness.runs.build:build_model"
TAPE = "harness.runs.tape:Tape.__init__"
BEGINNINGS_WAKE_SLEEP = "beginnings, MNIST, wake-sleep"
BEGINNINGS, BEGINNINGS_FREY = "beginnings, MNIST", "beginnings, Frey Face"

STEP, READABLE_STEP = "aevb.fast.aevb:FastAEVB.step", "aevb.aevb:AEVB.step"
WAKE, READABLE_WAKE = "baselines.fast_wake_sleep:FastWakeSleep.step", "baselines.wake_sleep:WakeSleep.step"
CLIMB, READABLE_CLIMB = "baselines.fast_mcem:FastMonteCarloEM._climb", "baselines.mcem:MonteCarloEM._climb"
Q, BERNOULLI, GAUSSIAN = (
    f"aevb.fast.{path}" for path in ("encoder:FastEncoder", "decoder:FastBernoulli", "decoder:FastGaussian")
)
READABLE_GAUSSIAN, READABLE_BERNOULLI = "aevb.densities:DiagonalGaussian", "aevb.densities:bernoulli_log_density"
PRIOR, EVALUATE = "aevb.densities:standard_normal_log_density", "aevb.estimators:evaluate_lower_bound"
ASCENT, EVALUATOR = "aevb.ascent:Ascent", "harness.runs.evaluate:LowerBoundEvaluator.__init__"
SAMPLE, IN_ORDER = "baselines.mcem:MonteCarloEM._sample", "waves, in order"
ANNEAL, LEAPFROG, MOVE = "aevb.marginal.annealing:anneal", "aevb.hmc:leapfrog", "aevb.hmc:move"
PLUG_IN, IMPORTANCE = "aevb.marginal.appendix_d:_plug_in", "aevb.marginal.importance:importance_log_likelihood"
SEEN_BEFORE_AIS = {IMPORTANCE, MOVE, PLUG_IN}
ADAGRAD, PREPARE, ROWS = "aevb.ascent:Ascent.climb", "harness.runs.build:prepare", "aevb.data.dataset:row_order"
WAKE_SHARE = "wake.climb(prior_scale=m / self._n_datapoints"
SHARE, POINTS_SHARE = "m / self._n_datapoints", "len(x) / self._n_datapoints"

# The fault, its function, what is there, what is planted, the engine that has it, and the cheapest case to notice.
FAULTS = [
    ("KL's sign, bound", f"{Q}.kl_to_standard_normal", "return ", "return -", FAST, BOUNDS),
    ("KL's sign, gradient", STEP, "torch.sub(sample", "torch.add(sample", FAST, GRADIENTS),
    ("KL's sign, training", STEP, "torch.sub(sample", "torch.add(sample", FAST, AEVB),
    ("KL's sign", f"{READABLE_GAUSSIAN}.kl_to_standard_normal", "-0.5", "0.5", READABLE, BOUNDS),
    ("KL's sign", "aevb.estimators:lower_bound_b", "- q.kl", "+ q.kl", READABLE, BOUNDS),
    ("log σ for log σ², z", f"{Q}.forward", "self.log_var, self.half", "self.log_var, 2 * self.half", FAST, BOUNDS),
    ("log σ for log σ², p(x|z)", f"{GAUSSIAN}._weigh", "-LOG2_E", "-2 * LOG2_E", FAST, BOUNDS),
    ("log σ for log σ², dreams", f"{GAUSSIAN}.sample", "0.5 * LOG2_E", "LOG2_E", FAST, GRADIENTS),
    ("log σ for log σ², z", f"{READABLE_GAUSSIAN}.at", "0.5 * self.log_var", "self.log_var", READABLE, BOUNDS),
    ("log σ for log σ², densities", f"{READABLE_GAUSSIAN}.log_density", "exp(-", "exp(-2 * ", READABLE, BOUNDS),
    (
        "mean for sum over pixels",
        f"{BERNOULLI}.log_likelihood",
        "logits, out=self._work).sum(",
        "logits, out=self._work).mean(",
        FAST,
        AEVB,
    ),
    ("mean for sum, gradient", f"{BERNOULLI}.backward", "self._mean)\n", "self._mean).div_(64)\n", FAST, AEVB),
    ("mean for sum over pixels", f"{GAUSSIAN}.log_likelihood", "_squares.sum(", "_squares.mean(", FAST, BOUNDS),
    ("mean for sum over pixels", READABLE_BERNOULLI, ".sum(", ".mean(", READABLE, AEVB),
    ("mean for sum over pixels", f"{READABLE_GAUSSIAN}.log_density", ".sum(", ".mean(", READABLE, BOUNDS),
    ("z = μ in evaluation", EVALUATE, "eps = standard", "eps = 0 * standard", FAST, BOUNDS),
    ("z = μ in training", f"{Q}.at", "eps, out", "0 * eps, out", FAST, BOUNDS),
    ("z = μ everywhere", f"{READABLE_GAUSSIAN}.at", "* eps", "* 0 * eps", READABLE, BOUNDS),
    ("prior's N/M lost, AEVB", STEP, SHARE, "1", FAST, AEVB),
    ("prior lost, AEVB", STEP, SHARE, "0", FAST, AEVB_GAUSSIAN),
    ("prior doubled, AEVB", STEP, SHARE, f"2 * {SHARE}", FAST, STEPS),
    ("prior's N/M lost, AEVB", READABLE_STEP, "len(batch.x) / self._n_datapoints", "1", READABLE, STEPS),
    ("prior's N/M lost, wake-sleep", WAKE, WAKE_SHARE, "wake.climb(prior_scale=1", FAST, WAKE_SLEEP),
    ("prior halved, wake-sleep", WAKE, WAKE_SHARE, f"{WAKE_SHARE} * 0.5", FAST, STEPS),
    (
        "prior doubled, wake-sleep",
        READABLE_WAKE,
        f"log_likelihood.sum(), prior_scale={SHARE}",
        f"log_likelihood.sum(), prior_scale=2 * {SHARE}",
        READABLE,
        STEPS,
    ),
    ("prior's N/M lost, MCEM", CLIMB, POINTS_SHARE, "1", FAST, STEPS),
    ("prior lost, MCEM", READABLE_CLIMB, POINTS_SHARE, "0", READABLE, STEPS),
    ("prior on biases too", f"{ASCENT}.__init__", 'not name.endswith("bias")', "True", FAST, STEPS),
    ("prior not on the encoder", f"{ASCENT}.__init__", "options.prior_on_encoder", "False", FAST, STEPS),
    ("prior lost, sleep", WAKE, "sleep.climb(prior_scale=m / self._n_datapoints)", "sleep.climb()", FAST, STEPS),
    ("estimator B for A", STEP, 'self._estimator == "a"', "False", FAST, GRADIENTS),
    ("estimator B for A", LEARN, '"estimator": config.estimator', '"estimator": "b"', FAST, BEGINNINGS),
    ("estimator B for A", LEARN, "LOWER_BOUNDS[config.estimator]", 'LOWER_BOUNDS["b"]', READABLE, BEGINNINGS_FREY),
    ("M = 100 for 500", TAPE, "config.batch_size or n", "100", FAST, BEGINNINGS_FREY),
    ("tanh for softplus", MODEL, "config.decoder_activation", '"tanh"', FAST, BEGINNINGS_FREY),
    ("η doubled", ADAGRAD, "else self", "else 2 * self", FAST, WAKE_SLEEP_GAUSSIAN),
    ("η halved", ADAGRAD, "else self", "else 0.5 * self", FAST, WAKE_SLEEP_GAUSSIAN),
    ("η doubled", ADAGRAD, "else self", "else 2 * self", READABLE, AEVB),
    (
        "η halved, encoder alone",
        ADAGRAD,
        "parameters, accumulators, step_size,",
        "parameters, accumulators, step_size if decay else 0.5 * step_size,",
        FAST,
        STEPS,
    ),
    ("no warm-up", ADAGRAD, "self.steps < ", "False and self.steps < ", FAST, STEPS),
    ("test points from training", PREPARE, "dataset.test)", "dataset.train)", FAST, WAVES),
    ("last N points for the first", PREPARE, "[: config.n_train]", "[-config.n_train :]", FAST, MNIST_1000),
    ("validation in training", "aevb.data.mnist:_dataset", "points[:N_TRAIN]", "points", FAST, MNIST),
    (
        "evaluated training points from test",
        EVALUATOR,
        '"train_eval": data.train_points',
        '"train_eval": data.test_points',
        FAST,
        AEVB,
    ),
    ("few test points evaluated", PREPARE, "test[: config.evaluation_points]", "test[:1000]", FAST, MNIST),
    ("points in order shuffled", ROWS, 'if split == "shuffled"', "if split", FAST, IN_ORDER),
    ("array not shuffled", ROWS, '"shuffled"', '"chronological"', FAST, WAVES),
    ("½ of the KL lost", f"{Q}.kl_to_standard_normal", "return ", "return 2 * ", FAST, BOUNDS),
    ("½ of q's ∂ log σ² lost", STEP, "q.half, d_std, q.std, value=0.5", "q.half + 0.5, d_std, q.std", FAST, GRADIENTS),
    ("½ of log p(x|z) lost", f"{GAUSSIAN}.log_likelihood", "mul_(-0.5)", "neg_()", FAST, BOUNDS),
    ("½ of p(x|z)'s ∂ log σ² lost", f"{GAUSSIAN}.backward", "alpha=0.5", "alpha=1", FAST, GRADIENTS),
    ("½ of the KL lost", f"{READABLE_GAUSSIAN}.kl_to_standard_normal", "-0.5", "-1", READABLE, BOUNDS),
    ("½ of the densities lost", f"{READABLE_GAUSSIAN}.log_density", "-0.5", "-1", READABLE, BOUNDS),
    ("½ of log p(z) lost", PRIOR, "-0.5", "-1", FAST, BOUNDS),
    ("minibatch's last rows alone", CLIMB, "accumulate=n > 0", "accumulate=False", FAST, STEPS),
    ("chains start anew at every step", SAMPLE, "chains.z[indices] = outcome.state.z", "pass", FAST, MCEM),
    (
        "log σ² head at full strength",
        "aevb.encoder:GaussianEncoder.forward",
        "h * self.log_var_factor",
        "h",
        READABLE,
        BEGINNINGS_WAKE_SLEEP,
    ),
    (
        "log σ² head starts at random",
        BUILD,
        "config.encoder_log_var_zero",
        "False",
        FAST,
        BEGINNINGS,
    ),
    (
        "log σ² head at full strength",
        "harness.runs.build:build_model",
        "config.decoder_log_var_factor",
        "1.0",
        FAST,
        AEVB_GAUSSIAN,
    ),
    (
        "importance weights without the prior",
        IMPORTANCE,
        "log_joint(model, x, z)",
        "model.log_likelihood(x, z)",
        FAST,
        MARGINALS,
    ),
    ("AIS's weights turned round", ANNEAL, "betas[there] - betas[here]", "betas[here] - betas[there]", FAST, MARGINALS),
    ("AIS's chains do not move", ANNEAL, "state = outcome.state", "pass", FAST, MARGINALS),
    (
        "½ of the first half step lost",
        LEAPFROG,
        "momentum + 0.5 * h * state.gradient\n    for",
        "momentum + h * state.gradient\n    for",
        FAST,
        MARGINALS,
    ),
    ("every proposal accepted", MOVE, "uniform < accept", "uniform < 1 + accept", FAST, MARGINALS),
    ("appendix D's samples are all at one place", PLUG_IN, "second.z)", "second.z[:1])", FAST, MARGINALS),
    ("appendix D's q fits what it is averaged over", PLUG_IN, "(first.z)", "(second.z)", FAST, MARGINALS),
]


def verdicts(names: set[str], engine: str) -> list[Verdict]:
    cases = [case for case in CASES if case.name in names]
    assert len(cases) == len(names)
    results = measure_all(cases, CHECKED_SEEDS, engine=engine, device="cpu", workers=1, done=lambda *_: None)
    return judge(read_reference(PATH, CASES), results)


def verdicts_before_ais(names: set[str], engine: str) -> list[Verdict]:
    """Those of the other estimators alone, which come first and draw the same noise: AIS takes half of the time."""

    def spared(model: GenerativeModel, x: Tensor, *_: object) -> SimpleNamespace:
        return SimpleNamespace(log_likelihood=x.new_zeros(len(x)))

    with pytest.MonkeyPatch.context() as patch:
        for name in ("ais_log_likelihood", "reverse_ais_log_likelihood"):
            patch.setattr(linear_gaussian, name, spared)
        return [verdict for verdict in verdicts(names, engine) if not verdict.quantity.startswith("AIS")]


@pytest.fixture(scope="module")
def table() -> Iterator[list[tuple[str, ...]]]:
    """Rows that the tests add, printed at the end."""
    rows: list[tuple[str, ...]] = []
    yield rows
    columns = ["fault", "planted in", "engine", "noticed by", "lines", "of", "farthest, tolerances"]
    print(f"\n{aligned(rows, columns)}")


@pytest.mark.parametrize(("name", "where", "right", "wrong", "engine", "case"), FAULTS)
def test_a_planted_fault_fails_the_check(name, where, right, wrong, engine, case, table):
    judged = verdicts_before_ais if where in SEEN_BEFORE_AIS else verdicts
    with planted(where, right, wrong):
        found = judged({case}, engine)
    drifted, farthest = sum(not verdict.passed for verdict in found), max(verdict.deviation for verdict in found)
    table.append((name, where.partition(":")[2], engine, case, str(drifted), str(len(found)), f"{farthest:.3g}"))
    assert drifted


@pytest.mark.parametrize(
    ("field", "wrong", "case"),
    [
        ("estimator", "b", BEGINNINGS),
        ("batch_size", 100, BEGINNINGS_FREY),
        ("decoder_log_var", "latent", BEGINNINGS_FREY),
        ("decoder_activation", "tanh", BEGINNINGS_FREY),
        ("init_std", 0.1, BEGINNINGS),
    ],
)
def test_a_wrong_choice_in_the_protocol_fails_the_check(field, wrong, case, monkeypatch):
    altered = tuple(
        replace(choice, fields={**choice.fields, field: wrong}) if field in choice.fields else choice
        for choice in PROTOCOLS["author"]
    )
    monkeypatch.setitem(PROTOCOLS, "author", altered)
    assert any(not verdict.passed for verdict in verdicts({case}, FAST))


def test_without_a_fault_the_check_passes_without_ais_too():
    found = verdicts_before_ais({MARGINALS}, FAST)
    assert len(found) == 4
    assert all(verdict.passed for verdict in found)


def test_what_is_not_there_cannot_be_replaced():
    with pytest.raises(AssertionError, match="0 times"), planted(STEP, "no such text", ""):
        pass


def test_a_fault_is_gone_after_its_block():
    origin, right = torch.zeros(1), -0.5 * math.log(2 * math.pi)
    with planted(PRIOR, "-0.5", "-1"):
        assert float(standard_normal_log_density(origin)) == pytest.approx(2 * right)
    assert float(standard_normal_log_density(origin)) == pytest.approx(right)
