"""`evaluate` finds log p(x) where it is known, tells a wrong density, and refuses by name what it cannot evaluate."""

import importlib
import os
import re

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import multivariate_normal

import aevb
from aevb.data import load_dataset
from aevb.evaluation import Evaluation, as_density
from aevb.joint import Joint
from aevb.marginal.estimate import MarginalEstimate
from harness.command import evaluate
from harness.command.subject import from_place, from_run
from tests.bad_input import check_refusal
from tests.stranger import DOCUMENT

WRONG = """
import sys
import torch
from factors import Factors

class Detached(Factors):
    def log_joint(self, x, z):
        return super().log_joint(x, z.detach())

class Noisy(Factors):
    def log_joint(self, x, z):
        value = super().log_joint(x, z)
        return value + torch.randn_like(value)

class Dropped(Factors):
    def __init__(self):
        super().__init__()
        self.dropout = torch.nn.Dropout(0.5)

    def log_joint(self, x, z):
        return super().log_joint(x, self.dropout(z))

class Scalar(Factors):
    def log_joint(self, x, z):
        return super().log_joint(x, z).sum()

class Nameless(torch.nn.Module):
    pass

def needs(argument):
    return Factors()

def odd_q():
    return Factors(), lambda x: x

def long_q():
    return Factors(), lambda x: (torch.zeros(3), torch.zeros(3))

def with_q(mean=0.0, log_var=0.0, width=2, kind=torch.Tensor.float):
    return Factors(), lambda x: (mean + kind(torch.zeros(len(x), 2)), log_var + torch.zeros(len(x), width))

def q_of_nan():
    return with_q(mean=float("nan"))

def q_of_no_spread():
    return with_q(log_var=float("-inf"))

def q_of_another_width():
    return with_q(width=7)

def q_of_one_width():
    return with_q(width=1)

def q_of_double():
    return with_q(kind=torch.Tensor.double)

def q_of_numpy():
    return Factors(), lambda x: (torch.zeros(len(x), 2).numpy(), torch.zeros(len(x), 2).numpy())

def q_that_raises():
    return Factors(), lambda x: 1 / 0

def q_that_leaves():
    return Factors(), lambda x: sys.exit(0)

def q_that_is_none_such():
    return Factors(), 3

def leaves():
    sys.exit(0)

class NotANumber(Factors):
    def log_joint(self, x, z):
        return super().log_joint(x, z).log()

class Nowhere(Factors):
    def log_joint(self, x, z):
        return super().log_joint(x, z) - float("inf")

class Wide(Factors):
    def log_joint(self, x, z):
        return super().log_joint(x, z).double()

class Half(Factors):
    def __init__(self):
        super().__init__()
        self.half()

class Picky(Factors):
    def log_joint(self, x, z):
        if len(z) != 2:
            raise RuntimeError("two chains\\nalone")
        return super().log_joint(x, z)
"""


@pytest.fixture
def truth(own_files):
    """Exact log p(x) of the rows in rows.npy, by SciPy."""
    (own_files / "wrong.py").write_text(WRONG)
    weight = importlib.import_module("factors").Factors().weight.detach().numpy().astype(float)
    noise = np.random.default_rng(1)
    rows = noise.standard_normal((12, 2)) @ weight.T + 0.5 * noise.standard_normal((12, 5))
    (own_files / "leaver.py").write_text("raise SystemExit(0)")
    np.save(own_files / "rows.npy", rows)
    np.save(own_files / "complex.npy", rows * 1j)
    np.save(own_files / "dates.npy", np.zeros((3, 5), "datetime64[s]"))
    np.save(own_files / "words.npy", rows.astype(str))
    np.save(own_files / "empty.npy", rows[:, :0])
    if not (own_files / "pipe.npy").exists():
        os.mkfifo(own_files / "pipe.npy")
    return multivariate_normal(np.zeros(5), weight @ weight.T + 0.25 * np.eye(5)).logpdf(rows)


def call(capsys, *arguments):
    try:
        status = evaluate.main(arguments)
    except SystemExit as leaving:
        status = leaving.code
    said = capsys.readouterr()
    return status, said.out, said.err


