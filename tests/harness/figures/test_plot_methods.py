import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from aevb.errors import UserError
from harness.experiments.paper import FIGURE2, FIGURE3
from harness.figures import plot_methods as module
from harness.figures.costs import CASE, METHODS_FOLDER, method_costs
from harness.figures.panel import OURS
from harness.figures.plot_methods import plot_methods
from harness.figures.request import Request
from harness.figures.show import _later_are_wanted
from harness.store.shelves import Shelves

PAPERS = FIGURE2.methods


def curves(*methods, sizes=(10,), ends=1e6):
    """Straight in log10(samples), 10 nats for each power of ten, AEVB's ten times as long; a seed of each."""
    rows = [
        {"protocol": "author", "dataset": "mnist", "n_latent": size, "method": method, "split": "test", "seed": 0,
         "samples": n, "lower_bound": 10 * np.log10(n) - 200}
        for method in methods
        for size in sizes
        for n in np.geomspace(1e4, ends * (10 if method == "aevb" else 1), 13)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def timed(folder, name, **rates):
    """As `--benchmark --method` leaves it; AEVB's gradients by hand too, which are not compared."""
    records = [dict(CASE) | {"method": method, "samples_per_second": rate} for method, rate in rates.items()]
    records.append(dict(CASE) | {"method": "aevb", "engine": "fast", "samples_per_second": 1e9})
    path = folder / "benchmarks" / METHODS_FOLDER / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"environment": {"device": f"machine {name}"}, "measured": records}))


@pytest.fixture
def panels(monkeypatch):
    """The panels drawn: title and abscissa, and the first and last abscissa of each line by its colour."""
    drawn = {}

    def save(figure, stem):
        for axes in figure.axes:
            assert isinstance(axes, Axes)
            lines = {line.get_color(): (line.get_xdata()[0], line.get_xdata()[-1]) for line in axes.lines}
            drawn[axes.get_title(), axes.get_xlabel()] = axes.get_xlim(), lines
        return [stem]

    monkeypatch.setattr(module, "save", save)
    return drawn


def test_a_method_that_costs_twice_as_much_is_at_twice_the_time(panels, tmp_path):
    table = curves("aevb", "iwae", "anybodys:Own")
    costs = {"aevb": 1.0, "iwae": 2.0}
    assert plot_methods(table, PAPERS, costs, "a machine", tmp_path / "figure")
    assert len(panels) == 2
    (limits, at_samples), (time_limits, in_time) = panels.values()
    iwae, aevb = OURS.colours["iwae"], OURS.colours["aevb"]
    assert at_samples[iwae] == pytest.approx((1e4, 1e6))
    assert in_time[iwae] == pytest.approx((2e4, 2e6))
    assert in_time[aevb] == at_samples[aevb] == pytest.approx((1e4, 1e7))
    assert (len(at_samples), len(in_time)) == (3, 2)  # what was not timed has no place in time
    assert (limits[1], time_limits[1]) == pytest.approx((1e6, 2e6))  # as far as the later methods go


def test_the_caption_counts_the_seeds_of_what_is_in_sight(monkeypatch, tmp_path):
    captions = []
    monkeypatch.setattr(module, "save", lambda figure, stem: captions.append(figure.get_supxlabel()) or [stem])
    aevb, later = curves("aevb"), curves("stl", "iwae", "dreg", "rws")
    seeds = [aevb, aevb[aevb["samples"] < 2e5].assign(seed=1), aevb[aevb["samples"] < 5e4].assign(seed=2), later]
    plot_methods(pd.concat(seeds), PAPERS, {}, "", tmp_path / "figure")
    # The panel is from 10⁵, where AEVB's seed 2 has ended, to 10⁶, where the later methods end and AEVB goes on.
    told = "mean, band and each seed (thin) of up to 2 seeds to 1.78·10⁵ samples, 1 to 10⁶ (AEVB)"
    assert [" ".join(text.split()) for text in captions] == [f"{told}; 1 to 10⁶ (all others); not timed"]


def test_without_timings_there_is_no_time_and_without_later_methods_no_figure(panels, tmp_path):
    assert plot_methods(curves(*PAPERS), PAPERS, {"aevb": 1.0}, "a machine", tmp_path / "figure") == []
    assert not panels
    plot_methods(curves("aevb", "iwae", sizes=(5, 10)), PAPERS, {}, "", tmp_path / "figure")
    assert [abscissa for _, abscissa in panels] == [module.AXES["samples"]] * 2


def test_costs_are_ratios_of_one_command_by_autograd(tmp_path):
    timed(tmp_path, "few", aevb=1000.0, iwae=1.0)
    timed(tmp_path, "most", aevb=300.0, iwae=100.0, rws=150.0)
    costs, source = method_costs(Shelves(tmp_path))
    assert costs == pytest.approx({"aevb": 1.0, "iwae": 3.0, "rws": 2.0})
    assert source.startswith("machine most")


def test_figure_2_can_be_of_few_datapoints_and_figure_3_has_its_own():
    (config,) = FIGURE2.configs("author+n_train=1000", ["mnist"], [0], methods=["full_vb"], sizes=[3])
    assert config.n_train == 1000
    assert FIGURE2.defines(config)
    with pytest.raises(UserError, match="figure 3: use --train"):
        FIGURE3.configs("author+n_train=1000", ["mnist"], [0])


def test_a_point_far_below_runs_out_of_its_panel_and_a_curve_does_not():
    curve = pd.Series([*np.linspace(-200, -140, 40), -850.0])
    low, high = module._ends(curve)
    assert -230 < low < -200
    assert high == -140
    both = pd.Series([*np.linspace(-200, -140, 40), *np.linspace(-850, -400, 20)])
    assert module._ends(both) == (-850, -140)


@pytest.mark.parametrize(
    ("own", "asked", "wanted"),
    [((), (), True), (("aevb",), (), False), (("aevb", "iwae"), (), True), (("aevb",), ("aevb", "stl"), True),
     (("aevb", "wake_sleep"), ("aevb",), False)],
)  # fmt: skip
def test_later_methods_are_drawn_where_the_reader_has_or_asks_for_them_or_has_nothing(own, asked, wanted):
    there = curves("aevb", "wake_sleep", "dreg").assign(published=True)
    mine = [curves(method).assign(published=False) for method in own]
    assert _later_are_wanted(pd.concat([there, *mine]), FIGURE2, Request(methods=asked)) is wanted
