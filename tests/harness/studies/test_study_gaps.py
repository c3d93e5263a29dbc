"""Where the nats go: against a model on which every term is known, and the sentences against their numbers."""

import math
import re

import numpy as np
import pandas as pd
import pytest
import torch

from harness.figures.request import Request
from harness.store.run_folder import RunFolder
from harness.store.shelves import KeptModel
from harness.studies.gaps import plot, study
from harness.studies.gaps.measure import GapsStudy, Nats, measure
from harness.studies.gaps.study import kept_models, of_points, points_beside, run_study, summary
from harness.studies.gaps.table import beside, format_gaps, lags, latest, overfitting
from harness.workers.parts import is_done
from tests.oracles import linear_gaussian

SMALL = GapsStudy(
    points=40, ais_points=10, draws=2000, steps=400, chain_moves=500, importance_samples=1000, temperatures=100
)


@pytest.fixture(scope="module")
def exact():
    """A linear-Gaussian model whose posterior is no diagonal Gaussian, and an encoder that is off."""
    oracle = linear_gaussian(diagonal_posterior=False)
    x, encoder = oracle.simulate(SMALL.points), oracle.exact_encoder()
    with torch.no_grad():
        encoder.offset.add_(0.2)
    nats = measure(SMALL, oracle.model, encoder, x, torch.Generator().manual_seed(0))
    return oracle, x, encoder, nats


def test_every_term_is_that_of_the_linear_gaussian_model(exact):
    oracle, x, encoder, nats = exact
    mean, covariance = oracle.posterior(x)
    precision = torch.linalg.inv(covariance)
    approximation = 0.5 * (precision.diagonal().log().sum() + torch.logdet(covariance)).item()
    with torch.no_grad():
        q = encoder(x)
    off = q.mean - mean
    divergence = 0.5 * (
        (precision.diagonal() * q.log_var.exp()).sum(-1) + ((off @ precision) * off).sum(-1)
        - 3 - q.log_var.sum(-1) + torch.logdet(covariance)
    )  # fmt: skip
    truth = oracle.log_marginal(x)
    assert nats.trusted.all()
    assert (nats.log_p - truth).abs().max() < 0.05
    assert (nats.bound - (truth - divergence)).abs().max() < 0.3
    assert (nats.bound - (truth - divergence)).mean().abs() < 0.03
    assert (truth - nats.best).mean().item() == pytest.approx(approximation, abs=0.03)
    torch.testing.assert_close(nats.kl.sum(-1), q.kl_to_standard_normal())
    assert nats.ais[10:].isnan().all()
    assert ((nats.ais - truth)[:10].abs() < 4 * nats.ais_error[:10] + 0.05).all()


def test_the_terms_add_up_and_what_is_not_trusted_is_left_out(exact):
    nats = exact[-1]
    row = summary(nats)
    assert row["log_p"] - row["approximation"] - row["amortization"] == pytest.approx(row["bound"], abs=1e-9)
    assert (row["datapoints"], row["untrusted"], row["active"]) == (40, 0, 3)
    bad = nats.log_p.clone()
    bad[0] = 1e6
    trusted = torch.arange(40) > 0
    left = summary(Nats(**{**vars(nats), "log_p": bad, "trusted": trusted}))
    assert (left["datapoints"], left["untrusted"]) == (39, 1)
    assert left["log_p"] == pytest.approx(nats.log_p[1:].mean().item())
    assert left["log_p_error"] == pytest.approx(nats.log_p[1:].std().item() / math.sqrt(39))
    points = of_points(Nats(**{**vars(nats), "log_p": bad, "trusted": trusted}))
    assert points["log_p"].isna().tolist() == [True] + [False] * 39
    assert points["bound"].mean() == pytest.approx(nats.bound.mean().item(), abs=1e-3)


def rows(method="aevb", split="test", seed=0, samples=1000, log_p=-100.0, approximation=1.0, amortization=2.0, **more):
    best = log_p - approximation
    values = {"log_p": log_p, "best": best, "bound": best - amortization, "approximation": approximation}
    values |= {"amortization": amortization, "kl": 20.0, "ais": log_p, "ais_minus_log_p": -0.1}
    errors = {f"{name}_error": 0.1 for name in values}
    name = {"dataset": "mnist", "n_latent": 10, "method": method, "seed": seed, "samples": samples, "split": split}
    return name | {"datapoints": 100, "untrusted": 1, "active": 9} | values | errors | more


