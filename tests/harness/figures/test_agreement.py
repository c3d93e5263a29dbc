import numpy as np
import pandas as pd
import pytest

from harness.experiments.paper import EXPERIMENTS
from harness.experiments.paper_curves import read_published
from harness.figures.agreement import agreement
from harness.figures.compare import KEY

SINCE = {"mnist": 3e5, "frey_face": 5e5}


def as_ours(published, seed=0, shift=0.0, value="lower_bound"):
    """The paper's curves as if they had been measured here, `shift` nats higher."""
    return published.assign(protocol="p", seed=seed, **{value: published[value] + shift})


@pytest.mark.parametrize("figure", EXPERIMENTS)
def test_the_paper_is_at_no_distance_from_itself(figure):
    experiment, paper = EXPERIMENTS[figure], read_published(figure)
    key, value = (*experiment.key, "split"), experiment.measure
    table = agreement(as_ours(paper, value=value), paper, experiment.compared_from, key, value)
    assert len(table) == {2: 36, 3: 12}[figure]
    assert (table["rms"] == 0).all()
    assert (table["begin"] >= table["dataset"].map(experiment.compared_from)).all()


def test_a_shift_is_the_distance_and_seeds_that_differ_both_ways_cancel():
    paper = read_published(2)
    both = pd.concat([as_ours(paper, 0, 3.0), as_ours(paper, 1, -1.0)])
    table = agreement(both, paper, SINCE)
    np.testing.assert_allclose(table["rms"], 1.0, rtol=1e-9)
    np.testing.assert_allclose(table["largest"], 1.0, rtol=1e-9)
    np.testing.assert_allclose(table["standard_error"], 2.0, rtol=1e-9)  # of the values 3 and -1: 2√2 / √2
    np.testing.assert_allclose(table["difference_error"], np.sqrt(8 * (1 + 1 / 2)), rtol=1e-9)
    np.testing.assert_allclose(table["seed_rms"], np.sqrt(5), rtol=1e-9)
    assert (table["seeds"] == 2).all()


def test_the_root_mean_square_is_taken_over_the_logarithm_of_samples():
    paper = read_published(2).query("dataset == 'mnist' and n_latent == 3 and method == 'aevb' and split == 'test'")
    slope = 2.0 * np.log10(paper["samples"] / 1e6)  # nats a decade, 0 at a million
    ours = as_ours(paper).assign(lower_bound=paper["lower_bound"] + slope)
    (row,) = agreement(ours[ours["samples"] <= 1.1e7], paper, {"mnist": 1e6}).to_dict("records")
    decades = np.linspace(0, np.log10(row["end"] / 1e6), 41)
    begin = np.log10(row["begin"] / 1e6)
    exact = 2 * (begin + (decades - decades[0]) * (1 - begin / decades[-1]))
    assert row["rms"] == pytest.approx(np.sqrt(np.mean(exact**2)), rel=1e-3)
    assert row["largest"] == pytest.approx(exact[-1], rel=1e-3)


def test_what_has_no_counterpart_or_no_common_range_has_no_row():
    paper = read_published(2)
    assert agreement(as_ours(paper), paper, {}).empty
    assert agreement(as_ours(paper[paper["samples"] < 2.9e5]), paper, SINCE).empty
    assert agreement(as_ours(paper).assign(n_latent=7), paper, SINCE).empty


def test_training_bounds_are_compared_from_the_papers_third_point_on():
    paper = read_published(2)
    table = agreement(as_ours(paper), paper, SINCE)
    for row in table.to_dict("records"):
        same = (paper[list(KEY)] == [row[column] for column in KEY]).all(axis=1)
        third = paper.loc[same, "samples"].nsmallest(3).iloc[-1]
        assert row["begin"] >= third if row["split"] == "train" else row["begin"] < third
