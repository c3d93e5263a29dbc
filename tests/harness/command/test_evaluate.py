"""`evaluate` finds log p(x) where it is known, and tells estimates that are too far apart."""

import importlib
import re

import numpy as np
import pandas as pd
import pytest
import torch

import aevb
from aevb import evaluation, hmc
from aevb.data import load_dataset
from aevb.densities import standard_normal_log_density
from aevb.evaluation import Evaluation
from aevb.fast.posterior import posterior
from aevb.joint import Joint
from aevb.marginal.estimate import MarginalEstimate
from aevb.marginal.proposal import as_density
from harness.command import evaluate
from harness.command.subject import from_place, from_run
from tests.stranger import DOCUMENT

DROPPED = """
import torch
from factors import Factors

class Dropped(Factors):
    def __init__(self):
        super().__init__()
        self.dropout = torch.nn.Dropout(0.5)

    def log_joint(self, x, z):
        return super().log_joint(x, self.dropout(z))
"""


def test_estimates_of_a_model_whose_answers_are_known_are_within_their_errors(truth, own_files, evaluated):
    (line,) = re.findall(r"^python reproduce.py evaluate (factors:model .*)$", DOCUMENT, re.MULTILINE)
    status, printed, complained = evaluated(*line.split(), "--points", "12", "--csv", "points.csv")
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


def test_more_temperatures_and_chains_make_ais_surer(truth, own_files, evaluated):
    def error(*more):
        status, _, complained = evaluated(
            "factors:model", "--data", "rows.npy", "--points", "6", "--csv", "p.csv", *more
        )
        assert status == 0, complained
        table = pd.read_csv(own_files / "p.csv")
        return table[table["estimator"] == "AIS"]["standard_error"].mean()

    few = error("--temperatures", "20", "--chains", "8")
    assert error("--temperatures", "200", "--chains", "8") < 0.6 * few
    assert error("--temperatures", "20", "--chains", "80") < 0.6 * few


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


def test_a_single_point_has_no_error_over_points(truth, evaluated):
    np.save("one.npy", np.load("rows.npy")[:1])
    for data, more in (("one.npy", ()), ("rows.npy", ("--points", "1"))):
        few = ("--samples", "25", "--temperatures", "20", "--chains", "2")
        status, printed, complained = evaluated("factors:model", "--data", data, *few, *more)
        assert (status, complained) == (0, "")
        assert re.search(r"AIS .*– +\d+ +[01] of 1", printed)


def test_a_module_is_evaluated_without_its_dropout(truth, own_files):
    (own_files / "dropped.py").write_text(DROPPED)
    importlib.invalidate_caches()
    model, q, x = from_place("dropped:Dropped", "rows.npy", 3)
    z = torch.ones(3, 2)
    assert q is None
    torch.testing.assert_close(model.log_joint(x, z), importlib.import_module("factors").Factors().log_joint(x, z))


NORMED = """
import torch
from factors import Factors

class Normed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 4), torch.nn.Dropout(0.5))

    def forward(self, x):
        return self.layers(x).chunk(2, -1)

class Plain:
    n_latent = 2

    def __init__(self):
        self.network, self.factors = Normed(), Factors()

    def log_joint(self, x, z):
        return self.factors.log_joint(x, z) + self.network(x)[0].sum(-1)

def as_module():
    return Factors(), Normed()

def as_closure():
    network = Normed()
    return Factors(), lambda x: network(x)

network = Normed()

def as_global():
    return Factors(), lambda x: network(x)

def as_attribute():
    model = Plain()
    return model, lambda x: model.network(x)
"""


@pytest.mark.parametrize("form", ["as_module", "as_closure", "as_global", "as_attribute"])
def test_modules_of_q_and_those_that_a_plain_object_keeps_are_evaluated_in_their_eval_mode(form, truth, own_files):
    (own_files / "normed.py").write_text(NORMED)
    importlib.invalidate_caches()
    model, q, x = from_place(f"normed:{form}", "rows.npy", 12)
    torch.testing.assert_close(q(x)[0][:1], q(x[:1])[0])
    z = torch.ones(12, 2)
    torch.testing.assert_close(model.log_joint(x, z)[:1], model.log_joint(x[:1], z[:1]))


LEARNED = """
import torch
from aevb.model import BernoulliModel

class Learned(BernoulliModel):
    def __init__(self):
        super().__init__(2, 5, (3,))

    def log_joint(self, x, z):
        return self.log_likelihood(x, z) - (z - 1).square().sum(-1)
"""


def test_every_estimator_has_the_prior_that_a_model_brings(own_files):
    (own_files / "learned.py").write_text(LEARNED)
    importlib.invalidate_caches()
    np.save("pixels.npy", np.zeros((3, 5)))
    model, _, x = from_place("learned:Learned", "pixels.npy", 3)
    z = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    own = importlib.import_module("learned").Learned.log_joint(model.owner, x, z)
    torch.testing.assert_close(model.log_joint(x, z), own)
    torch.testing.assert_close(hmc.evaluate(posterior(model, x), z).log_density, own)


def test_chains_of_many_latents_move_often_enough_for_a_gaussian_of_as_many_dimensions(generator):
    model = Joint(lambda x, z: standard_normal_log_density(z) + standard_normal_log_density(x - z[..., :1]), 201, 1)
    x = torch.tensor([[0.0], [1.0]])
    few, many = (
        evaluation.evaluate(model, x, generator, n_samples=25, **moves).estimates["importance sampling, chains"]
        for moves in ({"n_moves": 200}, {})
    )
    assert few.log_likelihood.isnan().all()
    assert many.log_likelihood.isfinite().all()


def test_points_without_an_estimate_are_counted_and_not_in_the_mean():
    nats, error = torch.tensor([-4.0, torch.nan, -6.0]), torch.full((3,), 0.1)
    both = MarginalEstimate("", nats, error, torch.ones(3), torch.ones(3), torch.zeros(3), ~nats.isnan())
    none = MarginalEstimate("", nats * torch.nan, error, torch.ones(3), torch.ones(3), torch.zeros(3), nats > 0)
    rows = evaluate.tabulate(Evaluation({"A": both, "B": none}, None, None)).set_index("estimator")
    assert rows.loc["A", "log p(x)"] == "-5.000"
    assert rows.loc["A", "±"] == "0.071"
    assert rows.loc["A", "trusted"] == "2 of 3, 1 without"
    assert rows.loc["B", "log p(x)"] == "–"
    assert rows.loc["B", "trusted"] == "0 of 3, 3 without"


def test_rows_beyond_the_points_that_are_asked_for_may_be_anything(truth, own_files):
    rows = np.load("rows.npy")
    rows[5:] = np.nan
    np.save("holes.npy", rows)
    assert len(from_place("factors:model", "holes.npy", 5)[2]) == 5


def test_a_published_run_is_evaluated_on_its_own_test_points(tmp_path, capsys):
    model, q, x = from_run("mnist-nz2-aevb-seed0", None, 3, tmp_path)
    published, encoder, _ = aevb.load("mnist", n_latent=2)
    told = capsys.readouterr().out
    assert re.fullmatch(r"mnist N_z=2 aevb seed 0, [\d,]+ training samples, published with the project\n", told)
    assert torch.equal(x, load_dataset("mnist").test[:3])
    z = encoder(x).mean
    torch.testing.assert_close(q(x).mean, z)
    torch.testing.assert_close(model.log_joint(x, z), published.log_joint(x, z))


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