def test_of_each_curve_the_last_models_that_all_seeds_have_are_shown():
    table = pd.DataFrame(
        [rows(seed=0), rows(seed=1, log_p=-104.0), rows(seed=0, samples=9000), rows(method="wake_sleep", samples=50)]
    )
    found = latest(table)
    assert found[["method", "samples", "seeds"]].to_numpy().tolist() == [["aevb", 1000, 2], ["wake_sleep", 50, 1]]
    assert found["log_p"].tolist() == [-102.0, -100.0]
    assert found["log_p_error"].tolist() == [pytest.approx(2), 0.1]  # over two seeds, ±2 from their mean; of one seed
    assert found["log_p_widened"][0] > 2
    assert found["log_p_widened"][1] == 0.1


def points_of(row, spread=30.0):
    """Of a row ten images, far apart; of other methods than AEVB even ones are a little higher, the last is unknown."""
    name = {key: row[key] for key in ("dataset", "n_latent", "method", "seed", "samples", "split")}
    found = []
    for point in range(10):
        up = spread * (point - 4.5) + (0.5 if row["method"] != "aevb" and point % 2 == 0 else 0.0)
        found.append(name | {"point": point} | {key: row[key] + up for key in ("log_p", "best", "bound")})
    found[9]["log_p"] = np.nan if row["method"] == "aevb" else 1e6
    return found


def tables_of(*found):
    return pd.DataFrame(found), pd.DataFrame([point for row in found for point in points_of(row)])


OTHER = {"method": "wake_sleep", "log_p": -104.0, "approximation": 1.5, "amortization": 4.5}


def test_a_difference_is_the_sum_of_its_terms_image_by_image():
    longer = rows(samples=9000, log_p=-90.0)  # of AEVB alone: there nothing is to be compared with it
    tables = tables_of(rows(), rows(**OTHER), rows(**OTHER | {"samples": 50}), longer)
    (sentence,) = lags(*tables)
    terms = [(float(a), float(b)) for a, b in re.findall(r"([+-]\d+\.\d) ± (\d+\.\d)", sentence)]
    # Five of nine are 0.5 higher, ± 0.09; one image and the next are 30 apart, which is no error of the difference.
    assert terms == [(-6.7, 0.1), (-3.7, 0.1), (-0.5, 0.0), (-2.5, 0.0)]
    assert "wake-sleep's bound minus AEVB's" in sentence
    assert "at 10³ samples" in sentence
    assert not lags(*tables_of(rows(), rows(method="wake_sleep", samples=50)))


def test_the_error_of_a_difference_over_several_seeds_is_over_seeds():
    theirs = [rows("wake_sleep", seed=seed, log_p=-104.0 + seed) for seed in (0, 2)]
    (sentence,) = lags(*tables_of(*theirs, *(rows(seed=seed) for seed in (0, 1, 2))))
    assert "bound minus AEVB's is -2.7 ± 1.0 nats: -2.7 ± 1.0 in log p(x)" in sentence  # −3.7 and −1.7


def test_without_each_images_nats_a_difference_is_that_of_means_and_says_so():
    (sentence,) = lags(pd.DataFrame([rows(), rows(**OTHER)]))
    total, *terms = [float(number) for number in re.findall(r"[+-]\d+\.\d", sentence)]
    assert (total, terms) == (-7.0, [-4.0, -0.5, -2.5])
    assert sentence.endswith("; errors as of unlike images.")


@pytest.mark.parametrize(("higher", "said"), [(1.0, True), (0.2, False), (-1.0, False)])
def test_overfitting_is_spoken_of_where_the_training_bound_is_surely_higher(higher, said):
    table = latest(pd.DataFrame([rows(), rows(split="train", log_p=-100.0 + higher)]))
    assert bool(overfitting(table)) == said


def test_the_table_for_print_fits_80_columns_and_a_single_model_will_do():
    table = pd.DataFrame([rows(split=split, seed=seed, log_p=-1e3) for split in ("train", "test") for seed in (0, 1)])
    printed = format_gaps(table)
    assert max(map(len, printed.splitlines())) <= 80
    assert "AIS differs from it by -0.10 nats" in printed
    untrusted = dict.fromkeys(
        ("log_p", "bound", "best", "approximation", "amortization", "kl", "ais_minus_log_p"), np.nan
    )
    of_both = pd.DataFrame([rows() | untrusted, rows(method="wake_sleep") | untrusted])
    points = pd.DataFrame([point for row in (rows(), rows(**OTHER)) for point in points_of(row)]).assign(log_p=np.nan)
    assert "nan" not in format_gaps(of_both, points)
    assert "nan" not in format_gaps(of_both)


