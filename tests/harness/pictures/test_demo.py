"""Demos end to end on a small array, and how their errors are measured."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.stats import norm

from aevb.encoder import GaussianEncoder
from aevb.errors import UserError
from aevb.model import BernoulliModel, GaussianModel
from harness.command.main import main
from harness.experiments.paper import DEMO
from harness.experiments.protocols import protocol_config
from harness.figures.request import Request
from harness.pictures import demos
from harness.pictures.image_errors import image_error, psnr
from harness.pictures.models import Trained
from harness.pictures.plot import plot_strips
from harness.pictures.scene import chosen_points, open_scene
from harness.runs.job import Job
from harness.runs.train import run
from harness.store.run_folder import RunFolder
from harness.store.shelves import KeptModel
from tests.support import SMALL, small_job, write_array

# The noise model is exact for a Gaussian decoder.
PROTOCOL = f"{SMALL}+decoder=gaussian"
METHODS = {"noisy image", "mean image", "nearest training image"}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A folder with the array and its trained model."""
    folder = tmp_path_factory.mktemp("demo")
    array = write_array(folder)
    run(small_job(folder / "results", array, PROTOCOL, samples=100_000, evaluation_points=10_000))
    return folder


def demo(name, store, monkeypatch, *more):
    """Run it and return its folder."""
    monkeypatch.chdir(store)
    arguments = ("--dataset", "stripes.npy", "--latent", "2", "--protocol", PROTOCOL, "--samples", "1e5")
    assert main(["--demo", name, *arguments, *more]) == 0
    return store / "results" / "demos" / f"stripes.npy-{name}-nz2-{PROTOCOL}"


@pytest.mark.parametrize("name", ["generate", "reconstruct"])
def test_a_demo_leaves_its_picture_and_provenance_and_names_them(name, store, monkeypatch, capsys):
    folder = demo(name, store, monkeypatch)
    printed = capsys.readouterr()
    assert "finished" not in printed.err, "the model was trained again"
    with Image.open(folder / f"{name}.png") as picture:
        assert picture.info["dpi"][0] == pytest.approx(300, rel=1e-3)
    provenance = json.loads((folder / "provenance.json").read_text())
    assert (provenance["demo"], len(provenance["runs"])) == (name, 1)
    assert {line.removeprefix("wrote ") for line in printed.out.splitlines() if line.startswith("wrote")} == {
        str(path.relative_to(store)) for path in folder.iterdir()
    }


def test_a_demo_has_a_folder_for_each_model_and_the_usual_one_has_the_plain_name(tmp_path):
    config = protocol_config("author", "mnist", method="aevb", n_latent=20, seed=0)
    long = f"author+hidden={[5] * 100}".replace(" ", "")
    models = [
        config,
        replace(config, n_latent=2),
        replace(config, seed=1),
        replace(config, protocol="author+hidden=[5]"),
        replace(config, protocol="author+hidden=[5]", n_latent=3, seed=1),
        replace(config, protocol=long, dataset="x" * 150),
        replace(config, protocol=f"{long}+n_samples=2", dataset="x" * 150),
    ]
    request = Request(DEMO, results=tmp_path)
    names = []
    for each in models:
        kept = KeptModel(RunFolder(tmp_path, each), 100)
        trained = Trained(kept, BernoulliModel(each.n_latent, 784, ()), GaussianEncoder(784, 2, ()), (28, 28))
        scene = open_scene(trained, Job(each, 100, tmp_path, None, "cpu"), request, "reconstruct", (0, 1))
        names.append(scene.stem.parent.name)
    assert names[:5] == [
        "mnist-reconstruct",
        "mnist-reconstruct-nz2",
        "mnist-reconstruct-seed1",
        "mnist-reconstruct-author+hidden=[5]",
        "mnist-reconstruct-nz3-author+hidden=[5]-seed1",
    ]
    assert len({*names}) == len(models)
    assert all(len(name.encode()) <= 255 for name in names)


def test_a_reconstruction_is_nearer_than_the_mean_image(store, monkeypatch):
    table = pd.read_csv(demo("reconstruct", store, monkeypatch) / "errors.csv").set_index("method")
    assert table.loc["reconstruction", "psnr"] > table.loc["mean image", "psnr"]
    assert table.loc["reconstruction", "log_likelihood"] > table.loc["mean image", "log_likelihood"]


