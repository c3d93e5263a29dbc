"""What the figure shows; its texts are read back from the SVG, where they stay text."""

import html
import re
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from aevb.errors import UserError
from harness.experiments.paper_curves import read_published
from harness.figures import panel
from harness.figures import plot2 as plots
from harness.figures.plot2 import PAPER_ROWS, plot_figure2

# Every tenth vertex: quick to draw.
PAPER = read_published(2).iloc[::10]
REMEDY = "Put frey_rawface.mat in a folder and pass --data FOLDER, or set $AEVB_DATA_DIR=FOLDER."
MNIST, FREY = PAPER_ROWS


def measured(stop: float = 1e6, seeds: int = 1, **columns: object) -> pd.DataFrame:
    """A straight rise on MNIST, N_z = 3, from 10^4 samples to `stop`; each seed is a nat above the one before."""
    samples = np.geomspace(1e4, stop, 9)
    row = {
        "protocol": "paper",
        "dataset": "mnist",
        "n_latent": 3,
        "standard_error": 0.1,
        "seconds": 1.0,
        "samples": samples,
    }
    return pd.concat(
        pd.DataFrame({**row, "method": method, "split": split, "seed": seed, "lower_bound": bound, **columns})
        for method in ("aevb", "wake_sleep")
        for split in ("train", "train_eval", "test")
        for seed in range(seeds)
        for bound in [-250 + 20 * np.log10(samples) + seed]
    )


def runs_of(curves: pd.DataFrame, status: str = "finished") -> pd.DataFrame:
    keys = ["protocol", "dataset", "n_latent", "method", "seed"]
    return curves.groupby(keys, as_index=False)["samples"].max().assign(status=status, message="")


def global_settings() -> dict[str, object]:
    # Asking for the backend would choose one.
    return {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}


def texts(svg: Path) -> list[str]:
    """The words of each text element; formulas have each letter in an element of its own, subscripts last."""
    found = re.findall(r"<text\b.*?</text>", svg.read_text(), flags=re.DOTALL)
    return [html.unescape(" ".join(re.sub(r"\s*<[^>]*>\s*", "", text).split())) for text in found]


def drawn(tmp_path: Path, curves: pd.DataFrame, runs: pd.DataFrame | None = None, **missing: str) -> list[str]:
    png, svg = plot_figure2(curves, PAPER, runs_of(curves) if runs is None else runs, missing, tmp_path / "figure2")
    assert png.read_bytes().startswith(b"\x89PNG")
    return texts(svg)


def test_the_same_input_gives_the_same_bytes_and_nothing_else(tmp_path: Path) -> None:
    settings, curves = (global_settings(), measured(seeds=2))
    for folder in ("a", "b"):
        paths = plot_figure2(curves, PAPER, runs_of(curves), {}, tmp_path / folder / "figure2")
        assert paths == [tmp_path / folder / "figure2.png", tmp_path / folder / "figure2.svg"]
    names = ["figure2.png", "figure2.svg"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    assert all((tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in names)
    assert global_settings() == settings
    assert pyplot.get_fignums() == []


def test_a_failed_write_leaves_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "figure2.png").write_text("old")

    def half(self: Figure, path: Path, **_: object) -> None:
        Path(path).write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", half)
    with pytest.raises(UserError, match=r"figure2\.png: disk full"):
        drawn(tmp_path, measured())
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("figure2.png", "old")]


def test_panels_that_were_not_run_say_so_and_missing_data_gives_its_remedy_once(tmp_path: Path) -> None:
    words = drawn(tmp_path, measured(), frey_face=REMEDY)
    assert words.count("not run") == 4
    assert words.count("Frey Face data missing") == 4
    assert " ".join(words).count(REMEDY) == 1


def test_without_any_run_the_papers_curves_are_drawn(tmp_path: Path) -> None:
    none = measured().head(0)
    words = drawn(tmp_path, none, runs_of(measured()).head(0))
    assert words.count("not run") == 9
    assert "the paper's curves only" in words


def test_runs_that_did_not_finish_are_named(tmp_path: Path) -> None:
    curves = measured(seeds=3)
    runs = runs_of(curves)
    runs.loc[(runs["method"] == "aevb") & (runs["seed"] > 0), "status"] = "diverged"
    failed = runs.tail(1).assign(dataset="frey_face", n_latent=20, status="failed")
    words = drawn(tmp_path, curves, pd.concat([runs, failed]))
    assert "AEVB diverged (seeds 1, 2)" in words
    assert "wake-sleep failed (seed 2)" in words
    assert words.count("not run") == 7


def test_a_users_array_has_a_panel_of_its_own(tmp_path: Path) -> None:
    words = drawn(tmp_path, pd.concat([measured(), measured(dataset="$faces$.npy"), measured(n_latent=2)]))
    assert sum(text.startswith("$faces$.npy,") for text in words) == 1
    assert sum(text.startswith("MNIST,") for text in words) == 6


