"""Time to a target: every seed counts, those that never reach it too, and what is done is not done again."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aevb.data import load_dataset
from harness.figures.compare import value_at
from harness.timing.race import COLUMNS, cells, format_race, medians, ratios
from harness.timing.to_target import PASSED_BY, SENTINEL, Race, first, show_to_target
from tests.support import ROOT, SMALL


def race(array: Path, **changes) -> Race:
    small = Race(
        target=-10.5, stages=(1000, 10_000), seeds=(0, 1), n_latent=2, protocol=SMALL + "+first_point=200",
        evaluation_points=50, dataset=array.name, data=array, data_sha256=load_dataset(str(array)).sha256,
    )  # fmt: skip
    return replace(small, **changes)


def test_each_seed_of_each_method_has_its_row_and_the_same_command_trains_nothing_again(tmp_path, array, capsys):
    results = tmp_path / "results"
    show_to_target(results, race(array))
    path = results / "benchmarks" / "to_target.csv"
    table = pd.read_csv(path)
    assert [*table.columns] == [*COLUMNS]
    assert [*zip(table["seed"], table["method"], strict=True)] == [(s, m) for s in (0, 1) for m in SENTINEL.methods]
    assert table.loc[table["method"] == "aevb", "samples"].between(200, 10_000).all()
    assert table["end_samples"].between(1000, 10_000).all()
    assert (table["seconds"] > 0).all()
    assert "reached" in capsys.readouterr().out
    statuses = {found: found.stat().st_mtime_ns for found in results.rglob("status.json")}
    assert len(statuses) == 4
    show_to_target(results, race(array))
    assert pd.read_csv(path).equals(table)
    assert {found: found.stat().st_mtime_ns for found in statuses} == statuses


def test_a_seed_that_never_reaches_the_target_counts_as_such(tmp_path, array, capsys):
    show_to_target(tmp_path, race(array, target=0.0, stages=(400, 600), seeds=(0,)))
    table = pd.read_csv(tmp_path / "benchmarks" / "to_target.csv")
    assert np.isinf(table[["samples", "seconds"]]).all(axis=None)
    text = capsys.readouterr().out
    assert "0 of 1" in text
    assert "undecided" in text


def test_the_first_time_at_the_target_lies_between_the_logged_points():
    curve = pd.DataFrame({
        "split": ["test", "train", "test", "test"], "samples": [100, 100, 200, 300],
        "lower_bound": [-20.0, 0.0, -10.0, -30.0], "seconds": [1.0, 1.0, 2.0, 3.0],
    })  # fmt: skip
    samples, seconds = first(curve, -15.0)
    assert value_at([100, 200], [-20.0, -10.0], samples) == pytest.approx(-15)
    assert seconds == pytest.approx(samples / 100), "it trains at one rate"
    assert first(curve, -20.0) == (100.0, 1.0)
    assert first(curve, -9.0) == (math.inf, math.inf)
    assert first(curve.head(0), -9.0) == (math.inf, math.inf)


def made_up(aevb: list[float], wake_sleep: list[float]) -> pd.DataFrame:
    rows = [
        {"device": "x", "dataset": "mnist", "n_latent": 20, "method": method, "seed": seed, "target": -180.0,
         "samples": samples, "seconds": samples / 1e4, "end_samples": min(samples, 2e5),
         "end_seconds": min(samples, 2e5) / 1e4, "longest": 200_000, "commit": "abc"}
        for method, values in (("aevb", aevb), ("wake_sleep", wake_sleep))
        for seed, samples in enumerate(values)
    ]  # fmt: skip
    return pd.DataFrame(rows)


SEEDS = [1e5 * (1 + 0.02 * k) for k in range(10)]


def test_the_ratio_of_a_planted_win_is_found_and_holds():
    table = made_up(SEEDS, [1.5 * s * (1 + 0.05 * (-1) ** k) for k, s in enumerate(SEEDS)])
    for each in ratios(table):
        assert each.median.low < 1 / 1.5 < each.median.high < 1
        assert each.verdict == "holds"
    assert medians(table).set_index("method").loc["aevb", "samples"] == np.median(SEEDS)


def test_equal_methods_are_undecided_and_a_planted_loss_does_not_hold():
    turns = [s * (1.3 if k % 2 else 1 / 1.3) for k, s in enumerate(SEEDS)]
    assert {each.verdict for each in ratios(made_up(SEEDS, turns))} == {"is undecided"}
    assert {each.verdict for each in ratios(made_up([2 * s * (1 + 0.01 * k) for k, s in enumerate(SEEDS)], SEEDS))} == {
        "does not hold as stated"
    }
    assert not ratios(made_up(SEEDS, []))


def test_seeds_that_never_arrive_move_the_median_and_decide_nothing_that_more_time_could_turn():
    never = [math.inf]
    late = made_up(SEEDS, [1.5 * s for s in SEEDS[:4]] + never * 6)
    row = medians(late).set_index("method").loc["wake_sleep"]
    assert (row["reached"], row["seeds"]) == (4, 10)
    assert row["samples"] == row["samples_high"] == math.inf
    assert "∞" in cells(late).to_string()
    assert {each.verdict for each in ratios(late)} == {"holds"}  # whatever those six would need, it is more
    slow = [1.5 * s for s in SEEDS[:9]]
    assert {each.verdict for each in ratios(made_up(SEEDS[:9] + never, slow + never))} == {"is undecided"}
    assert {each.verdict for each in ratios(made_up([*slow, 2e5], SEEDS[:9] + never))} == {"is undecided"}
    assert {each.verdict for each in ratios(made_up(slow + never, SEEDS))} == {"does not hold as stated"}
    assert "–" in format_race(made_up(SEEDS[:9] + never, SEEDS[:9] + never))


def test_published_curves_reach_the_target_before_a_race_gives_up_and_not_all_of_them_a_higher_one():
    curves = pd.read_csv(ROOT / "results" / "reference" / "figure2" / "figure2.csv")
    kept = (curves["dataset"] == SENTINEL.dataset) & (curves["n_latent"] == SENTINEL.n_latent)
    kept &= (curves["protocol"] == "author") & (curves["split"] == "test")
    panel = curves[kept & curves["method"].isin(SENTINEL.methods)]
    by_then, at_last = (
        panel[panel["samples"] <= count].groupby(["method", "seed"])["lower_bound"].max()
        for count in (PASSED_BY, SENTINEL.stages[-1])
    )
    assert len(at_last) >= 6
    assert at_last.min() >= SENTINEL.target
    assert by_then.min() < SENTINEL.target + 10
    assert SENTINEL.stages[-1] > PASSED_BY
    assert [*SENTINEL.seeds] == [*range(10)]
