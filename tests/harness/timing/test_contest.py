"""Learners that take turns: what is kept of each round, and the ratios that come of it."""

import numpy as np
import pandas as pd
import pytest

from harness.timing.contest import cells, cost, format_contests, ratio_of, tabulate_contests
from harness.timing.devices import keep, read_contests
from harness.timing.tables import sample_costs, tabulate

SLOWED = np.array([1.0, 0.5, 1.0, 0.5, 0.25, 1.0, 0.5])  # by what else the machine does


def contest(**rates: float) -> dict:
    """Of these rates on a quiet machine."""
    return {
        "suite": "contest", "device_type": "cpu", "hidden": [500], "n_latent": 20, "batch_size": 100,
        "rates": {name.replace("_", " "): list(rate * SLOWED) for name, rate in rates.items()},
        "seconds": 60.0, "environment": {"device": "Some CPU", "commit": "abc"},
    }  # fmt: skip


def test_ratios_are_those_of_a_quiet_machine_on_one_that_is_not():
    made = contest(fast=3000.0, JAX_scan=2000.0, GEMM=4000.0)
    ratio = ratio_of(made["rates"], "fast", "JAX scan")
    assert tuple(ratio) == pytest.approx((1.5, 1.5, 1.5))
    table = tabulate_contests([made])
    assert list(table["learner"]) == ["GEMM", "fast", "JAX scan"]  # the fastest first
    assert list(table["ratio"]) == pytest.approx([0.75, 1.0, 1.5])
    assert table["spent"].sum() == pytest.approx(60)
    assert table["low"].lt(table["high"]).all()  # rates do tell of the noise


def test_on_a_gpu_the_graph_is_what_others_are_held_to():
    table = tabulate_contests([contest(graph=10.0, reference=2.0)])
    assert list(table["ratio"]) == pytest.approx([1.0, 5.0])


def test_rounds_are_kept_in_the_devices_file_and_printed(tmp_path):
    keep([{"test": "test_contest", **contest(fast=3000.0, wake_sleep=2000.0)}], tmp_path)
    table = read_contests(tmp_path)
    assert set(table["device"]) == {"Some CPU"}
    assert cells(table).iloc[0].tolist() == ["500/20", "AEVB by hand", "1,500", "1"]
    assert "1.500 (1.500–1.500)" in format_contests(table)
    assert max(map(len, format_contests(table).splitlines())) <= 80
    assert read_contests(tmp_path / "nothing").empty


def test_the_cost_of_a_sample_is_that_of_turns_where_there_were_any():
    usual = {"suite": "learner", "engine": "fast", "precision": "float32", "device_type": "cpu", "hidden": [500],
             "n_latent": 20, "batch_size": 100, "n_samples": 1, "samples": 100, "seconds": 1.0}  # fmt: skip
    rates = {"aevb": 30.0, "wake_sleep": 25.0}
    table = tabulate([{**usual, "method": method, "samples_per_second": rate} for method, rate in rates.items()])
    table = table.assign(device="Some CPU")
    contests = tabulate_contests([{**contest(fast=3000.0), "rates": {"fast": [3.0, 6.0], "wake-sleep": [2.0, 4.0]}}])
    assert cost(contests, "wake-sleep")["ratio"] == pytest.approx(1.5)
    assert cost(contests, "wake-sleep", "100/3") is None
    costs = [sample_costs(table, found).loc["Some CPU", "wake_sleep"]
             for found in (contests.assign(device="Some CPU"), contests.assign(device="Another CPU"),
                           pd.DataFrame(columns=[*contests, "device"]))]  # fmt: skip
    assert costs == pytest.approx([1.5, 1.2, 1.2])
