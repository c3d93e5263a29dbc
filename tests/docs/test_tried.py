"""Tables of what else was tried and of later methods, from planted results."""

import numpy as np
import pandas as pd

from aevb import shipped
from docs.making.curves import apart, better_estimates, methods, tried
from docs.making.markup import NONE_YET
from harness.experiments.paper_curves import read_published
from harness.figures.compare import value_at

PANEL = {"dataset": "mnist", "n_latent": 3}


def off_by(nats, protocol, method="aevb", seed=0, end=1e6):
    """A test curve that is so many nats above the paper's all along."""
    paper = read_published(2).query("dataset == 'mnist' and n_latent == 3 and method == 'aevb' and split == 'test'")
    samples = np.geomspace(3e5, end, 9)
    bound = value_at(paper["samples"], paper["lower_bound"], samples) + nats
    row = {"protocol": protocol, **PANEL, "method": method, "split": "test", "seed": seed, "standard_error": 0.1}
    return pd.DataFrame({**row, "samples": samples, "lower_bound": bound})


def store(folder, monkeypatch, curves, comparison=()):
    monkeypatch.setattr(shipped, "RESULTS", folder)
    (folder / "figure2").mkdir()
    pd.concat(curves).to_csv(folder / "figure2" / "figure2.csv", index=False)
    columns = ["protocol", *PANEL, "method", "split", "samples", "ours", "standard_error"]
    pd.DataFrame(comparison, columns=columns).to_csv(folder / "figure2" / "comparison.csv", index=False)


def test_what_was_tried_is_compared_at_equal_seeds_and_over_one_range(tmp_path, monkeypatch):
    changed = "author+step_size=0.01"
    curves = [off_by(1, "author"), off_by(90, "author", seed=7), off_by(-5, changed), off_by(9, "author+n_train=1000")]
    curves.append(off_by(2, "author+step_size=0.02"))  # the protocol's own value
    store(tmp_path, monkeypatch, curves)
    head, _, *rows = tried(2).splitlines()
    assert [cell.strip() for cell in head.split("|")[1:3]] == ["curve", "instead"]
    (row,) = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert row[:6] == ["MNIST 3, AEVB", "`step_size=0.01`", "0", "10⁶", "1.0", "5.0"]
    assert row[6] == (
        f"`--figure 2 --dataset mnist --latent 3 --method aevb --seed 0 --samples 1000000 --protocol {changed}`"
    )


def test_seeds_lie_apart_by_the_lowest_and_the_highest_of_three_or_more(tmp_path, monkeypatch):
    curves = [off_by(nats, "author", seed=seed) for seed, nats in enumerate([1, -5, 12])]
    curves += [off_by(nats, "author", method="wake_sleep", seed=seed) for seed, nats in enumerate([0, 99])]
    store(tmp_path, monkeypatch, [*curves, off_by(500, "author+step_size=0.01", seed=3)])
    _, _, row, _ = apart("mnist").splitlines()
    assert row.split() == ["AEVB", "3", "17", "17", "17", "10⁶"]
    assert apart("frey_face") == NONE_YET


def test_later_methods_are_compared_where_the_first_of_all_ends(tmp_path, monkeypatch):
    rows = [
        ("author", "mnist", 3, method, "test", at, -100.0 - k, 0.25)
        for at, names in {1e6: ("aevb", "iwae"), 1e7: ("aevb",)}.items()
        for k, method in enumerate(names)
    ]
    rows += [("author", "mnist", 5, "aevb", "test", 1e6, -90.0, 0.1)]
    rows += [("author", "mnist", 10, name, "test", at, -90.0, 0.1) for name, at in {"aevb": 1e6, "iwae": 1e7}.items()]
    store(tmp_path, monkeypatch, [off_by(0, "author")], rows)
    table = methods()
    assert "MNIST, N_z = 3 | 10⁶ | -100.0 ± 0.2 | -101.0 ± 0.2" in table
    assert "N_z = 5" not in table
    assert "N_z = 10" not in table  # no count that both have
    assert methods("author+n_train=1000") == tried(2) == NONE_YET


def test_of_figure_3_both_curves_are_compared_and_better_estimates_shown_where_there_are_any(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "RESULTS", tmp_path)
    (tmp_path / "figure3").mkdir()
    paper = read_published(3).query("n_train == 1000 and method == 'aevb'")
    samples, curves = np.linspace(2e6, 4e6, 9), []
    for protocol, off in {"author": {"train": 1, "test": 2}, "author+estimator=b": {"train": -3, "test": 4}}.items():
        for split, nats in off.items():
            drawn = paper[paper["split"] == split]
            there = value_at(drawn["samples"], drawn["marginal_log_likelihood"], samples) + nats
            row = {"protocol": protocol, "dataset": "mnist", "n_train": 1000, "method": "aevb", "split": split}
            curve = {**row, "seed": 0, "samples": samples, "marginal_log_likelihood": there, "standard_error": 0.1}
            curves.append(pd.DataFrame(curve))
    pd.concat(curves).to_csv(tmp_path / "figure3" / "figure3.csv", index=False)
    _, _, *rows = tried(3).splitlines()
    found = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert [(row[0], *row[4:6]) for row in found] == [
        ("MNIST 1000, AEVB, test", "2.0", "4.0"), ("MNIST 1000, AEVB, train", "1.0", "3.0")
    ]  # fmt: skip
    assert better_estimates() == NONE_YET
    estimate = {"protocol": "author", "dataset": "mnist", "n_train": 1000, "method": "aevb", "seed": 0, "split": "test",
                "samples": 100, "estimator": "importance", "datapoints": 5, "bias": -7.0, "bias_standard_error": 5.0,
                "largest_deficit": 27.0, "worst": -27.0, "without_estimate": 0, "untrusted": 1}  # fmt: skip
    pd.DataFrame([estimate]).to_csv(tmp_path / "figure3" / "reestimates.csv", index=False)
    assert "MNIST 1000 AEVB seed 0 test importance -7.00 5.00 -27.0 -2.00       1/5" in better_estimates()