def test_published_models_are_looked_into_where_the_reader_has_none(tmp_path, monkeypatch):
    request = Request(results=tmp_path, workers=1)
    found = kept_models(request)
    assert {("mnist", 2), ("mnist", 20)} <= {(m.folder.config.dataset, m.folder.config.n_latent) for m in found}
    assert all(model.folder.published for model in found)
    (one,) = [model for model in found if (model.folder.config.dataset, model.folder.config.n_latent) == ("mnist", 2)]
    monkeypatch.setattr(study, "kept_models", lambda _: [one])
    small = GapsStudy(4, 2, 10, 5, 30, 50, 10, 2)
    folder = tmp_path / "studies" / "gaps"
    table, latents = run_study(small, folder, request)
    points = points_beside(request.shelves)
    assert table["split"].tolist() == ["train", "test"]
    assert points[["split", "point"]].to_numpy().tolist() == [[name, k] for name in ("train", "test") for k in range(4)]
    known = points.dropna()
    assert known.groupby("split")["bound"].mean().to_dict() == pytest.approx(
        table.set_index("split")["bound"].to_dict(), abs=1e-3
    )
    assert (len(latents), latents["kl"].gt(0).all()) == (4, True)
    assert all(path.stat().st_size > 10_000 for path in study.plot_gaps(table, latents, folder / "gaps"))
    again = run_study(small, folder, request)
    pd.testing.assert_frame_equal(table, again[0])
    own = KeptModel(RunFolder(tmp_path / "runs", one.folder.config), one.samples)
    theirs, mine = (study.Part(small, folder, kept, None) for kept in (one, own))
    assert is_done(theirs)
    assert not is_done(mine), "a published model's numbers are not the reader's own"
    (folder / "gaps.csv").unlink()
    assert points_beside(request.shelves) is None, "of another study than the published one, which then is shown"


def two_methods():
    """AEVB has gone on to 9000 samples, wake-sleep has not."""
    return pd.DataFrame(
        [rows(split=split, samples=samples) for split in ("train", "test") for samples in (50, 1000, 9000)]
        + [rows(method="wake_sleep", split=split, log_p=-104.0) for split in ("train", "test")]
    )


def test_beside_another_methods_last_models_stand_aevbs_after_as_many_samples():
    found = beside(two_methods())
    assert found[["method", "samples", "split"]].to_numpy().tolist() == [
        ["aevb", 1000, "train"], ["aevb", 1000, "test"], ["aevb", 9000, "train"], ["aevb", 9000, "test"],
        ["wake_sleep", 1000, "train"], ["wake_sleep", 1000, "test"],
    ]  # fmt: skip
    alone = two_methods().query("method == 'aevb'")
    pd.testing.assert_frame_equal(beside(alone), latest(alone))


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """The figure of two methods with 10 latents and of one with 200 whose log p(x) is not known."""
    figures = []
    monkeypatch.setattr(plot, "save", lambda figure, stem: figures.append(figure) or [stem])
    unknown = dict.fromkeys(("log_p", "bound", "best"), np.nan) | {"n_latent": 200}
    table = pd.concat([two_methods(), pd.DataFrame([rows(), rows(split="train")]).assign(**unknown)])
    latents = [
        {**name, "split": "test", "latent": k, "kl": 3.0 * 0.4**k}
        for name in table[["dataset", "n_latent", "method", "seed", "samples"]].drop_duplicates().to_dict("records")
        for k in range(name["n_latent"])
    ]
    plot.plot_gaps(table, pd.DataFrame(latents), tmp_path / "gaps")
    (figure,) = figures
    figure.draw_without_rendering()
    return figure


def test_models_stand_below_their_size_and_samples_and_the_two_ends_have_errors_apart(drawn):
    ladder = drawn.axes[0]
    assert [text.get_text() for text in ladder.get_yticklabels()] == [
        "$N_z$ = 10 after 10³ samples", "AEVB, train", "AEVB, test", "wake-sleep, train", "wake-sleep, test",
        "$N_z$ = 10 after 9·10³ samples", "AEVB, train", "AEVB, test",
    ]  # fmt: skip
    bars = [collection.get_segments()[0] for collection in ladder.collections]
    heights = [float(segment[0][1]) for segment in bars]
    assert len({*heights}) == len(heights) == 2 * 6
    assert np.diff(sorted(heights)).min() > 0.4  # lines


def test_a_panel_for_each_size_tells_its_methods_apart_beside_the_curves(drawn):
    for axes, size, methods in zip(drawn.axes[1:], (10, 200), (2, 1), strict=True):
        legend, curves = axes.get_legend(), [line for line in axes.lines if line.get_label().endswith("active")]
        assert legend.get_title().get_text() == f"$N_z$ = {size}"
        assert len({line.get_color() for line in curves}) == len(curves) == methods
        assert not legend.get_window_extent().overlaps(axes.get_window_extent())
        assert [text.get_text() for text in axes.texts] == ["10⁻³ nats or less"]
        assert min(np.min(line.get_ydata()) for line in axes.lines) == 1e-3
