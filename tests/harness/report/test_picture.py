"""The page's pictures share its room, and a moving one moves as long as it did."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from harness.report.picture import MOST_FRAMES, WIDTHS, embed


@pytest.fixture
def drawn(tmp_path):
    """A picture that weighs little, and one that weighs much."""
    noise = np.random.default_rng(0).integers(0, 255, (300, 1600), np.uint8)
    images = {"plain.png": Image.new("L", (1600, 300), 90), "noise.png": Image.fromarray(noise)}
    for name, image in images.items():
        image.save(tmp_path / name)
    return [tmp_path / name for name in images]


@pytest.mark.parametrize("budget", [100_000, 200_000, 400_000, 10**7])
def test_pictures_grow_together_until_none_finds_room_to_be_wider(drawn, budget):
    made = embed(drawn, budget)
    plain, noise = (made[path] for path in drawn)
    weight = len(plain.uri) + len(noise.uri)
    assert weight <= budget
    assert plain.width >= noise.width
    for path, picture in made.items():
        assert embed([path], budget - weight + len(picture.uri))[path] == picture
    assert noise.width < WIDTHS[0] or budget > weight > 200_000


def test_the_papers_figures_grow_first(drawn):
    figure = drawn[1].rename(drawn[1].with_name("figure5.png"))
    budgets = np.linspace(50_000, 300_000, 8).astype(int)
    widths = [[picture.width for picture in embed([drawn[0], figure], budget).values()] for budget in budgets]
    assert all(first >= other for other, first in widths[-2:])
    assert widths == sorted(widths, key=lambda pair: pair[1]), "with more room it is wider"


def test_of_many_frames_some_are_kept_and_they_take_as_long(tmp_path):
    count, each = 2 * MOST_FRAMES + 5, 50
    frames = [Image.new("L", (64, 48), k) for k in range(count)]
    path = tmp_path / "moving.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=each)
    (made,) = embed([path], 10**7).values()
    with Image.open(io.BytesIO(base64.b64decode(made.uri.partition(",")[2]))) as moving:
        assert moving.n_frames <= MOST_FRAMES
        told = 0
        for k in range(moving.n_frames):
            moving.seek(k)
            moving.load()
            told += moving.info["duration"]
    assert told == count * each
