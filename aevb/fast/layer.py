"""Affine and tanh layers with their gradients written by hand, for one run or for a stack of equal runs.

Rows are samples: x has shape (rows, n), or (run, rows, n) where the parameters have a leading axis of runs.
"""

import torch
from torch import Tensor, nn


class Buffers:
    """Tensors that are used again at every step: one for each name and shape."""

    def __init__(self, like: Tensor) -> None:
        self._like = like
        self._tensors: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def __call__(self, name: str, *shape: int) -> Tensor:
        """The tensor of this name and shape; what it holds is left from its last use."""
        key = (name, shape)
        if key not in self._tensors:
            self._tensors[key] = self._like.new_empty(shape)
        return self._tensors[key]


class Affine:
    """y = factor · x Wᵀ + b; gradients are left in the parameters' ``grad``.

    Args:
        layer: weight of shape (out, in) or (run, out, in), or None where y is b alone; bias of shape (out,) or
            (run, out).
        factor: multiplies x.
    """

    def __init__(self, layer: nn.Module, factor: float = 1.0) -> None:
        weight, bias = layer.weight, layer.bias
        assert isinstance(bias, Tensor)
        assert weight is None or isinstance(weight, Tensor)
        self._factor = factor
        self._buffers = Buffers(bias)
        self._parameters = weight, bias
        self._bias = bias.detach()
        self._n_out, self._stacked = bias.shape[-1], bias.ndim == 2
        if self._stacked:
            self._bias = self._bias.unsqueeze(-2)
        self._product = torch.baddbmm if self._stacked else torch.addmm
        if weight is not None:
            self._weight, self._n_in = weight.detach(), weight.shape[-1]
            self._transposed = self._weight.mT
        self._constant = weight is None

    def forward(self, x: Tensor) -> Tensor:
        """y, of shape (…, rows, out), in a buffer of its own."""
        y = self._buffers("y", *x.shape[:-1], self._n_out)
        if self._constant:
            return y.copy_(self._bias)
        return self._product(self._bias, x, self._transposed, alpha=self._factor, out=y)

    def backward(self, x: Tensor, dy: Tensor, accumulate: bool = False) -> None:
        """Gradients of the parameters from that of y, added to what is there if `accumulate`."""
        weight, bias = self._parameters
        if weight is not None:
            grad, kept = _gradient(weight), 1.0 if accumulate else 0.0
            self._product(grad, dy.mT, x, beta=kept, alpha=self._factor, out=grad)
        if accumulate:
            _gradient(bias).add_(dy.sum(-2))
        else:
            torch.sum(dy, -2, out=_gradient(bias))

    def backward_input(self, dy: Tensor) -> Tensor:
        """Gradient of x, in a buffer of its own."""
        dx = self._buffers("dx", *dy.shape[:-1], self._n_in)
        torch.matmul(dy, self._weight, out=dx)
        return dx if self._factor == 1.0 else dx.mul_(self._factor)


def _gradient(parameter: Tensor) -> Tensor:
    """The parameter's ``grad``, made where there is none."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


class TanhStack:
    """The tanh layers that `aevb.layers.tanh_stack` makes; none is the identity."""

    def __init__(self, layers: nn.Sequential) -> None:
        self.affine = [Affine(layer) for layer in layers if isinstance(layer, nn.Linear)]
        self._inputs: list[Tensor] = []
        self._output = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        """The last layer's activations; all are kept for the gradients."""
        self._inputs = []
        for layer in self.affine:
            self._inputs.append(x)
            x = layer.forward(x).tanh_()
        self._output = x
        return x

    def backward(
        self, dh: Tensor, *, parameters: bool = True, to_input: bool = False, accumulate: bool = False
    ) -> Tensor:
        """Gradients of the parameters and, if asked for, of the input, from that of the activations (overwritten).

        Args:
            dh: gradient of the last layer's activations; returned where there is no layer.
            parameters: compute the parameters' gradients.
            to_input: compute and return the input's.
            accumulate: add the parameters' gradients to what is there.
        """
        h = self._output
        for depth in reversed(range(len(self.affine))):
            layer, x = self.affine[depth], self._inputs[depth]
            torch.ops.aten.tanh_backward.grad_input(dh, h, grad_input=dh)
            if parameters:
                layer.backward(x, dh, accumulate)
            if depth > 0 or to_input:
                dh = layer.backward_input(dh)
            h = x
        return dh
