"""The page's charts show what the tables say, at the pixel where it belongs."""

import re

import numpy as np
import pandas as pd
import pytest
from fontTools.ttLib import TTFont

from harness.report.charts import benchmarks, choices, marginal, marks, reparameterization
from harness.report.charts.axis import MINUS, Axis, category
from harness.report.charts.chart import heights
from harness.report.charts.curves import STEP, _stops
from harness.report.fonts import MATH
from harness.report.fonts.subset import characters
from harness.report.text import HERE
from harness.studies.marginal.table import first_seed
from harness.studies.reparameterization.table import ESTIMATORS, A, B
from harness.timing.tables import PAPER_SECONDS_PER_MILLION
from tests.support import ROOT

REFERENCE = ROOT / "results" / "reference"
AXES = {
    "linear": Axis(-150, -95, 200, 10),
    "log": Axis(1e5, 2.5e8, 40, 240, log=True),
    "both": Axis(-40, 40, 200, 10, linear=0.1),
    "names": category(["2", "3", "5"], 40, 240),
}


@pytest.mark.parametrize("axis", AXES.values(), ids=AXES)
def test_an_axis_goes_from_its_start_to_its_end_in_the_order_of_the_values(axis):
    assert axis.place([axis.low, axis.high]).tolist() == pytest.approx([axis.start, axis.end])
    values = np.linspace(axis.low, axis.high, 50) if not axis.log else np.geomspace(axis.low, axis.high, 50)
    steps = np.diff(axis.place(values)) * np.sign(axis.end - axis.start)
    assert (steps > 0).all()
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 7
    assert all(min(axis.start, axis.end) <= at <= max(axis.start, axis.end) for at, _ in ticks)


def test_a_tick_stands_where_its_number_is():
    for at, name in AXES["linear"].ticks():
        assert AXES["linear"].place(float(name.replace(MINUS, "-"))) == pytest.approx(at, abs=0.06)
    assert [name for _, name in AXES["log"].ticks()] == ["10⁵", "10⁶", "10⁷", "10⁸"]
    assert AXES["both"].place(0.1) - AXES["both"].place(0) == pytest.approx(
        AXES["both"].place(1) - AXES["both"].place(0.1)
    )


def test_a_value_off_the_axis_has_no_dot():
    y = AXES["linear"]
    assert heights(y, [-160, -150, -95, np.nan, 0]) == [None, 200, 10, None, None]


def number(cell):
    return float(re.match(r"[+−-]?[\d.,]+(e[+−-]?\d+)?", cell)[0].replace(MINUS, "-").replace(",", ""))


def vertices(path):
    """Where a path of steps comes by."""
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", path)]
    return np.cumsum(np.reshape(numbers, (-1, 2)), axis=0)


def test_a_stroke_of_many_steps_comes_by_where_each_of_its_values_is():
    x, y = AXES["log"], AXES["linear"]
    at, values = np.geomspace(1e5, 2.5e8, 100), np.random.default_rng(0).uniform(-150, -95, 100)
    known = np.stack([x.place(at), y.place(values)], 1)
    path = marks.stroke("train", x, y, at, values).path
    assert vertices(path) == pytest.approx(known, abs=0.051)
    assert len(path) < 8 * len(at), "short to write"


@pytest.mark.parametrize("axis", [Axis(0, 6e7, 42, 412, unit=1e6), Axis(1e5, 1e8, 42, 412, log=True)])
def test_a_pointer_finds_places_a_stroke_apart_first_of_all_those_that_the_table_compares(axis):
    compared, logged = [1e6, 1e7, 6e7], pd.Series(np.linspace(1e5, 6e7, 2000).round())
    stops = _stops(axis, logged, compared)
    places = axis.place(stops)
    assert np.diff(places).min() > STEP
    assert {*compared} <= {*stops}
    assert np.diff(places[stops <= 6e7]).max() <= 30, "nowhere is there none for long"


def test_the_charts_of_the_estimators_tell_the_tables_bias_at_its_pixel():
    table = first_seed(pd.read_csv(REFERENCE / "studies" / "marginal" / "marginal.csv"))
    charts = [chart for group in marginal.groups(table, "x") for chart in group.charts]
    assert len(charts) == 10
    checked = 0
    for chart in charts:
        _, data, k = chart.id.split("-")
        (plot,) = chart.plots
        for row in plot.readout["rows"]:
            effort = int(row["name"][-2].replace(",", ""))
            name = marginal.ESTIMATORS[int(k)] + (f", {row['name'][0]}" if len(row["name"]) > 2 else "")
            part = table[(table["data"] == data) & (table["estimator"] == name) & (table["effort"] == effort)]
            for size, told, dot in zip(sorted(table["n_latent"].unique()), *row["cells"], *row["dots"], strict=True):
                (bias,) = part.loc[part["n_latent"] == size, "bias"]
                if np.isnan(bias):
                    assert (told, dot) == ("–", None)
                    continue
                assert number(told) == pytest.approx(bias, abs=0.006, rel=0.1)
                assert dot == (None if abs(bias) > 40 else pytest.approx(float(plot.y.place(bias)), abs=0.06))
                checked += 1
    assert checked > 150


