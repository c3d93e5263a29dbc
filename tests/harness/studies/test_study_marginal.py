import math

import pandas as pd
import pytest
import torch

from aevb.linear_gaussian import exact_log_marginal
from harness.studies.marginal import study as study_marginal
from harness.studies.marginal.plot import plot_marginal
from harness.studies.marginal.study import MarginalStudy, Part, compute_part, run_study
from harness.studies.marginal.table import format_study, verdict
from harness.workers.local import Local
from tests.oracles import linear_gaussian

SMALL = MarginalStudy((2, 8), 12, 500, (20, 50), (50,), (30,), 4)


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
    estimate = study_marginal.MarginalEstimate(
        "fake", exact + off, torch.full((10,), 0.4), *[torch.ones(10)] * 2, torch.zeros(10).int(), off > 0
    )
    row = study_marginal._errors(estimate, exact)
    assert row["bias"] == pytest.approx(0.5)
    assert row["spread"] == pytest.approx(float(off.std()))
    assert row["within_3_errors"] == pytest.approx(float((off.abs() <= 1.2).double().mean()))
    assert row["trusted"] == pytest.approx(float((off > 0).double().mean()))


@pytest.mark.parametrize(
    ("off", "holds"),
    [
        ([0.3, 0.4, 2.0], True),
        ([0.3, 0.4, math.nan], True),
        ([0.3, 0.4, 0.5], False),
        ([0.3, 1.4, 2.0], False),
        ([0.3, math.nan, 2.0], False),
    ],
)
def test_the_verdict_follows_the_numbers(off, holds):
    rows = pd.DataFrame({"n_latent": [2, 3, 10], "bias": off, "spread": 0.1, "effort": 50, "estimator": "appendix D"})
    assert verdict(rows).endswith("holds." if holds else "does not hold as stated.")


def test_the_figure_and_the_tables_are_written(table, tmp_path):
    assert "N_z = 8" in format_study(table)
    extreme = table.assign(bias=[math.nan, 1e9, *table["bias"][2:]], without_estimate=[12, 3, *[0] * (len(table) - 2)])
    printed = format_study(extreme)
    assert "– [12]" in printed
    assert "+1e+09" in printed
    plot_marginal(extreme, tmp_path / "extreme")
    assert all(path.stat().st_size > 10_000 for path in plot_marginal(table, tmp_path / "marginal"))