def test_estimates_of_a_model_whose_answers_are_known_are_within_their_errors(truth, own_files, capsys):
    (line,) = re.findall(r"^python reproduce.py evaluate (factors:model .*)$", DOCUMENT, re.MULTILINE)
    status, printed, complained = call(capsys, *line.split(), "--points", "12", "--csv", "points.csv")
    assert status == 0, complained
    assert "estimators agree where they are trusted" in printed
    table = pd.read_csv(own_files / "points.csv")
    names = {"importance sampling, q", "importance sampling, chains", "AIS", "appendix D", "lower bound"}
    assert {*table["estimator"]} == names
    for name, rows in table.groupby("estimator"):
        off = rows["log_likelihood"].to_numpy() - truth
        error = np.sqrt((rows["standard_error"] ** 2).sum()) / len(rows)
        assert abs(off.mean()) < 3 * error + 1e-5, name  # q is the posterior, so that its weights are all alike
        assert name == "lower bound" or rows["trusted"].mean() > 0.8
        shown = re.search(r"by q: (-[\d.]+)" if name == "lower bound" else rf"{name}\s+(-[\d.]+)", printed)
        assert float(shown[1]) == pytest.approx(rows["log_likelihood"].mean(), abs=6e-4)


@pytest.mark.parametrize(("off", "says"), [(0.01, "agree"), (0.1, "DISAGREE"), (-0.1, "DISAGREE")])
def test_estimates_that_are_too_far_apart_are_told(off, says):
    def estimate(nats, trusted):
        n = len(trusted)
        return MarginalEstimate(
            "", torch.full((n,), nats), torch.full((n,), 0.02), torch.ones(n), torch.ones(n), torch.zeros(n), trusted
        )

    all_but_one = torch.tensor([True, True, True, False])
    both = {"A": estimate(-5.0, torch.ones(4).bool()), "B": estimate(-5.0 - off, all_but_one)}
    found = Evaluation(both, None, None)
    ((one, other, apart, error),) = found.apart()
    assert (one, other) == ("A", "B")
    assert apart == pytest.approx(off, rel=1e-4)
    assert error == pytest.approx(0.02 * np.sqrt(2 / 3))
    assert says in evaluate.verdicts(found)[0]
    nothing = Evaluation({"A": found.estimates["A"], "B": estimate(-5.0, ~all_but_one & False)}, None, None)
    assert "no two estimators are trusted" in evaluate.verdicts(nothing)[0]


@pytest.mark.parametrize("error", [0.0, 1e-9])
@pytest.mark.parametrize(("off", "says"), [(0.0, "agree"), (2e-6, "agree"), (1e-3, "DISAGREE")])
def test_what_rounding_alone_sets_apart_agrees(off, says, error):
    """As of a posterior that is the prior, where weights are all alike."""

    def estimate(nats):
        nothing = torch.zeros(3)
        nats = torch.full((3,), nats, dtype=torch.float64)
        return MarginalEstimate("", nats, nothing.double() + error, nothing, nothing, nothing, torch.ones(3).bool())

    found = Evaluation({"A": estimate(-6.755), "B": estimate(-6.755 - off)}, None, None)
    assert says in evaluate.verdicts(found)[0]


def test_a_single_point_has_no_error_over_points(truth, capsys):
    np.save("one.npy", np.load("rows.npy")[:1])
    status, printed, complained = call(capsys, "factors:model", "--data", "one.npy", "--samples", "25")
    assert (status, complained) == (0, "")
    assert re.search(r"AIS .*– +\d+ +[01] of 1", printed)


def test_a_module_is_evaluated_without_its_dropout(truth):
    model, q, x = from_place("wrong:Dropped", "rows.npy", 3)
    z = torch.ones(3, 2)
    assert q is None
    torch.testing.assert_close(model.log_joint(x, z), importlib.import_module("factors").Factors().log_joint(x, z))