def test_the_charts_of_the_gradients_noise_tell_the_tables_variance_and_that_b_is_below_a():
    folder = REFERENCE / "studies" / "reparameterization"
    variance, curves = (pd.read_csv(folder / f"{name}.csv") for name in ("variance", "curves"))
    groups = reparameterization.groups(variance, curves)
    assert [len(group.charts) for group in groups] == [3, 3, 1, 1]
    (plot,) = groups[0].charts[0].plots
    told = {row["name"][0]: row for row in plot.readout["rows"]}
    assert {*ESTIMATORS} <= {*told}
    first = variance[(variance["stage"] == 0) & (variance["batch_size"] == 100)]
    for name in ESTIMATORS:
        known = first[first["estimator"] == name].sort_values("n_samples")["variance"]
        assert [number(cell) for cell in told[name]["cells"][0]] == pytest.approx([*known], rel=0.01)
    below = [b > a for a, b in zip(told[A]["dots"][0], told[B]["dots"][0], strict=True)]
    assert all(below), "lower in the chart is a larger pixel"


def test_bars_are_as_high_as_the_time_to_the_bound():
    times = pd.read_csv(REFERENCE / "benchmarks" / "time_to_bound.csv")
    (group,) = benchmarks.time_group(times, "x")
    assert [chart.id for chart in group.charts] == ["time-mnist", "time-frey_face"]
    for chart, dataset in zip(group.charts, ("mnist", "frey_face"), strict=True):
        (plot,), part = chart.plots, times[times["dataset"] == dataset]
        part = part[(part["method"] != "aevb") | (part["device"] == part["device"].iloc[0])]
        tops = sorted(float(re.match(r"M[\d.]+ [\d.]+V([\d.]+)", mark.path)[1]) for mark in plot.marks)
        assert tops == pytest.approx(sorted(plot.y.place(part["aevb_samples"] / 1e6)), abs=0.06)
        assert [row["look"] for row in plot.readout["rows"][:-1]] == [look for look, _ in group.legend]
        assert len({row["look"] for row in plot.readout["rows"]}) == len(plot.readout["rows"]), "each has its own look"


def test_the_papers_speed_is_a_band_where_20_and_40_minutes_are():
    path = next(REFERENCE.glob("benchmarks/*.json")).with_suffix(".csv")
    table = pd.read_csv(path).assign(device="x")
    table["hidden"] = [f"{width:.0f}" if width == width else "" for width in table["hidden"]]
    (cost,) = [group for group in benchmarks.speed_groups(table, ["x"]) if group.name == "cost"]
    assert [chart.id for chart in cost.charts] == ["cost-n_latent", "cost-hidden", "cost-n_samples", "cost-importance"]
    (plot,) = cost.charts[0].plots
    (band,) = [mark for mark in plot.marks if "zone" in mark.look]
    heights_of = {round(float(y), 1) for _, y in vertices(band.path)}
    assert sorted(heights_of) == pytest.approx(sorted(plot.y.place(PAPER_SECONDS_PER_MILLION)), abs=0.06)


def test_a_choices_dot_is_on_its_side_of_zero_and_hollow_where_other_seeds_could_turn_it():
    rows = [
        ("estimator", "B", "mnist", "aevb", 10, 3, -4.0, 0.1, 2.0, 5.0),
        ("pixels", "drawn", "mnist", "aevb", 3, 3, 9e5, 1.0, np.nan, np.nan),
        *(("step size", "0.1", "mnist", "aevb", size, 3, 1.0, 0.1, -9.0 + size, 0.1) for size in (2, 3, 5, 10, 20)),
    ]
    names = [
        "choice",
        "value",
        "dataset",
        "method",
        "n_latent",
        "seeds",
        "shift",
        "shift_error",
        "farther",
        "farther_error",
    ]
    table = pd.DataFrame(rows, columns=names).assign(samples=10**6)
    chart = choices.forest(table)
    (_, _, (shift, farther)), (_, _, (beyond, absent)), (_, _, (many, _)) = chart.lines
    assert chart.told == {"samples": "10⁶", "of": 6, "speaks_for": 2, "against": 3}
    apart = np.diff([float(dot.mark.path.split()[1].partition("a")[0]) for dot in many.dots])
    assert len(apart) == 4
    assert (apart > 2 * 2.6).all(), "dots of a line do not cover each other"
    ((_, _, axis), _) = chart.columns
    assert "hollow" not in shift.dots[0].mark.look
    assert "hollow" in farther.dots[0].mark.look
    left, right = (float(cell.dots[0].mark.path[1:].split()[0]) + 2.6 for cell in (shift, farther))
    assert [left, right] == pytest.approx([*axis.place([-4, 2])], abs=0.06)
    assert shift.dots[0].told == "AEVB, N_z = 10: −4 ± 0.1"
    assert float(beyond.dots[0].mark.path[1:].split()[0]) + 2.6 == pytest.approx(axis.end, abs=0.06)
    assert absent.dots == []
    assert choices.forest(table.head(0)) is None


def test_the_math_font_has_every_letter_of_the_formulas_and_the_table_that_sets_them():
    font = TTFont(str(MATH))
    assert "MATH" in font
    letters = set(re.sub(r"\{[{%#].*?[#%}]\}|<[^>]*>", "", (HERE / "formulas.html").read_text(), flags=re.DOTALL))
    needed = {ord(letter) for letter in letters if not letter.isspace()} | characters()
    unassigned = {0x3A2, 0x1D455}  # no letters: Unicode has them elsewhere
    assert needed - unassigned <= {*font.getBestCmap()}
