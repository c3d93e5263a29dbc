"""The page's section on speed: bars and dots are where the numbers say, and every table is there in both languages."""

import json
import re
from itertools import chain, pairwise

import numpy as np
import pandas as pd
import pytest
from jinja2 import Environment, PackageLoader

from harness.claims.results import Results
from harness.report.charts.benchmarks import ENGINES
from harness.report.charts.marks import dot
from harness.report.charts.roofline import roofline_group
from harness.report.charts.step import step_group
from harness.report.speed import speed
from harness.report.text import translator, words
from harness.store.shelves import Shelves
from harness.timing.history import remember
from harness.timing.roofline import tabulate_roofs
from harness.timing.step import KINDS, REST, STEP, tabulate_steps
from harness.timing.tables import tabulate

MACHINE = {"model": "6/1/1", "caches": {"L2": 2**20, "L3": 2**25}, "cores": 2, "megahertz": 2000, "virtual": True}
LEARNER = {
    "suite": "learner", "method": "aevb", "engine": "fast", "device_type": "cpu", "precision": "float32",
    "hidden": [500], "n_latent": 20, "batch_size": 100, "n_samples": 1, "samples": 1000, "samples_per_second": 2e4,
    "seconds": 0.05, "seconds_low": 0.049, "seconds_high": 0.051, "flops": 4e8, "bytes_touched": 8e6,
    "flops_per_second": 8e10, "flop_share_of_gemm_peak": 0.8,
}  # fmt: skip
ROOFS = [
    {"roof": roof, "precision": "float32", "amount": amount, "seconds": 1.0, "seconds_low": 0.9, "seconds_high": 1.1,
     "array_bytes": 2**28, "device_type": "cpu"}
    for roof, amount in (("memory", 2e10), ("cache", 8e10), ("products", 1e11))
]  # fmt: skip
SHARES = {"products": 0.6, "bound": 0.1, "Adagrad": 0.1, REST: 0.2}
PARTS = {
    name: {"seconds": 1e-3 * share, "low": 9e-4 * share, "high": 1.1e-3 * share, "operations": 2}
    for name, share in {STEP: 1.0, **dict.fromkeys(KINDS, 0.0), **SHARES}.items()
}
STEPS = [{"method": method, "hidden": [500], "n_latent": 20, "parts": PARTS} for method in ("aevb", "wake_sleep")]


def store(folder):
    """A device at two commits, and a race of two seeds."""
    folder.mkdir(parents=True)
    for day, commit in enumerate(("a" * 40, "b" * 40), 1):
        environment = {"device": "CPU", "device_type": "cpu", "commit": commit, "started": f"2026-01-0{day}"}
        measured = [LEARNER, LEARNER | {"engine": "reference", "flops_per_second": 4e10}]
        content = {
            "environment": environment | {"machine": MACHINE},
            "measured": measured,
            "roofs": ROOFS,
            "steps": STEPS,
        }
        (folder / "CPU.json").write_text(json.dumps(content))
        remember(folder)
    rows = [
        {"device": "CPU", "dataset": "mnist", "n_latent": 20, "method": method, "seed": seed, "target": -180.0,
         "samples": samples, "seconds": samples / 1e4, "end_samples": 2e5, "end_seconds": 20.0, "longest": 200_000,
         "commit": "b"}
        for seed in (0, 1)
        for method, samples in (("aevb", 1e5), ("wake_sleep", np.inf))
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "to_target.csv", index=False)
    return folder


def test_a_dot_is_where_its_intensity_and_its_rate_are_and_the_roof_is_above():
    table = tabulate([LEARNER]).assign(device="x")
    (group,) = roofline_group(table, tabulate_roofs(ROOFS).assign(device="x"), ["s"])
    (plot,) = group.charts[0].plots
    (dot,) = [mark for mark in plot.marks if mark.look.startswith("dot")]
    px, py = map(float, re.match(r"M([\d.]+) ([\d.]+)", dot.path).groups())
    assert px + 3.5 == pytest.approx(float(plot.x.place(50)), abs=0.1)
    assert py == pytest.approx(float(plot.y.place(80)), abs=0.1)
    (level,) = [mark for mark in plot.marks if "limit" in mark.look]
    assert float(re.match(r"M[\d.]+ ([\d.]+)", level.path)[1]) == pytest.approx(float(plot.y.place(100)), abs=0.1)
    told = {row["name"][0]: row["cells"][0] for row in plot.readout["rows"]}
    assert told["AEVB"] == ["80.0"]
    assert told["memory"] == ["1,000"]  # 20 GB/s at 50 FLOP a byte
    assert not roofline_group(table, tabulate_roofs([]).assign(device=""), [])


