"""Figure 3 shows what its means leave out."""

import pandas as pd
import pytest

from harness.experiments.paper import FIGURE3
from harness.experiments.paper_curves import read_published
from harness.figures import plot3
from harness.figures.compare import compare
from harness.figures.plot3 import plot_figure3
from harness.figures.trust import format_trust
from harness.store.collect import collect

PAPER = read_published(3)
KEY = (*FIGURE3.key, "split")


def measured(method: str = "mcem", **columns: object) -> pd.DataFrame:
    rows = [
        {
            "protocol": "author", "dataset": "mnist", "n_train": 1000, "method": method, "split": split, "seed": 0,
            "samples": samples, "marginal_log_likelihood": -140.0 + samples / 1e6, "standard_error": 0.5,
            "without_estimate": 0, "untrusted": 7, "seconds": 1.0,
        }
        for split in ("train", "test")
        for samples in (100_000, 1_000_000, 6_000_000)
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**columns)


def drawn(tmp_path, curves: pd.DataFrame) -> str:
    runs = curves[["protocol", "dataset", "n_train", "method", "seed"]].drop_duplicates().assign(status="finished")
    _, svg = plot_figure3(curves, PAPER, runs, {}, tmp_path / "figure3")
    return svg.read_text()


def test_other_data_have_an_axis_of_their_own_whatever_their_number() -> None:
    curves = measured(dataset="faces.npy", marginal_log_likelihood=[500.0, 600.0, 700.0] * 2)
    low, high = plot3._nats("faces.npy", 1000, curves, PAPER.iloc[:0], zoomed=False)
    assert low < 600 < 700 < high


def test_points_without_estimate_and_stuck_chains_are_named(tmp_path) -> None:
    assert "no estimate" not in drawn(tmp_path, measured())
    text = drawn(tmp_path, measured(without_estimate=4, training_stuck=3.0))
    assert "MCEM: 8 points have no estimate" in text
    assert "MCEM: 3 training chains stuck" in text


def test_an_early_end_is_shown_enlarged(tmp_path) -> None:
    assert "enlarged" in drawn(tmp_path, measured())
    assert "enlarged" not in drawn(tmp_path, measured(samples=[1e6, 4e7, 6e7] * 2))


@pytest.mark.parametrize(("fall", "told"), [(0.0, False), (40.0, False), (700.0, True)])
def test_a_curve_below_the_papers_axis_has_room_or_is_told_where_it_is(fall: float, told: bool, tmp_path) -> None:
    curves = measured(samples=[1e6, 4e7, 6e7] * 2)
    curves["marginal_log_likelihood"] -= fall
    low, high = plot3._nats("mnist", 1000, curves, PAPER, zoomed=False)
    assert high == plot3.PAPER_NATS["mnist", 1000][1]
    assert (low < curves["marginal_log_likelihood"].max()) is not told
    assert (low == plot3.PAPER_NATS["mnist", 1000][0]) is (fall != 40.0)
    # the last of both curves is -140 + 6 nats, less the fall
    text = drawn(tmp_path, curves)
    assert (f"MCEM below: train −{134 + fall:.0f}, test −{134 + fall:.0f}" in text) is told
    assert ("at 6·10⁷" in text) is told


def test_the_printed_table_counts_what_the_means_leave_out(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    curves = pd.concat([measured(training_acceptance=0.875, training_stuck=3, training_non_finite=0), measured("aevb")])
    lines = [line.split() for line in format_trust(curves, FIGURE3.key).splitlines()[2:]]
    assert ["mnist", "1000", "mcem", "test", "0", "6000000", "0", "7", "0.88", "3", "0"] in lines
    assert ["mnist", "1000", "aevb", "train", "0", "6000000", "0", "7", "–", "–", "–"] in lines
    assert len(lines) == 4


def test_runs_without_a_point_give_empty_tables(tmp_path) -> None:
    curves, runs = collect([], FIGURE3.key, FIGURE3.measure)
    assert curves.empty
    assert runs.empty
    assert compare(curves, PAPER, FIGURE3.compared_at, KEY, FIGURE3.measure).empty
    assert "last logged point" in format_trust(curves, FIGURE3.key)
    assert "not run" in drawn(tmp_path, curves)