def test_two_loaders_of_one_name_have_panels_that_tell_them_apart_in_the_room_there_is(tmp_path: Path) -> None:
    places = ("stripes:load", "their.stripes:load", "a_package.of_handwritten_digits:load", "package.shapes:Squares")
    words = drawn(tmp_path, pd.concat(measured(dataset=place) for place in places))
    names = ("stripes.load", "their.stripes.load", "of_handwritten_digits.l…", "Squares")
    assert [sum(text.startswith(f"{name},") for text in words) for name in names] == [1, 1, 1, 1]


def test_a_figure_shows_one_protocol(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="other, paper"):
        drawn(tmp_path, pd.concat([measured(), measured(protocol="other")]))


def test_seeds_are_drawn_as_their_mean_and_range() -> None:
    axes = Figure().add_subplot()
    curves = measured(seeds=3).query("method == 'aevb' and split == 'test'")
    curves = curves[(curves["seed"] < 2) | (curves["samples"] < 2e5)]  # the highest seed stops early
    panel.draw(axes, curves, panel.OURS, "lower_bound")
    assert len(axes.lines) == 2
    bands, every = axes.collections[::2], axes.collections[1::2]
    for line, band, single, seeds in zip(axes.lines, bands, every, (3, 2), strict=True):
        assert len(single.get_paths()) == seeds
        samples, mean = np.asarray(line.get_data())
        np.testing.assert_allclose(mean - (-250 + 20 * np.log10(samples)), (seeds - 1) / 2)
        x, y = np.asarray(band.get_paths()[0].vertices).T
        above = y - (-250 + 20 * np.log10(x))
        np.testing.assert_allclose([above.min(), above.max()], [0, seeds - 1], atol=1e-9)
        for seed, path in enumerate(single.get_paths()):
            x, y = np.asarray(path.vertices).T
            np.testing.assert_allclose(y - (-250 + 20 * np.log10(x)), seed, atol=1e-9)
    ends, begins = axes.lines[0].get_xdata()[-1], axes.lines[1].get_xdata()[0]
    assert ends == begins < 2e5


def test_a_cross_marks_the_last_finite_point_or_the_edge_next_to_it() -> None:
    axes = Figure().add_subplot()
    axes.set(xscale="log", xlim=(1e5, 1e7), ylim=(-150, -100))
    curves = measured().query("method == 'aevb' and split != 'train_eval'")
    curves.loc[curves["split"] == "train", "lower_bound"] = -1e6
    panel.cross(axes, curves, runs_of(curves, "diverged"), "lower_bound")
    (cross,) = axes.lines
    # 10^6 is half way along the axis; -250 + 20·6 = -130 nats is 0.4 of its height.
    np.testing.assert_allclose(np.asarray(cross.get_xdata()), [0.5, 0.5])
    np.testing.assert_allclose(np.sort(np.asarray(cross.get_ydata())), [0.03, 0.4])


def test_the_papers_axes_stay_where_they_show_every_curve() -> None:
    # On from 10^5 samples this runs from -150 to -110 nats; its beginning is cut off.
    assert plots._limits(MNIST, measured(stop=1e7)) == (MNIST.samples, MNIST.nats)
    assert plots._limits(FREY, measured().head(0)) == (FREY.samples, FREY.nats)


def test_axes_widen_for_a_curve_that_would_be_out_of_sight() -> None:
    smoke = measured(stop=2e4)
    (left, right), (low, high) = plots._limits(MNIST, smoke)
    assert (left, right, high) == (1e4, 2.5e8, -95)
    assert -300 < low < smoke["lower_bound"].max()
    (_, right), (low, high) = plots._limits(MNIST, measured(stop=1e9, lower_bound=-90.0))
    assert (right, low) == (1e9, -150)
    assert high > -90


def test_a_run_that_explodes_does_not_set_the_axes() -> None:
    exploded = measured(seeds=2)
    exploded.loc[(exploded["seed"] == 1) & (exploded["samples"] > 9e5), "lower_bound"] = 1e30
    assert plots._limits(MNIST, exploded)[1][1] == -95
    low, high = plots._limits(plots.Row("faces.npy", (3,)), exploded)[1]
    assert -200 < low < -150 < -130 < high < 0
    assert plots._limits(MNIST, measured(lower_bound=-1e30))[1] == MNIST.nats


def test_a_curve_that_no_axis_shows_is_told_where_it_ends(tmp_path: Path) -> None:
    curves = measured(seeds=2)
    seen = drawn(tmp_path, curves)
    assert not any(" below: " in text for text in seen)
    far = (curves["method"] == "aevb") & (curves["split"] == "test")
    curves.loc[far, "lower_bound"] -= 5000
    # -250 + 20·6 - 5000 nats at the end, and half a nat for the mean of the two seeds
    assert "AEVB below: test −5130 at 10⁶" in drawn(tmp_path, curves)
    curves.loc[far, "lower_bound"] = -3e7
    assert "AEVB below: test -3·10⁷ at 10⁶" in drawn(tmp_path, curves)