def test_a_published_run_is_evaluated_on_its_own_test_points(tmp_path, capsys):
    model, q, x = from_run("mnist-nz2-aevb-seed0", None, 3, tmp_path)
    published, encoder, _ = aevb.load("mnist", n_latent=2)
    assert capsys.readouterr().out.startswith("mnist N_z=2 aevb seed 0, ")
    assert torch.equal(x, load_dataset("mnist").test[:3])
    z = encoder(x).mean
    torch.testing.assert_close(q(x).mean, z)
    torch.testing.assert_close(model.log_joint(x, z), published.log_joint(x, z))


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ("factors:model", "must have data, got factors:model alone"),
        ("nowhere:model --data rows.npy", "MODEL must be a known name or .*ModuleNotFoundError"),
        ("factors:model --data nothing.npy", "must be a .npy file of numbers"),
        ("factors:model --data nothing", "the name must be known"),
        ("wrong:Detached --data rows.npy", "must be a differentiable function of z.*RuntimeError"),
        ("wrong:Noisy --data rows.npy", "must be the same at every call, got two of .* nats apart"),
        ("wrong:Scalar --data rows.npy", "must give shape .2, 12."),
        ("wrong:Nameless --data rows.npy", "must have log_joint.x, z. and n_latent"),
        ("wrong:needs --data rows.npy", "raised TypeError"),
        ("wrong:odd_q --data rows.npy", "`q` must give a Gaussian over z"),
        ("wrong:long_q --data rows.npy", "must have a mean of shape .12, 2."),
        ("no-such-run", "a run must be named"),
        ("factors.py:model --data rows.npy", "did you mean factors:model.$"),
        ("./factors.py:model --data rows.npy", "did you mean factors:model.$"),
        ("factors:model() --data rows.npy", "did you mean factors:model.$"),
        ("leaver:model --data rows.npy", "cannot be imported .SystemExit: 0"),
        ("wrong:leaves --data rows.npy", "raised SystemExit: 0"),
        ("wrong:q_of_nan --data rows.npy", "mean` must be finite"),
        ("wrong:q_of_no_spread --data rows.npy", "log_var` must be finite"),
        ("wrong:q_of_another_width --data rows.npy", "must have a log_var of shape .12, 2., got .12, 7."),
        ("wrong:q_of_one_width --data rows.npy", "must have a log_var of shape .12, 2., got .12, 1."),
        ("wrong:q_of_double --data rows.npy", "must be torch.float32, got torch.float64"),
        ("wrong:q_of_numpy --data rows.npy", "must be a Tensor"),
        ("wrong:q_that_raises --data rows.npy", "q must be a function of x; .* raised ZeroDivisionError"),
        ("wrong:q_that_leaves --data rows.npy", "q must be a function of x; .* raised SystemExit: 0"),
        ("wrong:q_that_is_none_such --data rows.npy", "q must be a function of x; .* raised TypeError"),
        ("wrong:NotANumber --data rows.npy", "must be a number, .* got NaN"),
        ("wrong:Nowhere --data rows.npy", "must be finite at some z"),
        ("wrong:Wide --data rows.npy", "must be of the model's type, torch.float32, got torch.float64"),
        ("wrong:Half --data rows.npy", "must be of float32 or float64"),
        ("wrong:Picky --data rows.npy", "raised RuntimeError: two chains alone"),
        ("factors:model --data complex.npy", "must be real numbers"),
        ("factors:model --data dates.npy", "must be real numbers"),
        ("factors:model --data words.npy", "must be real numbers"),
        ("factors:model --data empty.npy", "must have rows of finite numbers"),
        ("factors:model --data pipe.npy", "not a regular file"),
        ("factors:model --data rows.npy --csv .", "--csv must name a file that can be written"),
        ("factors:model --data rows.npy --samples 3", "at least 25"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_by_name(truth, arguments, what, capsys):
    status, printed, complained = call(capsys, *arguments.split())
    assert re.search(what, complained), complained
    if "--samples" not in arguments:
        check_refusal(status, printed, complained.replace(complained.partition(":")[0], "reproduce.py", 1))


@pytest.mark.parametrize("form", ["pair", "normal", "independent", "full"])
def test_every_form_of_q_is_the_same_density(form, generator):
    mean, log_var = (torch.randn(4, 2, generator=generator, dtype=torch.float64) for _ in range(2))
    normal = torch.distributions.Normal(mean, (0.5 * log_var).exp())
    independent = torch.distributions.Independent(normal, 1)
    forms = {"pair": (mean, log_var), "normal": normal, "independent": independent,
             "full": torch.distributions.MultivariateNormal(mean, torch.diag_embed(log_var.exp()))}  # fmt: skip
    density = as_density(forms[form], (4, 2))
    value = torch.randn(3, 4, 2, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(density.log_density(value), independent.log_prob(value))
    torch.testing.assert_close(density.at(torch.zeros(4, 2, dtype=torch.float64)), mean)


def test_a_joint_is_the_function_and_nothing_else(generator):
    x, z = (torch.randn(5, size, generator=generator, dtype=torch.float64) for size in (3, 2))
    model = Joint(lambda x, z: -(x.sum(-1) - z.sum(-1)).square(), 2, 3)
    torch.testing.assert_close(model.log_joint(x, z), -(x.sum(-1) - z.sum(-1)).square())
    with pytest.raises(ValueError, match=r"must have p.x.z. to draw pixels"):
        model.sample_pixels(z, generator)
