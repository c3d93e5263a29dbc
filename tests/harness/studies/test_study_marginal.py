import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from aevb.linear_gaussian import exact_log_marginal
from aevb.marginal.estimate import MarginalEstimate
from harness.studies.estimate import mean
from harness.studies.marginal import study as study_marginal
from harness.studies.marginal.measure import MarginalStudy, _spread_error, errors
from harness.studies.marginal.plot import plot_marginal
from harness.studies.marginal.study import Part, compute_part, run_study
from harness.studies.marginal.table import EACH_HALF, claim_holds, format_study, verdict, worst_errors
from harness.studies.verdict import above, below, every, holds
from harness.workers.local import Local
from tests.oracles import linear_gaussian
from tests.support import ROOT

SMALL = MarginalStudy((2, 8), 12, 500, (20, 50), (50,), (30,), 4, seeds=3)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    for data in study_marginal.DATA:
        for n_latent in SMALL.n_latent:
            compute_part(Part(SMALL, data, n_latent, folder))
    return run_study(SMALL, folder, Local(1))


def test_every_estimator_is_close_to_the_truth_in_two_dimensions(table):
    # But AIS, which needs more temperatures than this, and the paper's own, whose chains do not mix.
    two = table[(table["n_latent"] == 2) & (table["effort"] >= 30) & ~table["estimator"].str.startswith("AIS")]
    two = two[two["estimator"] != "appendix D"]
    assert (two["bias"].abs() < 0.2).all(), two.to_string()
    assert (two["without_estimate"] == 0).all()


def test_annealed_bounds_enclose_the_truth_in_mean(table):
    lower, upper = (table[table["estimator"] == f"AIS, {side} bound"] for side in ("lower", "upper"))
    assert len(lower) == 2 * len(upper) == 4
    assert (lower["bias"] < 3 * lower["standard_error"]).all()
    assert (upper["bias"] > -3 * upper["standard_error"]).all()


def test_the_papers_estimator_is_worse_in_eight_dimensions_than_in_two(table):
    paper = table[(table["estimator"] == "appendix D") & (table["effort"] == 50)]
    off = paper.assign(off=paper[["bias", "spread"]].abs().max(axis=1)).groupby("n_latent")["off"].max()
    assert off[8] > 2 * off[2]


def test_the_papers_own_estimator_has_further_seeds_on_other_points_for_the_verdict(table):
    further = table[table["seed"] > 0]
    assert {*zip(further["estimator"], further["effort"], strict=True)} == {("appendix D", 50)}
    assert len(further) == 2 * len(study_marginal.DATA) * len(SMALL.n_latent)
    paper = table[(table["estimator"] == "appendix D") & (table["effort"] == 50)]
    assert (paper.groupby(["data", "n_latent"])["bias"].nunique() == 3).all()


def test_evaluations_are_counted(table):
    # 5 burn-in moves and 50 draws of 4 leapfrog steps, and one evaluation to start with.
    paper = table[(table["estimator"] == "appendix D") & (table["effort"] == 50)]
    assert (paper["evaluations"] == 55 * 4 + 1).all()
    assert (table[table["estimator"] == "importance sampling"]["evaluations"] == 50).all()


def test_errors_are_against_the_exact_value():
    oracle = linear_gaussian()
    x = oracle.simulate(10)
    exact = exact_log_marginal(oracle.model, x).detach()
    off = torch.linspace(-1, 1, 10).double() + 0.5
    estimate = MarginalEstimate(
        "fake", exact + off, torch.full((10,), 0.4), *[torch.ones(10)] * 2, torch.zeros(10).int(), off > 0
    )
    row = errors(estimate, exact)
    assert row["bias"] == pytest.approx(0.5)
    assert row["spread"] == pytest.approx(float(off.std()))
    assert row["within_3_errors"] == pytest.approx(float((off.abs() <= 1.2).double().mean()))
    assert row["trusted"] == pytest.approx(float((off > 0).double().mean()))


