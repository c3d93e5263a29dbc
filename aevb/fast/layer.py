"""Affine layers and stacks of them with their gradients written by hand, for one run or for a stack of equal runs.

A layer is made for one number of rows and owns the tensors that it fills, so that a step allocates nothing and looks
nothing up. Rows are samples: x has shape (rows, n), or (run, rows, n) where the parameters have a leading axis of runs.
"""

from collections.abc import Sequence
from functools import cached_property
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn

from aevb.fast import products
from aevb.fast.activation import Activation, fast_activation, has_fast_activation


class Affine:
    """y = factor · x Wᵀ + b; gradients are left in the parameters' ``grad``.

    Args:
        layer: weight of shape (out, in) or (run, out, in), or None where y is b alone; bias of shape (out,) or
            (run, out).
        rows: shape of x but for its last axis.
        factor: multiplies x.
        dx: where the gradient of x goes; None for a tensor of its own.

    Attributes:
        y: what `forward` leaves, shape (*rows, out).
        dy: its gradient, for others to fill in.
        dx: what `backward_input` leaves, shape (*rows, in).
    """

    def __init__(
        self, layer: nn.Module | SimpleNamespace, rows: Sequence[int], factor: float = 1.0, dx: Tensor | None = None
    ) -> None:
        weight, bias = layer.weight, layer.bias
        assert isinstance(bias, Tensor)
        assert weight is None or isinstance(weight, Tensor)
        # torch converts a number at every use; made on the device, it need not be sent there
        self._factor, self._factor_tensor = factor, bias.new_full((), factor)
        self._parameters = weight, bias
        stacked = bias.ndim == 2
        self._bias = bias.detach().unsqueeze(-2) if stacked else bias.detach()
        self._product = torch.baddbmm if stacked else torch.addmm
        self.y, self.dy = bias.new_empty(*rows, bias.shape[-1]), bias.new_empty(*rows, bias.shape[-1])
        self._dy_transposed = self.dy.mT
        self._last_x: Tensor | None = None
        self._constant = weight is None
        if weight is not None:
            self._weight = weight.detach()
            self._weight_transposed = self._weight.mT
            self.dx = bias.new_empty(*rows, weight.shape[-1]) if dx is None else dx

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """Compute and return y, times a gain where one is asked for; dy stays the gradient of y without it."""
        if self._constant:
            return self.y.copy_(self._bias)
        if products.openblas_multiplies():
            products.multiply_arrays(self._array_of(x), self._arrays.weight_transposed, self._arrays.y)
            if gain == self._factor == 1.0:
                return self.y.add_(self._bias)
            return torch.add(self._bias * gain, self.y, alpha=gain * self._factor, out=self.y)
        if gain == self._factor == 1.0:  # arguments cost time too
            return self._product(self._bias, x, self._weight_transposed, out=self.y)
        return self._product(self._bias, x, self._weight_transposed, beta=gain, alpha=gain * self._factor, out=self.y)

    def backward(self, x: Tensor, accumulate: bool = False) -> None:
        """Gradients of the parameters from dy, added to what is there if `accumulate`."""
        weight, bias = self._parameters
        if weight is not None:
            grad = gradient(weight)
            if accumulate or self._factor != 1.0:
                kept = 1.0 if accumulate else 0.0
                self._product(grad, self._dy_transposed, x, beta=kept, alpha=self._factor, out=grad)
            elif products.openblas_multiplies():
                products.multiply_arrays(self._arrays.dy_transposed, self._array_of(x), grad.numpy())
            else:
                torch.matmul(self._dy_transposed, x, out=grad)
        if accumulate:
            gradient(bias).add_(self.dy.sum(-2))
        else:
            torch.sum(self.dy, -2, out=gradient(bias))

    def backward_input(self) -> Tensor:
        """Compute and return dx from dy."""
        if products.openblas_multiplies():
            products.multiply_arrays(self._arrays.dy, self._arrays.weight, self._arrays.dx)
        else:
            torch.matmul(self.dy, self._weight, out=self.dx)
        return self.dx if self._factor == 1.0 else self.dx.mul_(self._factor_tensor)

    def _array_of(self, x: Tensor) -> np.ndarray:
        """Most layers have one x all the time."""
        if x is not self._last_x:
            self._last_x, self._last_array = x, x.numpy()
        return self._last_array

    @cached_property
    def _arrays(self) -> SimpleNamespace:
        """The same memory as NumPy sees it; a view costs a microsecond, and a step takes thirty."""
        tensors = {
            "weight": self._weight, "weight_transposed": self._weight_transposed,
            "y": self.y, "dx": self.dx, "dy": self.dy, "dy_transposed": self._dy_transposed,
        }  # fmt: skip
        return SimpleNamespace(**{name: tensor.numpy() for name, tensor in tensors.items()})


def gradient(parameter: Tensor) -> Tensor:
    """The parameter's ``grad``, made where there is none, and so that autograd can add to it later."""
    if parameter.grad is None:
        with torch.inference_mode(False):
            parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def is_affine(layer: object) -> bool:
    """Gradients are written by hand for this layer: one with a bias, of this very class."""
    return type(layer) is nn.Linear and layer.bias is not None


def is_hidden_stack(layers: object) -> bool:
    """And for these: what `aevb.layers.hidden_stack` makes, affine layers each followed by an activation."""
    modules = list(layers) if type(layers) is nn.Sequential else [None]
    return len(modules) % 2 == 0 and all(map(is_affine, modules[::2])) and all(map(has_fast_activation, modules[1::2]))


class HiddenStack:
    """The layers that `aevb.layers.hidden_stack` makes; none is the identity.

    Args:
        layers: alternately affine and an activation.
        rows: shape of the input but for its last axis.

    Attributes:
        dy: gradient of the last layer's activations, for others to fill in; None where there is no layer.
        dx: gradient of the input; None likewise.
    """

    def __init__(self, layers: nn.Sequential, rows: Sequence[int]) -> None:
        self._affine: list[Affine] = []
        self._activations: list[Activation] = []
        self._inputs: list[Tensor] = []
        self.dy: Tensor | None = None
        modules = list(layers)
        for layer, activation in zip(modules[::2], modules[1::2], strict=True):
            self._affine.append(Affine(layer, rows, dx=self.dy))
            self._activations.append(fast_activation(activation, self._affine[-1].y))
            self.dy = self._affine[-1].dy
        self.dx = self._affine[0].dx if self._affine else None

    def forward(self, x: Tensor) -> Tensor:
        """The last layer's activations; all are kept for the gradients."""
        self._inputs.clear()
        for layer, activation in zip(self._affine, self._activations, strict=True):
            self._inputs.append(x)
            x = activation.forward(layer.forward(x, activation.gain))
        return x

    def backward(self, *, parameters: bool = True, to_input: bool = False, accumulate: bool = False) -> None:
        """Gradients of the parameters and, if asked for, of the input, from dy, which is overwritten.

        Args:
            parameters: compute the parameters' gradients.
            to_input: compute dx.
            accumulate: add the parameters' gradients to what is there.
        """
        for depth in reversed(range(len(self._affine))):
            layer = self._affine[depth]
            self._activations[depth].backward(layer.dy)
            if parameters:
                layer.backward(self._inputs[depth], accumulate)
            if depth or to_input:
                layer.backward_input()
