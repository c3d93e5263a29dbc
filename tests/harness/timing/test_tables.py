"""The benchmarks' tables and figures: what was measured, on which device, and what it means in time."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from harness.timing import plot
from harness.timing.contest import tabulate_contests
from harness.timing.devices import keep, read
from harness.timing.plot import plot_benchmarks
from harness.timing.tables import (
    format_benchmarks,
    format_times,
    readable,
    sample_costs,
    tabulate,
    time_to_bound,
)

NO_TURNS = tabulate_contests([]).assign(device="")


def measured(**changes) -> dict:
    info = {
        "suite": "learner", "method": "aevb", "engine": "by hand", "device_type": "cpu", "precision": "float32",
        "hidden": [500], "n_latent": 20, "batch_size": 100, "n_samples": 1, "samples": 1000, "flops_per_second": 1e11,
        "samples_per_second": 50_000.0, "flop_share_of_gemm_peak": 0.8, "bytes_touched": 6_500_000,
        "seconds": 0.02, "seconds_low": 0.0196, "seconds_high": 0.0204,
        "environment": {"device": "Some CPU @ 2 GHz", "commit": "abc"},
    }  # fmt: skip
    return info | changes


def report(*cases: dict) -> list[dict]:
    return [{"test": f"test_{n}", **info} for n, info in enumerate(cases)]


def sweep(**changes) -> list[dict]:
    cases = [measured(batch_size=m, samples_per_second=20_000.0 * m**0.2, **changes) for m in (10, 100, 1000)]
    cases += [measured(n_latent=n, **changes) for n in (2, 200)] + [measured(hidden=[h], **changes) for h in (50, 1000)]
    cases += [measured(engine=name, samples_per_second=1e4, **changes) for name in ("reference", "plain PyTorch")]
    importance = {"suite": "log p(x)", "method": "importance sampling, network", "hidden": [100], "n_latent": 3}
    return cases + [measured(**importance | {"n_samples": k}, **changes) for k in (30, 300)]


def test_each_device_has_a_file_of_its_own_with_its_provenance(tmp_path):
    gpu = {"device_type": "cuda", "environment": {"device": "Some GPU", "commit": "abc"}}
    keep(report(*sweep(), *sweep(**gpu)), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "Some-CPU-2-GHz.json", "Some-CPU-2-GHz.csv", "Some-GPU.json", "Some-GPU.csv",
    }  # fmt: skip
    stored = json.loads((tmp_path / "Some-GPU.json").read_text())
    assert stored["environment"]["commit"] == "abc"
    table = read(tmp_path)
    assert set(table["device"]) == {"Some CPU @ 2 GHz", "Some GPU"}
    assert len(table) == 2 * len(sweep())
    # 50,000 samples/s are 20 s a million.
    row = table[(table["device"] == "Some GPU") & (table["n_latent"] == 200)].iloc[0]
    assert row["seconds_per_million"] == 20
    assert row["seconds"] == 0.02
    assert "100.0" in format_benchmarks(table)


def test_what_was_not_measured_is_a_dash():
    bare = {key: value for key, value in measured().items() if not key.startswith(("flop", "bytes"))}
    text = format_benchmarks(tabulate(report(bare)))
    assert text.split().count("–") == 3  # FLOP/s, their share and bytes
    assert "nan" not in text


def test_a_time_has_its_interval_and_one_that_is_not_stable_is_marked():
    stable, unstable = measured(), measured(seconds_low=0.018, engine="reference")
    text = format_benchmarks(tabulate(report(stable, unstable)))
    assert "2.0%" in text
    assert "6.0% !" in text
    assert "! unstable: more than 5%" in text
    assert "unstable" not in format_benchmarks(tabulate(report(stable)))


def test_where_jax_is_not_installed_its_row_says_so():
    plain, jax = (measured(engine=name) for name in ("plain PyTorch", "JAX scan"))
    table = tabulate(report(plain))
    row = readable(table).set_index("engine").loc["JAX scan: not installed"]
    assert (row["hidden"], row["N_z"], row["samples/s"], row["±"]) == ("500", "20", "–", "–")
    assert "pip install -c constraints.txt -e '.[test,jax]'" in format_benchmarks(table).replace("\n  ", " ")
    for cases in ((plain, jax), (measured(),)):
        assert "not installed" not in format_benchmarks(tabulate(report(*cases)))


def curves() -> pd.DataFrame:
    """AEVB rises 2 nats with 1,000 samples, wake-sleep as much; it ends at −96. Seed 1 is 1,000 samples behind."""
    rows = [
        {"dataset": "mnist", "n_latent": 3, "method": method, "split": "test", "seed": seed,
         "samples": 1000 * (k + seed), "lower_bound": -100.0 + 2 * k}
        for method, last in (("aevb", 5), ("wake_sleep", 2))
        for seed in (0, 1)
        for k in range(last + 1)
    ]  # fmt: skip
    return pd.DataFrame(rows)


COSTS = pd.DataFrame({"aevb": 1.0, "wake_sleep": [1.5, 3.0]}, index=pd.Index(["Some CPU", "Some GPU"], name="device"))


def test_the_bound_to_reach_is_one_that_two_seeds_of_each_method_reach():
    times = time_to_bound(curves(), COSTS[:1]).set_index("method")
    assert (times["target"] == -98).all(), "seed 1 is no further where seed 0 of wake-sleep ends"
    assert times["samples"].to_dict() == {"aevb": 1_500, "wake_sleep": 1_500}
    assert times["aevb_samples"].to_dict() == {"aevb": 1_500, "wake_sleep": 2_250}
    assert times["error"].to_dict() == pytest.approx({"aevb": 500, "wake_sleep": 750})


def test_a_seed_that_is_shorter_than_two_others_sets_no_bound():
    long = pd.concat([curves(), curves().query("seed == 1").assign(seed=2)])
    short = curves().query("seed == 0 and samples < 2000").assign(seed=3)
    assert time_to_bound(pd.concat([long, short]), COSTS).equals(time_to_bound(long, COSTS))
    alone = pd.concat([curves().query("method == 'aevb' and seed == 0"), short.query("method == 'wake_sleep'")])
    assert (time_to_bound(alone, COSTS)["target"] == -98).all(), "of one seed there is no other"


def test_between_logged_points_the_bound_is_on_a_line_of_the_log_axis():
    lower = curves().query("seed == 0 and (method == 'aevb' or samples <= 1000)").replace({"samples": {0: 10}})
    lower.loc[lower["method"] == "wake_sleep", "lower_bound"] -= 1  # it ends at −99
    times = time_to_bound(lower, COSTS[:1]).set_index("method")
    assert times["samples"].to_dict() == {"aevb": pytest.approx(100), "wake_sleep": 1_000}
    assert times["error"].isna().all(), "of one seed"


def test_each_device_has_its_own_times_of_what_it_has_timed():
    times = time_to_bound(curves(), COSTS).set_index(["device", "method"])["aevb_samples"]
    assert times.to_dict() == {
        ("Some CPU", "aevb"): 1_500, ("Some CPU", "wake_sleep"): 2_250, ("Some GPU", "aevb"): 1_500,
        ("Some GPU", "wake_sleep"): 4_500,
    }  # fmt: skip
    assert {*time_to_bound(curves(), COSTS.where(COSTS < 3))["device"]} == {"Some CPU"}
    assert time_to_bound(curves(), pd.DataFrame()).empty
    alone = curves().query("method == 'aevb'").assign(n_latent=77)  # nothing to compare it with
    assert 77 not in {*time_to_bound(pd.concat([curves(), alone]), COSTS)["n_latent"]}
    assert {*time_to_bound(alone, COSTS)["n_latent"]} == {77}


def test_a_samples_cost_is_of_the_fastest_step_of_the_usual_network():
    slow, reference, small = {"method": "wake_sleep"}, {"engine": "reference"}, {"n_latent": 2}
    cases = [
        measured(samples_per_second=rate, **case)
        for rate, case in (
            (100, {}), (200, {"engine": "graph"}), (50, slow), (900, slow | reference), (900, slow | small),
            (900, slow | {"precision": "bfloat16"}),
        )
    ]  # fmt: skip
    table = tabulate(report(*cases)).assign(device="Some CPU")
    assert sample_costs(table, NO_TURNS).loc["Some CPU"].to_dict() == {"aevb": 1, "wake_sleep": 4}
    assert sample_costs(table[table["method"] != "aevb"], NO_TURNS).empty


def test_each_device_has_bars_of_its_own_that_name_it(tmp_path):
    table = tabulate(report(*sweep())).assign(device="Some CPU")
    times = time_to_bound(curves(), COSTS)
    paths = plot_benchmarks(table, times, "somewhere", tmp_path)
    (text,) = [path.read_text() for path in paths if path.name == "time_to_bound.svg"]
    names = [
        name for name in re.findall(r">([^<>\n]+)</text>", text) if name == "AEVB" or name.startswith("wake-sleep")
    ]
    assert names == ["AEVB", "wake-sleep, Some CPU", "wake-sleep, Some GPU"], "AEVB's are the unit on both"
    assert "Some GPU" in format_times(times)


def test_times_to_a_bound_fit_the_terminal_however_long_the_names_of_devices_are():
    long = "A processor 25/17/1, AVX512, L2 1 MiB, L3 32 MiB, with a name that no line of 80 columns holds"
    times = time_to_bound(curves(), COSTS)
    lines = format_times(times.replace({"device": {"Some GPU": long}})).splitlines()
    assert max(map(len, lines)) <= 80
    assert long in " ".join(" ".join(lines).split())


def test_engines_of_equal_speed_have_columns_and_devices_places_of_their_own(monkeypatch, tmp_path):
    drawn = {}
    monkeypatch.setattr(plot, "save", lambda figure, stem: drawn.setdefault(stem.name, figure) and [stem])
    engines = ("JAX scan", "fast", "reference", "somebody's", "stacked")
    cases = [measured(engine=engine) for engine in engines] + [measured(precision="bfloat16")]
    devices = ("CPU", "GPU", "another CPU")
    table = pd.concat((tabulate(report(*cases)).assign(device=name) for name in devices), ignore_index=True)
    plot_benchmarks(table, time_to_bound(curves(), COSTS), "somewhere", tmp_path)
    figure = drawn["throughput"]
    figure.draw_without_rendering()
    axes = figure.axes[1]
    names = [text.get_text() for text in axes.get_xticklabels()]
    assert names == ["reference", "fast", "stacked", "bfloat16", "JAX scan", "somebody's"]
    points = [line.get_xydata() for line in axes.lines if line.get_marker() == "o"]
    places = axes.transData.transform(np.concatenate(points))[:, 0]
    assert len(places) == len(devices) * len(names)
    size = 8 * figure.dpi / 72  # of a marker, pixels
    assert np.diff(np.sort(places)).min() > size
    columns = np.round(axes.transData.inverted().transform([(x, 0) for x in np.sort(places)])[:, 0])
    assert columns.tolist() == [column for column in range(6) for _ in devices]


def test_figures_show_every_device_and_the_paper(tmp_path):
    gpu = {"device_type": "cuda", "engine": "graph"}
    table = pd.concat(
        [
            tabulate(report(*sweep())).assign(device="Some CPU"),
            tabulate(report(*[case | gpu for case in sweep()])).assign(device="Some GPU"),
            tabulate(report(measured(engine="JAX vmap", device_type="cuda"))).assign(device="Some GPU"),
        ],
        ignore_index=True,
    )
    paths = plot_benchmarks(table, time_to_bound(curves(), COSTS), "somewhere", tmp_path)
    text = {path.stem: path.read_text() for path in paths if path.suffix == ".svg"}
    assert set(text) == {"throughput", "cost", "time_to_bound"}
    for name in ("throughput", "cost"):
        assert "Some CPU" in text[name]
        assert "Some GPU" in text[name]
        assert "20–40 min" in text[name]
    assert "JAX vmap" in text["throughput"]
    assert "somewhere" in text["time_to_bound"]
