"""Trusted estimates are right and errors cover the truth as often as docs/estimators.md says, and often enough."""

import io
import math
import re
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch

from harness.studies.marginal.coverage import (
    COLUMNS,
    digits_problem,
    format_page,
    grid_log_likelihood,
    linear_gaussian_problem,
    measure,
)
from tests.support import ROOT

PAGE = ROOT / "docs" / "estimators.md"
# Their docstring says that more of them are wrong: plain kernel densities, whose chains do not mix.
EXCEPTED = ("appendix D, kde, no jitter", "appendix D, scott_kde, no jitter")
MOST_WRONG, MOST_EXCEPTED = 0.02, 0.1
# Most of the trusted that may be off by 5 standard errors: few terms show too little of their own spread.
MOST_OFF_BY_5, MOST_EXCEPTED_BY_5 = 0.05, 0.15
# Least share of trusted estimates within 2 standard errors.
COVERAGE = {"importance": 0.84, "AIS, lower": 0.9, "AIS, upper": 0.9, "appendix D": 0.75, "excepted": 0.5}


def allowed(share: float, n: float) -> float:
    """What a share may come out as among so few."""
    return share + 3 * math.sqrt(share * (1 - share) / n)


def ceiling(estimator: str) -> float:
    return MOST_EXCEPTED if estimator in EXCEPTED else MOST_WRONG


def ceiling_by_5(estimator: str) -> float:
    return MOST_EXCEPTED_BY_5 if estimator in EXCEPTED else MOST_OFF_BY_5


def floor(estimator: str) -> float:
    return COVERAGE["excepted" if estimator in EXCEPTED else next(key for key in COVERAGE if estimator.startswith(key))]


def published() -> pd.DataFrame:
    tables = []
    for model, body in re.findall(r"^## (.*)\n\n((?:\|.*\n?)+)", PAGE.read_text(), re.MULTILINE):
        lines = [line.strip("| ") for line in body.splitlines() if not line.startswith("|---")]
        table = pd.read_csv(io.StringIO("\n".join(lines)), sep=r"\s*\|\s*", engine="python", na_values="–")
        tables.append(table.rename(columns={shown: name for name, shown in COLUMNS.items()}).assign(model=model))
    return pd.concat(tables, ignore_index=True)


@cache
def measured(model: str) -> pd.DataFrame:
    problem = digits_problem(60, spacing=0.06) if model == "digits" else linear_gaussian_problem(int(model), 200)
    return measure(problem, annealed_points=4 if model == "digits" else 30)


def test_the_published_page_keeps_to_the_ceilings() -> None:
    table = published()
    assert table.groupby("model").ngroups == 4
    for row in table[table["trusted"] * table["points"] > 0].itertuples():
        most = ceiling(row.estimator)
        assert row.wrong_points <= most, row
        if row.trusted * row.points >= 20:
            assert row.off_by_a_nat <= most, row
            assert row.off_by_5_errors <= ceiling_by_5(row.estimator), row
            assert row.within_2_errors >= floor(row.estimator), row


@pytest.mark.parametrize("model", ["2", "10", "20", "digits"])
def test_estimates_keep_to_the_ceilings(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = measured(model)
    with capsys.disabled():
        print("\n" + table.round(3).to_string(index=False))
    for row in table.itertuples():
        n = row.trusted * row.points
        most = ceiling(row.estimator)
        assert row.wrong_points <= allowed(most, row.points), row
        if n >= 20:
            assert row.off_by_a_nat <= allowed(most, n), row
            assert row.off_by_5_errors <= allowed(ceiling_by_5(row.estimator), n), row
            short = 1 - row.within_2_errors
            assert short <= allowed(1 - floor(row.estimator), n), row


def test_the_page_shows_what_is_measured() -> None:
    table = measured("2")
    page = format_page(table)
    assert page.count("\n## ") == 1
    assert all(f"| {name} |" in page for name in table["estimator"])


def test_a_grid_twice_as_coarse_has_the_same_sum() -> None:
    problem = digits_problem(10, spacing=0.02)
    coarse = grid_log_likelihood(problem.model, problem.x, 0.04)
    torch.testing.assert_close(coarse, problem.truth, rtol=0, atol=1e-3)


def test_the_linear_gaussian_truth_is_scipys() -> None:
    from scipy.stats import multivariate_normal

    problem = linear_gaussian_problem(10, 5)
    weight, var = problem.model.output.weight.detach().numpy(), problem.model.log_var.bias.detach().exp().numpy()
    law = multivariate_normal(problem.model.output.bias.detach().numpy(), weight @ weight.T + np.diag(var))
    np.testing.assert_allclose(problem.truth, law.logpdf(problem.x.numpy()))
