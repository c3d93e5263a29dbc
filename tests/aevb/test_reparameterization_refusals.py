"""What is no parameter or no noise of a distribution is refused by name."""

import numpy as np
import pytest
import torch

from aevb.errors import ArgumentError
from aevb.reparameterization import composition, inverse_cdf
from aevb.reparameterization.location_scale import elliptical, location_scale


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_parameters_and_noise_that_are_no_numbers_are_refused(value):
    for draw in (inverse_cdf.cauchy, inverse_cdf.logistic, inverse_cdf.gumbel, location_scale, composition.log_normal):
        for place in range(3):
            arguments = [torch.tensor(0.5) for _ in range(3)]
            arguments[place] = torch.tensor(value)
            with pytest.raises(ValueError, match="must be"):
                draw(*arguments)


U = torch.tensor([0.2, 0.5, 0.9])
PAIRS = torch.stack([U, U.flip(0)], -1)
WRONG = {
    "a number": lambda: inverse_cdf.exponential(2.0, U),
    "noise that is a number": lambda: inverse_cdf.exponential(U, 0.5),
    "an array": lambda: inverse_cdf.cauchy(U, U, U.numpy()),
    "nothing": lambda: inverse_cdf.weibull(None, U, U),
    "complex": lambda: location_scale(U * 1j, U, U),
    "booleans": lambda: inverse_cdf.erlang(U > 0.3, U, U),
    "whole numbers alone": lambda: location_scale(torch.tensor([0]), torch.tensor([1]), torch.tensor([2])),
    "sizes that do not fit": lambda: inverse_cdf.pareto(U, U[:2], U),
    "sizes that do not fit a sum": lambda: composition.gamma(U[:2], PAIRS),
    "a sum of nothing": lambda: composition.gamma(U, PAIRS[:, :0]),
    "one noise for two gammas": lambda: composition.beta(U, U, PAIRS[:, :1]),
    "three noises for two gammas": lambda: composition.beta(U, U, torch.stack([U, U, U], -1)),
    "one noise for all coordinates": lambda: composition.dirichlet(PAIRS, PAIRS[:, :1]),
    "a Dirichlet of no coordinates": lambda: composition.dirichlet(U[0], U),
    "five noises for an F": lambda: composition.f(U, U, torch.full((3, 5), 0.5)),
    "one noise for an F": lambda: composition.f(U, U, PAIRS[:, :1]),
    "noise without an axis": lambda: elliptical(torch.zeros(2), torch.eye(2), torch.tensor(0.5)),
    "a rate below 0": lambda: inverse_cdf.exponential(-U, U),
    "a rate that is infinite": lambda: inverse_cdf.exponential(U / 0, U),
    "a location that is no number": lambda: location_scale(U * torch.nan, U, U),
    "ends in the wrong order": lambda: inverse_cdf.reciprocal(U + 1, U, U),
    "noise of 1": lambda: inverse_cdf.exponential(U, torch.ones(3)),
    "a matrix of lists": lambda: elliptical(torch.zeros(2), [[1.0]], PAIRS),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_is_no_parameter_or_no_noise_is_refused_by_name(wrong):
    with pytest.raises(ArgumentError, match=r" must .*, got .*: "):
        wrong()


def test_one_floating_argument_is_enough_also_where_it_is_a_single_number():
    rates, noise = torch.tensor([1, 2]), torch.tensor(0.5)
    expected = inverse_cdf.exponential(rates.float(), noise)
    torch.testing.assert_close(inverse_cdf.exponential(rates, noise), expected)
