"""Draws and slopes as the nearest numbers that their type has: formed in float64, rounded once, never infinite.

Each distribution says what its draw is and how it grows with every argument, both in closed form. Autograd's chain of
partial results would leave the range of numbers where the result does not: 0/0 between two variables too small for
float32, ∞·0 in the derivative of a power.
"""

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from aevb.reparameterization.checks import together

Formula = Callable[..., Tensor]
Slopes = Callable[..., Sequence[Tensor]]
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10  # their sum is log 2 to twice the digits


def draw(formula: Formula, slopes: Slopes, *arguments: Tensor) -> Tensor:
    """`formula` of the arguments, which broadcast, as a function that can be differentiated once.

    Args:
        formula: all arguments in float64 to the draw in float64; may be infinite.
        slopes: all arguments in float64 to the derivative of the draw with respect to each, which broadcast too.
        arguments: parameters and noise.

    Returns:
        The draw in the arguments' common type: of what does not fit, the nearest number that does. So are gradients.
    """
    together(*arguments)
    # As in arithmetic between tensors, a single number takes the type of the others.
    floating = [each for each in arguments if each.is_floating_point()]
    dtype = reduce(torch.promote_types, [each.dtype for each in [each for each in floating if each.ndim] or floating])
    return _Draw.apply(formula, slopes, dtype, *arguments)


class _Draw(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, formula: Formula, slopes: Slopes, dtype: torch.dtype, *arguments: Tensor) -> Tensor:
        ctx.slopes = slopes
        ctx.save_for_backward(*arguments)
        return nearest(formula(*(each.double() for each in arguments)), dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        arguments, gradient = ctx.saved_tensors, gradient.double()
        slopes = ctx.slopes(*(each.double() for each in arguments))
        each = (
            summed(gradient * nearest(slope, torch.float64), argument)
            for slope, argument in zip(slopes, arguments, strict=True)
        )
        return None, None, None, *each


def nearest(value: Tensor, dtype: torch.dtype) -> Tensor:
    """The value in another type, where ∞ and what rounds to it is the largest finite number."""
    most = torch.finfo(dtype).max
    return value.clamp(-most, most).to(dtype)


def summed(gradient: Tensor, argument: Tensor) -> Tensor:
    """Sum over the axes along which the argument was broadcast, in its type; the sum of finite numbers is finite."""
    gradient = nearest(gradient, torch.float64)
    shape = torch.broadcast_shapes(gradient.shape, argument.shape)
    gradient = gradient.expand(shape)
    scale = 2.0 ** math.ceil(math.log2(max(gradient.numel() / max(argument.numel(), 1), 1)))
    total = gradient.sum_to_size(argument.shape)
    safe = (gradient / scale).sum_to_size(argument.shape) * scale if not bool(total.isfinite().all()) else total
    return nearest(torch.where(total.isfinite(), total, safe), argument.dtype)


def product(*factors: Tensor, over: Sequence[Tensor] = (), exponent: Tensor | None = None) -> Tensor:
    """Π factors / Π over · e^exponent in float64, whose partial products never leave the range.

    ∞ or 0 if the result does. Relative error a few 1e-16, and 1e-16 for each unit of the exponent.
    """
    mantissa, power = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for factor in factors:
        part, two = torch.frexp(factor)
        mantissa, power = mantissa * part, power + two
    for factor in over:
        part, two = torch.frexp(factor)
        mantissa, power = mantissa / part, power - two
    if exponent is not None:
        exponent = exponent.clamp(-1e5, 1e5)
        twos = (exponent / math.log(2)).round()
        mantissa = mantissa * torch.exp((exponent - twos * _LN2_HIGH) - twos * _LN2_LOW)
        power = power + twos
    power = power.clamp(-2040, 2040)
    half = (power / 2).round()
    return mantissa * _two_to(half) * _two_to(power - half)


def _two_to(power: Tensor) -> Tensor:
    """2^power, exact, for whole powers from −1022 to 1023: the bits of a float."""
    return ((power.long() + 1023) << 52).view(torch.float64)


def shifted(location: Tensor, scale: Tensor, standard: Tensor) -> Tensor:
    """Location + scale·standard; the product alone may be out of range."""
    direct = location + scale * standard
    small = 2.0**-60
    return torch.where(direct.isfinite(), direct, (location * small + (scale * small) * standard) / small)
