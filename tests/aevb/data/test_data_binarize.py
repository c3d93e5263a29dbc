"""Binarization: what is drawn has the pixels for its probabilities, and the same generator draws the same."""

import pytest
import torch

from aevb.data import BINARIZATIONS, binarize
from aevb.errors import DataError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_none_changes_nothing() -> None:
    pixels = torch.rand(5, 3, generator=generator())
    assert binarize(pixels, "none") is pixels


def test_threshold_is_strictly_above_a_half() -> None:
    pixels = torch.tensor([[0.0, 0.5, 0.5 + 1e-6, 1.0]])
    assert binarize(pixels, "threshold").tolist() == [[0.0, 0.0, 1.0, 1.0]]


@pytest.mark.parametrize("binarization", ["static", "dynamic"])
def test_draws_have_the_pixels_as_their_means(binarization: str) -> None:
    n = 20_000
    p = torch.tensor([0.0, 0.01, 0.3, 0.5, 0.9, 1.0])
    draws = binarize(p.expand(n, -1), binarization, generator())
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    assert draws.dtype == p.dtype
    standard_error = (p * (1 - p) / n).sqrt()
    assert ((draws.mean(0) - p).abs() <= 5 * standard_error).all()  # exactly 0 and exactly 1 included


@pytest.mark.parametrize("binarization", ["static", "dynamic"])
def test_the_generator_decides_the_draws(binarization: str) -> None:
    pixels = torch.rand(50, 20, generator=generator(7))
    same, first, other = (binarize(pixels, binarization, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(same, first)
    assert not torch.equal(first, other)


def test_draws_without_a_generator_are_refused() -> None:
    with pytest.raises(ValueError, match="generator"):
        binarize(torch.zeros(1), "dynamic")


def test_an_unknown_binarization_is_answered_with_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"none, threshold, static, dynamic.*'otsu'"):
        binarize(torch.zeros(1), "otsu", generator())


@pytest.mark.parametrize("binarization", BINARIZATIONS)
def test_nothing_is_binarized_to_nothing(binarization: str) -> None:
    assert binarize(torch.zeros(0, 4), binarization, generator()).shape == (0, 4)