@pytest.mark.parametrize(
    ("off", "says"),
    [
        ([0.3, 0.4, 2.0], "holds."),
        ([0.3, 0.4, math.nan], "holds."),
        ([0.3, 0.4, 0.5], "does not hold as stated."),
        ([0.3, 1.4, 2.0], "does not hold as stated."),
        ([0.3, math.nan, 2.0], "does not hold as stated."),
        ([0.3, 1.01, 2.0], "is undecided."),
        ([0.3, 0.95, 2.0], "is undecided."),
        ([0.3, 0.4, 1.1], "is undecided."),
        ([1.01, 1.4, 2.0], "does not hold as stated."),
    ],
)
def test_the_verdict_follows_the_numbers_where_they_clear_the_limit(off, says):
    rows = pd.DataFrame(
        {"n_latent": [2, 3, 10], "bias": off, "spread": 0.1, "standard_error": 0.07, "effort": 50,
         "estimator": "appendix D", "data": "mnist"}
    )  # fmt: skip
    assert verdict(rows).endswith(says)


def test_the_published_cell_at_the_limit_decides_nothing():
    published = pd.read_csv(ROOT / "results" / "reference" / "studies" / "marginal" / "marginal.csv")
    worst = worst_errors(published)
    assert claim_holds(worst) is None
    assert worst[3].value == pytest.approx(1.01, abs=0.005)
    assert claim_holds({size: off for size, off in worst.items() if size != 3}) is True
    assert claim_holds(worst_errors(published, EACH_HALF)) is True  # as docs/studies/marginal.md says
    assert verdict(published).endswith("the claim then holds.")


def test_several_seeds_have_the_error_of_their_mean_and_the_worse_kind_of_data_counts():
    seeds = pd.DataFrame(
        [
            {"n_latent": 2, "data": data, "seed": seed, "estimator": "appendix D", "effort": 50, "bias": 0.0,
             "standard_error": 0.1, "spread": level + step, "spread_error": 0.1}
            for data, level in (("mnist", 0.9), ("simulated", 0.5))
            for seed, step in enumerate((-0.2, 0.0, 0.2))
        ]
    )  # fmt: skip
    off = worst_errors(seeds)[2]
    assert off.value == pytest.approx(0.9)
    assert off.standard_error == pytest.approx(0.2 / math.sqrt(3))
    # Student's t of two degrees leaves outside ±4.53 what the normal law leaves outside ±2.
    assert off.error == pytest.approx(0.2 / math.sqrt(3) * 4.527 / 2, rel=1e-3)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_a_verdict_survives_other_seeds_as_often_as_its_errors_say(n):
    # 20,000 studies of n seeds whose truth is the limit: whatever they decide, others would turn.
    rng = np.random.default_rng(n)
    decided = [mean(values).above(1.0) is not None for values in 1 + rng.standard_normal((20_000, n))]
    expected = 2 * stats.norm.sf(2)
    assert np.mean(decided) == pytest.approx(expected, abs=4 * math.sqrt(expected / 20_000))


def test_what_is_not_known_decides_nothing_and_what_is_infinite_needs_no_error():
    assert above(5.0, math.nan, 1.0) is None
    assert below(math.nan, 0.1, 1.0) is None
    assert above(math.inf, math.nan, 1.0) is True
    assert below(-math.inf, math.nan, 1.0) is True
    assert every([True, None]) is None
    assert every([True, None, False]) is False
    assert [holds(answer) for answer in (True, False, None)] == ["holds", "does not hold as stated", "is undecided"]


def test_the_error_of_a_spread_allows_for_heavy_tails():
    draws = torch.distributions.StudentT(torch.tensor(10.0)).expand((4000, 200))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        values = draws.sample().double()
    stated = torch.tensor([_spread_error(row) for row in values])
    assert stated.mean().item() == pytest.approx(values.std(1).std().item(), rel=0.15)
    assert stated.mean() > 1.1 / math.sqrt(400) * values.std()


def test_the_figure_and_the_tables_are_written(table, tmp_path):
    assert "N_z = 8" in format_study(table)
    extreme = table.assign(bias=[math.nan, 1e9, *table["bias"][2:]], without_estimate=[12, 3, *[0] * (len(table) - 2)])
    printed = format_study(extreme)
    assert "– [12]" in printed
    assert "+1e+09" in printed
    assert max(map(len, printed.splitlines())) <= 80
    plot_marginal(extreme, tmp_path / "extreme")
    assert all(path.stat().st_size > 10_000 for path in plot_marginal(table, tmp_path / "marginal"))
