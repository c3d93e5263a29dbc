from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from harness.experiments.paper import FIGURE2
from harness.experiments.paper_curves import read_published
from harness.figures.request import Request
from harness.studies.choices import roster, study, table
from harness.studies.choices.plot import plot_choices
from harness.studies.choices.roster import ALTERNATIVES, CHOICES, Alternative, Curve
from harness.studies.choices.study import ChoicesStudy, run_study
from harness.studies.choices.table import decided, format_choices, tabulate, verdicts

CURVE = Curve("mnist", "aevb", 10)
OTHERWISE = Alternative("estimator", "B", "estimator=b", (CURVE,))
EACH = [(alternative, curve) for alternative in ALTERNATIVES for curve in alternative.curves]


@pytest.fixture
def _one_alternative(monkeypatch):
    for module in (study, table):
        monkeypatch.setattr(module, "ALTERNATIVES", (OTHERWISE,))
    monkeypatch.setattr(study, "CURVES", (CURVE,))
    monkeypatch.setattr(table, "CHOICES", {"estimator": (OTHERWISE,)})


@pytest.mark.parametrize(("alternative", "curve"), EACH, ids=lambda v: getattr(v, "change", str(v)))
def test_an_alternative_is_the_protocol_but_for_the_fields_that_it_names(alternative, curve):
    (ours,), (other,) = (curve.configs(protocol, [0]) for protocol in ("author", alternative.protocol))
    named = {change.partition("=")[0] for change in alternative.change.split("+")}
    before, after = asdict(ours), asdict(other)
    changed = {name for name in before if before[name] != after[name]} - {"protocol"}
    assert changed
    assert changed <= named
    assert FIGURE2.defines(other)


def test_the_choices_are_many_and_every_sentinel_is_tried():
    assert len(CHOICES) >= 12
    assert {curve for _, curve in EACH} == {*roster.CURVES}


def as_runs(offsets):
    """The paper's test curve moved by so many nats, for each protocol and seed."""
    paper = read_published(2)
    one = (paper["dataset"] == "mnist") & (paper["n_latent"] == 10) & (paper["method"] == "aevb")
    test = paper[one & (paper["split"] == "test")]
    first = test.iloc[[0]].assign(samples=1e5)
    test = pd.concat([first, test])
    return pd.concat(
        [
            test.head(0).assign(protocol="", seed=0),
            *(
                test.assign(protocol=protocol, seed=seed, lower_bound=test["lower_bound"] + off)
                for (protocol, seed), off in offsets.items()
            ),
        ]
    )


def as_ended(diverged=()):
    """How runs ended: the alternative's of these seeds diverged."""
    runs = pd.DataFrame({"seed": range(3), "protocol": "author+estimator=b", **vars(CURVE)})
    return runs.assign(status=["diverged" if seed in diverged else "finished" for seed in runs["seed"]])


def rows_of(offsets, diverged=(), seeds=(0, 1, 2)):
    return tabulate(as_runs(offsets), as_ended(diverged), read_published(2), seeds, 1_000_000, 3e5)


@pytest.mark.usefixtures("_one_alternative")
def test_shift_spread_and_distance_are_those_that_were_put_in():
    ours = {("author", seed): off for seed, off in enumerate((1.0, -1.0, 3.0))}
    other = {("author+estimator=b", seed): off for seed, off in enumerate((5.0, 3.0, 7.0))}
    (row,) = rows_of(ours | other).to_dict("records")
    assert (row["seeds"], row["diverged"]) == (3, 0)
    assert row["shift"] == pytest.approx(4.0)
    assert row["shift_error"] == pytest.approx(0, abs=1e-9)  # what both seeds have in common cancels
    assert (row["spread"], row["spread_otherwise"]) == (pytest.approx(2.0), pytest.approx(2.0))
    assert (row["distance"], row["distance_otherwise"]) == (pytest.approx(1.0), pytest.approx(5.0))
    assert row["farther"] == pytest.approx((4 + 2 + 4) / 3)  # spreads are equal: the mean of single runs' distances
    assert "--protocol author+estimator=b" in row["command"]


