"""Figures 4 and 5: what the grids show, and whose models they take."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm

from aevb import shipped
from aevb.estimators import evaluate_lower_bound
from aevb.model import GaussianModel
from harness.command.main import main
from harness.experiments.paper import FIGURE4
from harness.pictures.latent_space import manifold, prior_samples
from harness.pictures.models import load_trained
from harness.pictures.plot import tile
from harness.runs.build import evaluation_generator, load, prepare
from harness.runs.job import Job
from harness.runs.streams import stream
from harness.runs.train import run
from harness.store.shelves import KeptModel, Shelves
from tests.support import SMALL, curve, small_config, small_job


def picture(figure, *more, protocol=SMALL):
    return ("--figure", str(figure), "--dataset", "stripes.npy", "--protocol", protocol, "--samples", "2e4", *more)


def decoder_that_shows_z(n_latent=2):
    model = GaussianModel(n_latent, n_latent, (), log_var="constant", squash_mean=False)
    with torch.no_grad():
        model.output.weight.copy_(torch.eye(n_latent))
        model.output.bias.zero_()
    return model.requires_grad_(False)


def test_the_manifold_is_an_even_grid_of_the_unit_square_through_the_inverse_normal_cdf():
    unit = norm.cdf(manifold(decoder_that_shows_z(), 4).numpy())
    centres = np.array([0.125, 0.375, 0.625, 0.875])
    np.testing.assert_allclose(unit[..., 0], np.tile(centres, (4, 1)), atol=1e-6)  # z₁ grows rightwards
    np.testing.assert_allclose(unit[..., 1], np.tile(centres[::-1, None], (1, 4)), atol=1e-6)  # z₂ upwards


def test_samples_are_decoded_from_the_prior():
    z = prior_samples(decoder_that_shows_z(5), 60, stream("test")).flatten(0, 1)
    n = len(z)
    assert n == 3600
    assert (z.mean(0).abs() < 4 / n**0.5).all()
    assert ((z.T.cov() - torch.eye(5)).abs() < 4 * (2 / n) ** 0.5).all()


def test_a_tiled_picture_has_each_image_in_its_place():
    images = np.random.default_rng(0).uniform(size=(2, 3, 4, 5))
    whole = tile(images, gap=1)
    assert whole.shape == (2 * 4 + 1, 3 * 5 + 2)
    for row in range(2):
        for column in range(3):
            np.testing.assert_array_equal(whole[5 * row :, 6 * column :][:4, :5], images[row, column])
    assert (whole[4] == 1).all()


@pytest.fixture
def trained(array, tmp_path):
    """A finished run among figure 2's."""
    job = small_job(tmp_path / "results", array, samples=20_000, evaluation_points=10_000)  # as the figure has it
    run(job)
    return job


def test_a_model_from_the_store_has_the_bound_that_its_curve_ends_with(trained):
    found = load_trained(KeptModel(trained.folder, 20_000))
    data = prepare(trained.config, load(trained.config, trained.data), torch.device("cpu"))
    bound = evaluate_lower_bound(found.model, found.encoder, data.test_points, evaluation_generator("cpu"))
    logged = curve(trained).query("split == 'test'")["lower_bound"].iloc[-1]
    assert float(bound.mean()) == pytest.approx(logged, rel=1e-6)


def test_a_model_is_found_by_its_config_and_by_how_long_it_was_trained(trained, array, tmp_path):
    shelves = Shelves(tmp_path / "results")
    first, last = (KeptModel(trained.folder, samples) for samples in (10_000, 20_000))
    for samples, found in ((1, first), (10_000, first), (10_001, last), (20_000, last)):
        assert shelves.model(trained.config, samples) == last
        assert shelves.model(trained.config, samples, latest=False) == found
    assert shelves.model(trained.config, 20_001) == last, "shorter than wanted, and all that there is"
    assert shelves.model(small_config(array, n_latent=3), 1) is None
    trained.folder.mark_stale()
    assert shelves.model(trained.config, 1) is None, "it is to begin anew"


DIVERGES = "author+hidden=[8]+batch_size=20+decoder=gaussian+decoder_log_var=hidden+step_size=1e30+warm_up="


def test_a_diverged_model_is_not_drawn_but_named(array, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(picture(4, protocol=f"{DIVERGES}50")) == 2  # before its first point, at 10,000 samples
    assert "there must be trained models to draw, got" in (error := capsys.readouterr().err)
    assert "Learned stripes.npy manifold: diverged" in error
    assert not (tmp_path / "results" / "figure4").exists()


def test_of_a_run_that_diverged_later_what_it_was_before_is_drawn_with_its_age(array, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    protocol = f"{DIVERGES}550"
    assert main(picture(4, protocol=protocol)) == 1, "it was asked for by name"
    assert "diverged" in capsys.readouterr().err
    folder = tmp_path / "results" / "figure4"
    (shown,) = json.loads((folder / f"figure4-{protocol}.json").read_text())["runs"]
    assert shown["samples"] == 10_000
    assert "10⁴ training samples" in (folder / f"figure4-{protocol}.svg").read_text()


def test_figure_4_takes_figure_2s_model_and_figure_5_trains_what_is_absent(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "results"
    before = curve(trained)
    assert main(picture(4, "--dry-run")) == 0
    assert capsys.readouterr().out.count("in the store") == 1
    assert main(picture(4)) == 0
    assert "finished" not in capsys.readouterr().err, "figure 2's model was trained again"
    provenance = json.loads((root / "figure4" / f"figure4-{SMALL}.json").read_text())
    (shown,) = provenance["runs"]
    assert shown["folder"] == str(trained.folder.path.relative_to(tmp_path))
    assert shown["samples"] == 20_000
    assert provenance["drawn_with"]["packages"]
    svg = (root / "figure4" / f"figure4-{SMALL}.svg").read_text()
    assert svg.count("<image") == 1
    assert svg.count("not run") == 2  # the paper's two panels

    assert main(picture(5, "--latent", "2", "3")) == 0
    assert capsys.readouterr().err.count("finished") == 1
    (new,) = {*trained.root.iterdir()} - {trained.folder.path}
    assert "nz3" in new.name
    pd.testing.assert_frame_equal(curve(trained), before)

    pictures = {path: path.read_bytes() for path in (root / "figure5").iterdir() if path.suffix != ".json"}
    assert {path.suffix for path in pictures} == {".png", ".svg"}
    assert main(picture(5, "--latent", "2", "3", "--plot-only")) == 0
    assert {path: path.read_bytes() for path in pictures} == pictures


def test_without_frey_face_figure_4_shows_mnist_and_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("AEVB_DATA_DIR", str(tmp_path))
    for proxy in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    monkeypatch.setattr(shipped, "RESULTS", tmp_path / "nothing")
    (config,) = FIGURE4.configs("author", ["mnist"], [0])
    run(Job(config, 300, tmp_path / "results" / "runs", None, "cpu"))
    assert main(["--figure", "4", "--samples", "300"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("missing: the frey_face panels.")
    assert "AEVB_DATA_DIR" in last
    svg = (tmp_path / "results" / "figure4" / "figure4.svg").read_text()
    assert svg.count("<image") == 1
    assert "Frey Face data" in svg