def test_the_legend_names_each_devices_cache_and_every_engine_has_a_shape_of_its_own():
    engines = [LEARNER | {"engine": name} for name in ENGINES if name != "bfloat16"]
    table = pd.concat([tabulate(engines).assign(device=name) for name in ("x", "y")])
    roofs = [
        tabulate_roofs([roof | {"device_type": kind} for roof in ROOFS]).assign(device=name)
        for name, kind in (("x", "cpu"), ("y", "cuda"))
    ]
    (group,) = roofline_group(table, pd.concat(roofs), ["s"])
    names = [name for _, (name,) in group.legend]
    assert names[:4] == ["memory", "a core's cache", "the L2 cache", "matrix products"]
    assert {"stacked", "JAX scan", "JAX vmap"} <= {*names}
    assert len({dot("", 7, 6, 4, shape).path for shape in ENGINES.values()}) == len(ENGINES)
    told = [{row["name"][0] for row in chart.plots[0].readout["rows"]} for chart in group.charts]
    assert ["the L2 cache" in each for each in told] == [False, True]


def test_the_legend_has_no_engine_that_no_chart_shows_and_an_axis_of_many_powers_names_them_alone():
    slow = LEARNER | {"flops_per_second": 2e10}
    fast = LEARNER | {"flops_per_second": 4e13}
    elsewhere = LEARNER | {"precision": "bfloat16"}
    table = pd.concat([tabulate([slow, fast]).assign(device="x"), tabulate([elsewhere]).assign(device="y")])
    (group,) = roofline_group(table, tabulate_roofs(ROOFS).assign(device="x"), ["s"])
    assert "bfloat16" not in {name for _, (name,) in group.legend}
    assert [name for _, name in group.charts[0].plots[0].y.ticks()] == ["10", "100", "1,000", "10⁴"]


def test_the_bars_of_a_step_are_as_high_as_its_shares_one_on_another():
    (group,) = step_group(tabulate_steps(STEPS).assign(device="x"), ["s"])
    (plot,) = group.charts[0].plots
    ends = [tuple(map(float, re.match(r"M[\d.]+ ([\d.]+)V([\d.]+)", mark.path).groups())) for mark in plot.marks]
    assert len(ends) == 2 * len(SHARES)
    levels = np.cumsum([0, *SHARES.values()])
    expected = [tuple(plot.y.place([low, high])) for low, high in pairwise(levels) for _ in STEPS]
    assert np.array(ends) == pytest.approx(np.array(expected), abs=0.06)


def test_the_section_has_a_table_of_each_kind_in_both_languages(tmp_path):
    found = speed(store(tmp_path / "benchmarks"))
    assert [group.name for group in found.charts if group.name in ("roofline", "step")] == ["roofline", "step"]
    kinds = ["", "benchmarks.roofs", "benchmarks.steps", "benchmarks.target", "benchmarks.history"]
    assert [table.caption for table in found.tables] == kinds
    assert {table.source for table in found.tables} <= {source.id for source in found.sources}
    environment = Environment(loader=PackageLoader("harness.report", ""), autoescape=True)
    word = words(translator(environment))
    told = [word(cell) for table in found.tables[1:] for cell in [*table.columns, *chain.from_iterable(table.rows)]]
    korean = " ".join(re.sub(r"<[^>]*>", "", re.sub(r'<span lang="en">.*?</span>', "", text)) for text in told)
    for said in ("행렬 곱", "우도와 하한", "0/2", "∞", "20.0 GB/s"):
        assert said in korean
    names = {
        "AEVB",
        "wake-sleep",
        "CPU",
        "µs",
        "GB",
        "GFLOP",
        "MiB",
        "float",
        "Adagrad",
        "aaaaaaaaaaaa",
        "bbbbbbbbbbbb",
    }
    assert {name for name in re.findall(r"[A-Za-z][A-Za-z-]+", korean)} <= names


def test_a_device_whose_machine_alone_was_measured_has_charts_of_that_and_no_table_of_cases(tmp_path):
    folder = store(tmp_path / "benchmarks")
    content = json.loads((folder / "CPU.json").read_text())
    del content["environment"]["machine"]
    (folder / "CPU.json").write_text(json.dumps(content))
    other = content | {"measured": [], "environment": content["environment"] | {"device": "Other"}}
    (folder / "Other.json").write_text(json.dumps(other))
    results = Results(Shelves(tmp_path))
    assert {*results.benchmarks["device"]} == {"CPU"}
    both = [(table.title, table.caption) for table in speed(folder).tables]
    assert both[:3] == [("CPU", ""), ("CPU", "benchmarks.roofs"), ("Other", "benchmarks.roofs")]
    (folder / "CPU.json").unlink()
    assert Results(Shelves(tmp_path)).benchmarks.empty
    alone = speed(folder)
    assert [table.caption for table in alone.tables][:2] == ["benchmarks.roofs", "benchmarks.steps"]
    assert [group.name for group in alone.charts] == ["step"]
