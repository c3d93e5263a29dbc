import math

import numpy as np
import pandas as pd
import pytest

from harness.experiments.paper_curves import read_published
from harness.figures.agreement import agreement
from harness.figures.compare import KEY, compare, label
from harness.figures.summary import format_summary, on_the_whole, stands_out, too_short, unexplained

SINCE = {"mnist": 3e5, "frey_face": 5e5}


def as_ours(published, seed=0, shift=0.0, protocol="paper"):
    ours = published.assign(protocol=protocol, seed=seed, standard_error=0.25)
    return ours.assign(lower_bound=ours["lower_bound"] + shift)


def summary(curves, at=(1e6, 1e7)):
    paper = read_published(2)
    return format_summary(compare(curves, paper, at), agreement(curves, paper, SINCE))


def test_every_curve_has_a_row_in_eighty_columns():
    paper = read_published(2)
    text = summary(pd.concat([as_ours(paper, shift=-2.5), as_ours(paper, protocol="other")]))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    for dataset, size, method, split in paper[list(KEY)].drop_duplicates().to_numpy():
        words = f"{label(dataset)} {size} {label(method)} {split} "
        assert sum(" ".join(line.split()).startswith(words) for line in lines) == 2, words
    assert [line.split(",")[0] for line in lines if line.startswith("protocol")] == ["protocol other", "protocol paper"]
    assert "-0.0" not in text


def test_a_difference_has_its_standard_error_and_stands_out_where_it_clears_both_limits():
    paper = read_published(2).query("dataset == 'mnist' and n_latent == 3 and split == 'test'")
    close = [as_ours(paper, seed, shift) for seed, shift in enumerate((2.0, 3.0, 4.0))]
    far = [as_ours(paper, seed, shift) for seed, shift in enumerate((-3.0, 3.0, 9.0))]
    (row,) = [line for line in summary(pd.concat(close)).splitlines() if "AEVB" in line]
    assert "+3.0 ± 1.2!" in row
    (row,) = [line for line in summary(pd.concat(far)).splitlines() if "AEVB" in line]
    assert "+3.0 ± 6.9" in row
    assert "!" not in row


def test_an_error_that_is_not_known_is_not_printed():
    aevb = as_ours(read_published(2).query("method == 'aevb' and n_latent == 3 and split == 'train'"), shift=2.0)
    text = summary(aevb.assign(standard_error=math.nan))
    assert "+2.0!" in text, "with no known error the limit alone decides"
    assert "nan" not in text
    assert not [line for line in text.splitlines()[1:] if "±" in line]


@pytest.mark.parametrize(
    ("curves", "told"),
    [([("aevb", 3, (1e8,))], "one seed"), ([("aevb", 3, (1e8, 1e6, 1e6))], "one seed"),
     ([("aevb", 3, (1e8, 1e8, 1e7))], "mean of 2 seeds"),
     ([("aevb", 3, (1e8, 1e7, 1e7, 1e6, 1e6)), ("wake_sleep", 3, (1e7, 1e7, 1e7, 1e6))], "mean of 1 or 3 seeds"),
     ([("aevb", 3, (1e8,)), ("aevb", 5, (1e8, 1e8)), ("wake_sleep", 5, (1e7,) * 4)], "mean of 1 to 4 seeds")],
)  # fmt: skip
def test_the_heading_counts_the_seeds_of_the_rows_that_are_shown(curves, told):
    paper = read_published(2).query("dataset == 'mnist'")
    runs = [
        as_ours(paper.query("method == @method and n_latent == @size and samples <= 1.1 * @end"), seed)
        for method, size, ends in curves
        for seed, end in enumerate(ends)
    ]
    heading = summary(pd.concat(runs), (1e6, 1e7, 1e8)).splitlines()[0]
    assert heading == f"protocol paper, nats, {told} ± standard error"


def test_own_curves_that_end_too_early_for_a_row_are_named():
    paper = read_published(2)
    theirs = as_ours(paper).assign(published=True)
    own = as_ours(paper.query("n_latent == 20")).assign(published=False)
    short = own[own["samples"] < 9e5].assign(dataset="mine.npy")
    assert too_short(pd.concat([theirs, own]), compare(pd.concat([theirs, own]), paper), 1e6) == ""
    curves = pd.concat([theirs, short])
    assert too_short(curves, compare(curves, paper), 1e6) == (
        "no row yet, for they end before 10⁶ samples: mine.npy 20 AEVB, mine.npy 20 wake-sleep"
    )
    many = pd.concat([short.assign(dataset=f"{k}.npy") for k in range(4)])
    assert too_short(many, compare(many, paper), 1e6).endswith("2.npy 20 wake-sleep and 2 more")


@pytest.mark.parametrize(
    ("difference", "error", "dataset", "out"),
    [(1.1, 0.5, "mnist", True), (0.9, 0.1, "mnist", False), (1.9, 1.0, "mnist", False), (-9.0, 1.0, "frey_face", False),
     (-11.0, 1.0, "frey_face", True), (1.1, np.nan, "mnist", True)],
)  # fmt: skip
def test_what_stands_out(difference, error, dataset, out):
    assert stands_out(difference, error, dataset) is out


def test_the_line_on_the_whole_counts_curves_that_agree():
    paper = read_published(2)
    moved = paper.assign(lower_bound=paper["lower_bound"].where(paper["n_latent"] != 20, paper["lower_bound"] + 30))
    text = on_the_whole(agreement(as_ours(moved), paper, SINCE))
    assert text.startswith("28 of 36 curves agree with the paper's: 28 within 1 nat (10 on Frey Face), 0 more within")
    assert "median 0.0, largest 30.0 nats" in text
    seeds = [as_ours(paper.assign(lower_bound=paper["lower_bound"] + off), n) for n, off in enumerate((-40, 10, 40))]
    text = on_the_whole(agreement(pd.concat(seeds), paper, SINCE))
    assert text.startswith("36 of 36 curves agree with the paper's: 16 within 1 nat (10 on Frey Face), 20 more within")
    assert on_the_whole(agreement(as_ours(paper), paper, {})) == ""


def test_curves_that_do_not_agree_are_named_as_unexplained_where_there_are_seeds_to_tell():
    paper = read_published(2)
    near = paper["n_latent"] != 20
    runs = [
        as_ours(
            paper.assign(lower_bound=paper["lower_bound"] + 0.5 * seed + np.where(near, 0, 30)), seed, protocol="author"
        )
        for seed in range(3)
    ]
    text = unexplained(agreement(pd.concat(runs), paper, SINCE))
    assert text.startswith(
        "Unexplained: MNIST 20 AEVB train and test, MNIST 20 wake-sleep train and test, Frey Face 20"
    )
    assert " 10 " not in text
    assert unexplained(agreement(runs[0], paper, SINCE)) == ""
    assert unexplained(agreement(pd.concat(runs).assign(protocol="paper"), paper, SINCE)) == ""


def test_what_is_missing_is_marked():
    own = pd.DataFrame(
        {"protocol": "p", "dataset": "faces.npy", "n_latent": 3, "method": "aevb", "split": "test", "seed": 0,
         "samples": [1e6, 1e7], "lower_bound": [-90.0, -80.0], "standard_error": 0.5}
    )  # fmt: skip
    assert summary(own).splitlines()[-1].split() == [
        "faces.npy", "3", "AEVB", "test", "10⁷", "-80.0", "±", "0.5", "–", "–", "–", "–",
    ]  # fmt: skip
    assert summary(own.assign(samples=[1e3, 1e4])) == ""
