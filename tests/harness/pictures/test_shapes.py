"""Whatever shape the data have, what is drawn of them has a bounded size, and is what they are."""

import numpy as np
import pytest
import torch
from PIL import Image

from harness.command.main import main
from harness.pictures.plot import Panel, Strip, plot_panels, plot_strips, write_animation
from harness.pictures.shapes import LARGEST, LINE_HEIGHT, LINE_WIDTH, LONGEST, as_images, is_image, lines
from tests.support import SMALL
from tests.tally import tally

SHAPES = [
    (1, 1), (1, 2), (2, 1), (1, 3), (1, 50), (1, 784), (1, 3072), (3072, 1), (1, 100_000), (2, 2), (2, 3), (2, 16),
    (2, 17), (3, 1024), (1024, 3), (5, 41), (8, 64), (8, 65), (28, 28), (28, 20), (160, 160), (161, 161), (161, 40),
    (1000, 130), (999, 1000), (640, 480), (7, 7), (13, 17),
]  # fmt: skip


def some(n, shape):
    return torch.rand(n, shape[0] * shape[1], generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", SHAPES)
def test_pictures_of_any_shape_have_a_bounded_size_and_proportion(shape):
    images = as_images(some(6, shape), shape)
    assert max(images.shape[1:]) <= LARGEST
    tally("shapes drawn")
    assert max(images.shape[1:]) <= max(LONGEST, 8.5) * min(images.shape[1:])
    assert images.min() >= 0
    assert images.max() <= 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 3072), (2, 16), (999, 1000), (161, 40)])
def test_files_of_pictures_of_any_shape_have_a_bounded_size(shape, tmp_path):
    images = as_images(some(6, shape), shape)
    panel = Panel("one", np.tile(images[:1, None], (20, 20, 1, 1)))
    paths = plot_panels([[panel, Panel("none", None, "why")]], "caption", tmp_path / "panels")
    paths += [plot_strips([Strip("row", images)] * 4, (), "caption", tmp_path / "strips")]
    paths += [write_animation(images, tmp_path / "film")]
    for path in (path for path in paths if path.suffix != ".svg"):
        with Image.open(path) as picture:
            assert max(picture.size) <= 16_000
            assert picture.width * picture.height <= 65_000_000
        assert path.stat().st_size < 30e6


def test_images_are_untouched_and_of_large_ones_blocks_are_averaged():
    x = some(3, (28, 20))
    np.testing.assert_array_equal(as_images(x, (28, 20)), x.view(3, 28, 20).numpy())
    large = some(2, (400, 330))
    small = as_images(large, (400, 330))
    assert small.shape == (2, 134, 110)
    blocks = large.view(2, 400, 330)[:, :399, :].reshape(2, 133, 3, 110, 3).mean((2, 4))
    np.testing.assert_allclose(small[:, :133], blocks.numpy(), rtol=1e-5)


@pytest.mark.parametrize("n", [2, 3, 50, 95, 96, 97, 191, 500, 3072, 10_001])
def test_a_line_passes_through_its_values_at_their_places(n):
    values = np.linspace(0, 1, n) ** 2
    picture = lines(values)
    assert picture.shape == (LINE_HEIGHT, LINE_WIDTH)
    ink = 1 - picture[:-1, :-1]
    centre = (ink * np.arange(LINE_HEIGHT - 1)[:, None]).sum(0) / ink.sum(0)
    height = 1 - (centre - 3) / (LINE_HEIGHT - 7)
    place = (np.arange(LINE_WIDTH - 1) + 0.5) / LINE_WIDTH
    np.testing.assert_allclose(height, np.interp(place, np.linspace(0, 1, n), values), atol=0.03)


@pytest.mark.parametrize("n", [300, 3072, 50_000])
def test_no_peak_is_lost_where_many_values_share_a_column(n):
    for at in np.random.default_rng(0).integers(n // 100, n - n // 100, 20):
        values = np.zeros(n)
        values[at] = 1
        column = int(at / n * LINE_WIDTH)
        assert lines(values)[2 : LINE_HEIGHT // 2, max(column - 2, 0) : column + 3].min() < 0.95
        tally("peaks found")


def test_what_is_no_image_is_told():
    assert [shape for shape in SHAPES if is_image(shape)] == [
        (1, 1), (2, 2), (2, 3), (2, 16), (8, 64), (28, 28), (28, 20), (160, 160), (161, 161), (161, 40), (1000, 130),
        (999, 1000), (640, 480), (7, 7), (13, 17),
    ]  # fmt: skip


@pytest.mark.parametrize("shape", [(200, 3072), (60, 50), (60, 2, 300), (60, 170, 171)], ids=str)
def test_figures_and_demos_of_data_of_any_shape_are_drawn(shape, tmp_path, monkeypatch, capsys):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random(shape, dtype=np.float32))
    monkeypatch.chdir(tmp_path)
    how = ["--dataset", "x.npy", "--protocol", SMALL, "--samples", "100", "--workers", "1"]
    for task in (
        "--figure 4",
        "--figure 5 --latent 2",
        "--demo reconstruct --latent 2",
        "--demo interpolate --latent 2",
    ):
        assert main([*task.split(), *how]) == 0, capsys.readouterr().err
    pictures = [*tmp_path.glob("results/*/**/*.png"), *tmp_path.glob("results/*/**/*.gif")]
    assert len(pictures) == 5
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.width * picture.height <= 65_000_000
        assert path.stat().st_size < 30e6
    tally("shapes drawn", 4)
