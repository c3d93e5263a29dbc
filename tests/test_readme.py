"""What README says is what the published results say, and what CI runs is what README says."""

import re
import textwrap

import pandas as pd
import pytest

from harness.compare import format_comparison
from harness.experiments import EXPERIMENTS
from harness.gradient_table import verdicts
from harness.reestimate import format_bias
from harness.study_table import verdict
from tests.support import ROOT

README = (ROOT / "README.md").read_text()
REFERENCE = ROOT / "results" / "reference" / "quick"


@pytest.mark.parametrize("figure", EXPERIMENTS)
def test_the_table_is_that_of_the_published_results(figure):
    comparison = pd.read_csv(REFERENCE / f"figure{figure}" / "comparison.csv")
    assert format_comparison(comparison, (*EXPERIMENTS[figure].key, "split")) in README


def test_what_is_said_of_the_papers_estimator_is_what_was_measured():
    estimates = pd.read_csv(REFERENCE / "figure3" / "reestimates.csv")
    assert format_bias(estimates, EXPERIMENTS[3].key) in README
    assert textwrap.fill(verdict(pd.read_csv(REFERENCE / "marginal" / "marginal.csv")), 120) in README


def test_what_is_said_of_the_trick_is_what_was_measured():
    folder = REFERENCE / "reparameterization"
    for text in verdicts(pd.read_csv(folder / "variance.csv"), pd.read_csv(folder / "curves.csv")):
        assert textwrap.fill(text, 120) in README


def test_every_picture_and_link_into_the_project_exists():
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", README) if "://" not in target]
    assert len(targets) >= 3
    for target in targets:
        assert (ROOT / target).exists(), target


def test_every_published_run_has_its_config_environment_and_status():
    runs = [path.parent for path in REFERENCE.glob("figure*/runs/*/curve.csv")]
    assert len(runs) >= 18
    for run in runs:
        for name in ("config.json", "environment.json", "status.json"):
            assert (run / name).exists(), run / name


def test_the_two_commands_are_marked_for_those_who_run_them():
    for mark in ("main", "tests"):
        block = re.search(rf"<!-- {mark} -->\n```sh\n(.*)\n```", README)
        assert block is not None
        assert block.group(1).startswith("python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e ")
