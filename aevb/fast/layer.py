"""Affine layers and activations with their gradients written by hand, for one run or for a stack of equal runs.

A layer is made for one number of rows and owns the tensors that it fills, so that a step allocates nothing and looks
nothing up. Rows are samples: x has shape (rows, n), or (run, rows, n) where the parameters have a leading axis of runs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


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

    def __init__(self, layer: nn.Module, rows: Sequence[int], factor: float = 1.0, dx: Tensor | None = None) -> None:
        weight, bias = layer.weight, layer.bias
        assert isinstance(bias, Tensor)
        assert weight is None or isinstance(weight, Tensor)
        self._factor, self._factor_tensor = factor, bias.new_tensor(factor)  # torch converts a number at every use
        self._parameters = weight, bias
        stacked = bias.ndim == 2
        self._bias = bias.detach().unsqueeze(-2) if stacked else bias.detach()
        self._product = torch.baddbmm if stacked else torch.addmm
        self.y, self.dy = bias.new_empty(*rows, bias.shape[-1]), bias.new_empty(*rows, bias.shape[-1])
        self._dy_transposed = self.dy.mT
        self._constant = weight is None
        if weight is not None:
            self._weight = weight.detach()
            self._weight_transposed = self._weight.mT
            self.dx = bias.new_empty(*rows, weight.shape[-1]) if dx is None else dx

    def forward(self, x: Tensor) -> Tensor:
        """Compute and return y."""
        if self._constant:
            return self.y.copy_(self._bias)
        if self._factor == 1.0:  # arguments cost time too
            return self._product(self._bias, x, self._weight_transposed, out=self.y)
        return self._product(self._bias, x, self._weight_transposed, alpha=self._factor, out=self.y)

    def backward(self, x: Tensor, accumulate: bool = False) -> None:
        """Gradients of the parameters from dy, added to what is there if `accumulate`."""
        weight, bias = self._parameters
        if weight is not None:
            grad = _gradient(weight)
            if accumulate or self._factor != 1.0:
                kept = 1.0 if accumulate else 0.0
                self._product(grad, self._dy_transposed, x, beta=kept, alpha=self._factor, out=grad)
            else:
                torch.matmul(self._dy_transposed, x, out=grad)
        if accumulate:
            _gradient(bias).add_(self.dy.sum(-2))
        else:
            torch.sum(self.dy, -2, out=_gradient(bias))

    def backward_input(self) -> Tensor:
        """Compute and return dx from dy."""
        torch.matmul(self.dy, self._weight, out=self.dx)
        return self.dx if self._factor == 1.0 else self.dx.mul_(self._factor_tensor)


def _gradient(parameter: Tensor) -> Tensor:
    """The parameter's ``grad``, made where there is none."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


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
        self._tanh = not any(isinstance(layer, nn.Softplus) for layer in layers)
        self.dy: Tensor | None = None
        for layer in layers:
            if isinstance(layer, nn.Linear):
                self._affine.append(Affine(layer, rows, dx=self.dy))
                self.dy = self._affine[-1].dy
        self.dx = self._affine[0].dx if self._affine else None
        self._x = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        """The last layer's activations; all are kept for the gradients."""
        self._x = x
        for layer in self._affine:
            y = layer.forward(x)
            x = y.tanh_() if self._tanh else _softplus(y, out=y)
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
            if self._tanh:
                _tanh_backward(layer.dy, layer.y, grad_input=layer.dy)
            else:
                layer.dy.mul_(torch.neg(layer.y).expm1_().neg_())  # of y = log(1 + eᵃ) it is 1 − e⁻ʸ
            if parameters:
                layer.backward(self._affine[depth - 1].y if depth else self._x, accumulate)
            if depth or to_input:
                layer.backward_input()


_tanh_backward = torch.ops.aten.tanh_backward.grad_input
_softplus = torch.ops.aten.softplus.out
