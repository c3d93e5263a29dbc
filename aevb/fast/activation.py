"""Activations of hidden layers with their gradients written by hand."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Activation(ABC):
    """Of one layer, for one number of rows; `forward` comes first, then `backward` at most once.

    Attributes:
        gain: what `forward` wants its input multiplied by; a matrix product does it for nothing.
    """

    gain = 1.0

    @abstractmethod
    def forward(self, a: Tensor) -> Tensor:
        """The activations at a / gain; the tensor is taken over."""

    @abstractmethod
    def backward(self, dy: Tensor) -> None:
        """Turn the gradient of the activations into that of what they are computed from, in place."""


class Tanh(Activation):
    """tanh(a), whose derivative is 1 − tanh²(a)."""

    def forward(self, a: Tensor) -> Tensor:
        """In place."""
        self._y = a.tanh_()
        return self._y

    def backward(self, dy: Tensor) -> None:
        """See `Activation.backward`."""
        _tanh_backward(dy, self._y, grad_input=dy)


class TanhBySigmoid(Tanh):
    """tanh(a) = 2 sigmoid(2a) − 1, off by less than 2e-7: float32's rounding of numbers near 1.

    Torch leaves tanh on a CPU to a library of Intel's, which takes five times as long as torch's own sigmoid on AMD's
    processors and no less on Intel's.
    """

    gain = 2.0

    def forward(self, a: Tensor) -> Tensor:
        """In place."""
        self._y = torch.add(_MINUS_ONE, a.sigmoid_(), alpha=2, out=a)
        return self._y


class Softplus(Activation):
    """log(1 + eᵃ), whose derivative is sigmoid(a)."""

    def forward(self, a: Tensor) -> Tensor:
        """In a tensor of its own: the gradient needs a."""
        self._a = a
        if not hasattr(self, "_y"):
            self._y = torch.empty_like(a)
        return _softplus(a, out=self._y)

    def backward(self, dy: Tensor) -> None:
        """See `Activation.backward`."""
        dy.mul_(self._a.sigmoid_())


def has_fast_activation(layer: object) -> bool:
    """There is a hand-written twin of it, as `aevb.layers` makes it."""
    plain = type(layer) is nn.Softplus and (layer.beta, layer.threshold) == (1.0, 20.0)
    return type(layer) is nn.Tanh or plain


def fast_activation(layer: nn.Module, like: Tensor) -> Activation:
    """The hand-written twin of an activation, for tensors of the type and on the device of `like`.

    Raises:
        TypeError: there is none.
    """
    if not has_fast_activation(layer):
        raise TypeError(f"gradients are written by hand for plain Tanh and Softplus, got {layer}: use autograd's")
    if isinstance(layer, nn.Softplus):
        return Softplus()
    return TanhBySigmoid() if like.is_cpu and like.dtype == torch.float32 else Tanh()


_MINUS_ONE = torch.tensor(-1.0)  # faster than a Python number, which is converted at each use
_tanh_backward = torch.ops.aten.tanh_backward.grad_input
_softplus = torch.ops.aten.softplus.out