def test_the_ends_of_a_path_are_named_by_words_and_told_by_number_below(store, monkeypatch):
    drawn = []
    monkeypatch.setattr(demos, "plot_strips", lambda *given: drawn.append(given) or plot_strips(*given))
    demo("interpolate", store, monkeypatch, "--points", "3", "8")
    ((_, headings, caption, _),) = drawn
    assert (headings[0], headings[-1]) == ("from", "to"), "a number there reads as a digit's name"
    assert "from test image 3 to test image 8" in caption


def test_the_film_between_two_points_goes_there_and_back(store, monkeypatch):
    folder = demo("interpolate", store, monkeypatch, "--points", "3", "8")
    with Image.open(folder / "interpolate.gif") as film:
        frames = [film.seek(n) or np.asarray(film.convert("L")) for n in range(film.n_frames)]
    assert len(frames) == 80
    assert not (frames[0] == frames[40]).all()
    for there, back in zip(frames[1:40], reversed(frames[41:]), strict=True):
        np.testing.assert_array_equal(there, back)
    assert json.loads((folder / "provenance.json").read_text())["points"] == [3, 8]


def test_denoising_beats_the_noisy_and_the_mean_image(store, monkeypatch):
    folder = demo("denoise", store, monkeypatch)
    table = pd.read_csv(folder / "errors.csv").pivot(index="noise_std", columns="method", values="psnr")
    assert {*table} == {*METHODS, "E[x|noisy]", "E[x|z], z|noisy"}
    assert (table["E[x|noisy]"] > table["noisy image"]).all()
    assert (table["E[x|noisy]"] > table["mean image"]).all()
    chains = json.loads((folder / "provenance.json").read_text())["chains"]
    assert all(0.8 < level["acceptance"] < 0.98 for level in chains)


def test_inpainting_beats_the_mean_image(store, monkeypatch):
    table = pd.read_csv(demo("inpaint", store, monkeypatch) / "errors.csv").set_index("method")
    assert {*table.index} == {*METHODS, "E[hidden|visible]"} - {"noisy image"}
    for measure in ("psnr", "log_likelihood"):
        assert table.loc["E[hidden|visible]", measure] > table.loc["mean image", measure]


def test_decibels_are_those_of_the_mean_squared_error():
    truth = torch.zeros(3, 50)
    assert psnr(truth, torch.full_like(truth, 0.1)) == pytest.approx(20)
    assert psnr(truth, truth) == math.inf


def test_a_gaussian_image_gets_the_variance_that_suits_it_best():
    model = GaussianModel(1, 40, ())
    generator = torch.Generator().manual_seed(0)
    truth, image = torch.rand(2, 5, 40, generator=generator, dtype=torch.float64)
    found = image_error(model, truth, image, "")["log_likelihood"]
    stds = np.linspace(0.1, 2, 400)
    best = max(norm.logpdf(truth, image, std).sum(-1).mean() for std in stds)
    assert found == pytest.approx(best, abs=0.01)
    assert found >= best


def test_a_binary_image_keeps_off_black_and_white_as_far_as_suits_it_best():
    """With a share e of wrong pixels the best probability of error is e itself."""
    truth = torch.zeros(4, 100)
    image = truth.clone()
    image[:, :10] = 1
    exact = 100 * (0.1 * math.log(0.1) + 0.9 * math.log(0.9))
    found = image_error(BernoulliModel(1, 100, ()), truth, image, "")["log_likelihood"]
    assert exact - 1 < found <= exact


def test_one_test_image_is_too_few_to_interpolate_between_and_enough_for_the_rest(tmp_path, monkeypatch, capsys):
    np.save(tmp_path / "three.npy", np.random.default_rng(0).random((3, 16), dtype=np.float32))
    monkeypatch.chdir(tmp_path)
    arguments = ["--dataset", "three.npy", "--latent", "2", "--protocol", SMALL, "--samples", "200", "--workers", "1"]
    assert main(["--demo", "interpolate", *arguments]) == 2
    assert "there must be two test images to interpolate between, three.npy has 1" in capsys.readouterr().err
    assert not (tmp_path / "results").exists(), "it was trained for nothing"
    assert main(["--demo", "reconstruct", *arguments]) == 0


def test_points_must_be_two_test_images(store):
    array = store / "stripes.npy"
    job = small_job(store, array, evaluation_points=10_000)
    assert chosen_points(job, None) == (0, 1)
    with pytest.raises(UserError, match=r"below 60, the number of stripes\.npy's test images, got 3 60"):
        chosen_points(job, [3, 60])
    with pytest.raises(UserError, match="two different test images, got 3 twice"):
        chosen_points(job, [3, 3])
