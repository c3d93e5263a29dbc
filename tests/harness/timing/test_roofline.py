"""The roofline: what bounds a machine, steps at their places under it, and names that do not lie over each other."""

from itertools import combinations

import pandas as pd
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.roofs import LEAST_ARRAY, SIDE, make_roof
from harness.figures.labels import name_points
from harness.timing.roofline import format_roofs, plot_roofline, points, tabulate_roofs
from harness.timing.tables import tabulate


def roof(name: str, amount: float, precision: str = "float32", device_type: str = "cpu") -> dict:
    """In a second, or a tenth more or less."""
    seconds = {"seconds": 1.0, "seconds_low": 1 / 1.1, "seconds_high": 1 / 0.9}
    return {"suite": "roof", "roof": name, "precision": precision, "amount": amount, **seconds,
            "array_bytes": 2**28, "device_type": device_type}  # fmt: skip


def case(**changes) -> dict:
    info = {
        "suite": "learner", "method": "aevb", "engine": "fast", "device_type": "cpu", "precision": "float32",
        "hidden": [500], "n_latent": 20, "batch_size": 100, "n_samples": 1, "samples_per_second": 2e4,
        "flops": 4e8, "bytes_touched": 8e6, "flops_per_second": 8e10,
    }  # fmt: skip
    return info | changes


ROOFS = tabulate_roofs([roof("memory", 2e10), roof("cache", 8e10), roof("products", 1e11)])


def test_rates_and_their_intervals_are_those_of_the_seconds():
    table = ROOFS.set_index("roof")
    assert table.loc["memory"][["rate", "low", "high"]].tolist() == pytest.approx([2e10, 1.8e10, 2.2e10])
    text = format_roofs(ROOFS)
    assert text["rate"].tolist() == ["20.0 GB/s", "80.0 GB/s", "100.0 GFLOP/s"]
    assert text["±"].tolist() == ["10.0%"] * 3


@pytest.mark.parametrize(("device_type", "cache"), [("cpu", "a core's cache"), ("cuda", "the L2 cache")])
def test_the_cache_is_called_what_it_is_on_the_device(device_type, cache):
    text = format_roofs(tabulate_roofs([roof(name, 1e10, device_type=device_type) for name in ("memory", "cache")]))
    assert text["roof"].tolist() == ["memory, triad", f"{cache}, triad"]


def test_a_step_has_its_place_where_both_counts_are_known():
    bare = case(bytes_touched=float("nan"), engine="reference")
    shown = points(tabulate([case(), bare, case(precision="bfloat16"), case(engine="stacked")]))
    assert shown["kind"].tolist() == ["by hand", "bfloat16", "stacked"]
    assert shown["intensity"].tolist() == [50.0] * 3
    assert shown["gflops"].tolist() == [80.0] * 3


def test_the_figure_has_a_panel_for_each_device_with_roofs(tmp_path):
    stacks = [case(engine=name) for name in ("stacked", "JAX vmap")]
    tables = [
        tabulate([case(), case(batch_size=10, flops=4e7), *stacks]).assign(device=name)
        for name in ("a CPU", "a GPU", "c")
    ]
    roofs = pd.concat([ROOFS.assign(device=name) for name in ("a CPU", "a GPU")])
    paths = plot_roofline(pd.concat(tables), roofs, tmp_path)
    text = next(path for path in paths if path.suffix == ".svg").read_text()
    names = (
        "a CPU",
        "a GPU",
        "memory 20 GB/s",
        "cache 80 GB/s",
        "products 100 GFLOP/s",
        "500/20",
        "M = 10",
        "JAX vmap",
    )
    for said in names:
        assert said in text
    assert not plot_roofline(pd.concat(tables), tabulate_roofs([]).assign(device=""), tmp_path)


def test_no_name_lies_over_another_or_leaves_the_panel():
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    places = [(0.5 + 0.03 * (k % 5), 0.5 + 0.03 * (k // 5)) for k in range(20)] + [(0.0, 0.0), (1.0, 1.0)]
    axes.plot([0, 1], [0.4, 0.4])
    axes.set(xlim=(-0.1, 1.1), ylim=(-0.1, 1.1))
    figure.draw_without_rendering()
    kept = name_points(axes, [(*place, f"name {k}") for k, place in enumerate(places)], places)
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in kept]
    assert len(kept) >= 5
    assert {"name 20", "name 21"} <= {text.get_text() for text in kept}
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    panel = axes.get_window_extent(renderer)
    assert all(panel.x0 <= box.x0 and box.x1 <= panel.x1 and panel.y0 <= box.y0 and box.y1 <= panel.y1 for box in boxes)
    (_, height) = axes.transData.transform((0, 0.4))
    assert not any(box.y0 < height < box.y1 for box in boxes)


@pytest.mark.parametrize("name", ["memory", "cache", "products"])
def test_a_roofs_amount_is_what_its_call_does(name, monkeypatch):
    monkeypatch.setitem(SIDE, "cpu", 64)
    monkeypatch.setattr("benchmarks.roofs.fingerprint", lambda: {"caches": {"L2": 2**16, "L3": 2**18}})
    monkeypatch.setattr("benchmarks.roofs.LEAST_ARRAY", 2**20)
    assert LEAST_ARRAY > 2**25  # more than what a cache keeps
    work = make_roof(name, "float32", torch.device("cpu"))
    work.call()
    bytes_or_flops = {"memory": 3 * 2**20, "cache": 200 * work.size, "products": 2 * 64**3}
    assert work.amount == bytes_or_flops[name]
    assert (
        work.size
        == {"memory": 3 * 2**20, "cache": pytest.approx(0.75 * 2**16, abs=12), "products": 3 * 4 * 64**2}[name]
    )