@pytest.mark.usefixtures("_one_alternative")
def test_only_pairs_of_equal_seeds_count_and_a_run_without_a_value_is_told():
    ours = {("author", seed): 0.0 for seed in range(3)}
    other = {("author+estimator=b", 0): 1.0, ("author+estimator=b", 1): np.nan, ("author+estimator=b", 7): 9.0}
    curves = as_runs(ours | other)
    curves.loc[(curves["seed"] == 1) & (curves["protocol"] != "author") & (curves["samples"] < 4e5), "lower_bound"] = 0
    found = tabulate(curves, as_ended(diverged=[1, 2]), read_published(2), (0, 1, 2), 1_000_000, 3e5)
    (row,) = found.to_dict("records")
    assert (row["seeds"], row["diverged"], row["shift"]) == (1, 2, pytest.approx(1.0))
    assert np.isnan(row["shift_error"])
    assert "2 of 3 runs of MNIST AEVB 10 diverge at B" in verdicts(found)[0]


@pytest.mark.usefixtures("_one_alternative")
def test_an_alternative_whose_runs_all_diverge_at_once_has_its_line():
    found = rows_of({("author", seed): 0.0 for seed in range(3)}, diverged=[0, 1, 2])
    (row,) = found.to_dict("records")
    assert (row["seeds"], row["diverged"]) == (0, 3)
    assert "0, 3 diverged" in format_choices(found)
    assert verdicts(found) == ["estimator: 3 of 3 runs of MNIST AEVB 10 diverge at B."]


@pytest.mark.usefixtures("_one_alternative")
@pytest.mark.parametrize(
    ("other", "said"),
    [
        ((6.0, 6.1, 5.9), "speak for the protocol"),
        ((0.0, 0.1, -0.1), "speak against"),
        ((5.0, 4.0, 6.0), "undecided"),
        ((1.0, 3.0, 2.0), "undecided"),
    ],
)
def test_the_verdict_follows_the_numbers(other, said):
    ours = {("author", seed): off for seed, off in enumerate((2.0, 2.2, 1.8))}
    (sentence,) = verdicts(rows_of(ours | {("author+estimator=b", seed): off for seed, off in enumerate(other)}))
    assert said in sentence


def test_the_rule_is_two_standard_errors_and_more_where_seeds_are_few():
    assert [decided(2.1, 1, 999), decided(-2.1, 1, 999), decided(1.9, 1, 999), decided(0, 0, 999)] == [1, -1, 0, 0]
    assert [decided(4.0, 1, 3), decided(4.6, 1, 3), decided(4.0, float("nan"), 1)] == [0, 1, 0]


@pytest.mark.usefixtures("_one_alternative")
def test_the_table_for_print_is_at_most_80_columns_wide():
    ours = {("author", seed): 1e3 * seed for seed in range(3)}
    other = {("author+estimator=b", seed): -3e5 * seed for seed in range(3)}
    text = format_choices(rows_of(ours | other))
    assert max(map(len, text.splitlines())) <= 80
    assert format_choices(rows_of({})) == "No pair of runs is there yet."


@pytest.mark.usefixtures("_one_alternative")
def test_runs_are_shared_and_the_figure_is_drawn(tmp_path, capsys):
    small, request = ChoicesStudy(2_000, (0, 1), 1e3), Request(results=tmp_path, workers=1)
    found = run_study(small, request)
    assert len(found) == 1
    assert len([*(tmp_path / "runs").iterdir()]) == 4
    computed_by = (tmp_path / "studies" / "choices" / "environment.json").read_bytes()
    again = run_study(small, request)
    assert (tmp_path / "studies" / "choices" / "environment.json").read_bytes() == computed_by
    assert "0 training steps computed" in capsys.readouterr().err
    pd.testing.assert_frame_equal(found, again)
    first = [path.read_bytes() for path in plot_choices(found, tmp_path / "a")]
    assert first == [path.read_bytes() for path in plot_choices(found, tmp_path / "a")]
    kept = tmp_path / "studies" / "choices"
    assert {path.name for path in kept.iterdir()} == {
        "choices.csv", "curves.csv", "runs.csv", "config.json", "environment.json",
    }  # fmt: skip
