"""Rounded weights: whole multiples that answer given inputs as the weights did."""

import pytest
import torch

from harness.report.rounding import multiples_of


@pytest.fixture
def layer(generator):
    """Weights, and inputs that lie near a few directions, as pixels of digits do."""
    directions = torch.randn(8, 60, generator=generator)
    inputs = torch.randn(500, 8, generator=generator) @ directions + 0.1 * torch.randn(500, 60, generator=generator)
    return torch.randn(20, 60, generator=generator), inputs


def test_without_inputs_each_weight_goes_to_its_nearest_multiple(layer):
    weight, _ = layer
    whole = multiples_of(0.1, weight)
    assert torch.equal(whole, whole.round())
    assert (whole * 0.1 - weight).abs().max() <= 0.05 + 1e-6


def test_with_inputs_the_answers_move_several_times_less(layer):
    weight, inputs = layer
    whole = multiples_of(0.1, weight, inputs)
    assert torch.equal(whole, whole.round())

    def off(multiples: torch.Tensor) -> float:
        change = inputs.double() @ (multiples * 0.1 - weight.double()).T
        return float(change.square().mean().sqrt())

    assert off(whole) < off(multiples_of(0.1, weight)) / 3


def test_weights_that_are_multiples_stay(layer):
    weight, inputs = layer
    multiples = (weight / 0.125).round()
    assert torch.equal(multiples_of(0.125, multiples * 0.125, inputs), multiples.double())
