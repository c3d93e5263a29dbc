"""p(x|z) with gradients written by hand."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from aevb.densities import LOG_2PI
from aevb.fast.layer import Affine, HiddenStack, is_affine, is_hidden_stack
from aevb.fast.log_of_product import LogOfProduct
from aevb.model import BernoulliModel, GaussianModel, GenerativeModel


class FastDecoder(ABC):
    """A model's log p(x|z) and gradients; shares the model's parameters, and leaves gradients in them.

    `forward` comes first, then once each, if wanted, `log_likelihood` and `backward`, in this order.

    Args:
        model: p(z) p(x|z); with a leading axis of runs in its parameters, a stack.
        rows: shape of z but for its last axis.

    Attributes:
        dz: what `backward` leaves of z's gradient, shape (*rows, latent).
    """

    def __init__(self, model: GenerativeModel, rows: Sequence[int]) -> None:
        self._hidden = HiddenStack(model.hidden, rows)
        self._output = Affine(model.output, rows, dx=self._hidden.dy)
        self._h = torch.empty(0)
        self._work = torch.empty_like(self._output.y)
        self.dz = self._output.dx if self._hidden.dx is None else self._hidden.dx

    @abstractmethod
    def forward(self, z: Tensor) -> None:
        """Compute p(x|z) at z, shape (…, rows, latent)."""

    @abstractmethod
    def log_likelihood(self, x: Tensor) -> Tensor:
        """Log p(x|z) of each row, nats, shape (…, rows)."""

    @abstractmethod
    def sample(self, noise: Tensor) -> Tensor:
        """`GenerativeModel.pixels_at` for this noise, in a buffer of its own."""

    @abstractmethod
    def backward(
        self, x: Tensor, *, scale: float = 1.0, parameters: bool = True, to_z: bool = False, accumulate: bool = False
    ) -> None:
        """Gradients of scale · Σ log p(x|z).

        Args:
            x: pixels, shape (…, rows, pixel).
            scale: factor of all gradients.
            parameters: compute the parameters' gradients.
            to_z: compute that of z.
            accumulate: add the parameters' gradients to what is there.
        """


class FastBernoulli(FastDecoder):
    """`BernoulliModel`: log p(x|z) = Σ x·l − log(1 + eˡ) for logits l, whose gradient in l is x − sigmoid(l)."""

    def __init__(self, model: BernoulliModel, rows: Sequence[int]) -> None:
        super().__init__(model, rows)
        self._log_of_product = LogOfProduct(self._work)

    def forward(self, z: Tensor) -> None:
        """The logits at z and their sigmoid."""
        self._h = self._hidden.forward(z)
        self._logits = self._output.forward(self._h)
        self._mean = torch.sigmoid(self._logits, out=self._output.dy)

    def log_likelihood(self, x: Tensor) -> Tensor:
        """Uses log(1 + eˡ) = max(l, 0) − log max(s, 1 − s), s = sigmoid(l): exact where log(1 − s) is not."""
        if self._work.is_cuda:  # where a launch costs more than its logarithms
            return self._in_few_launches(x)
        total = torch.mul(x, self._logits, out=self._work).sum(-1)
        torch.maximum(self._mean, torch.sub(_ONE, self._mean, out=self._work), out=self._work)
        return total.add_(self._log_of_product()).sub_(self._logits.relu_().sum(-1))

    def _in_few_launches(self, x: Tensor) -> Tensor:
        """The same: −Σ (log(1 + eˡ) − x·l)."""
        softplus = torch.ops.aten.softplus.out(self._logits, out=self._work)
        return torch.addcmul(softplus, x, self._logits, value=-1, out=self._work).sum(-1).neg_()

    def sample(self, noise: Tensor) -> Tensor:
        """1 where uniform noise is below the mean: ⌈mean − noise⌉, faster than a comparison that is to give numbers."""
        return torch.sub(self._mean, noise, out=self._work).ceil_()

    def backward(self, x: Tensor, *, scale: float = 1.0, to_z: bool = False, **how: Any) -> None:
        """See `FastDecoder.backward`."""
        d_logits = torch.sub(x, self._mean, out=self._mean)
        if scale != 1.0:
            d_logits.mul_(scale)
        if how.get("parameters", True):
            self._output.backward(self._h, how.get("accumulate", False))
        self._output.backward_input()
        self._hidden.backward(to_input=to_z, **how)


class FastGaussian(FastDecoder):
    """`GaussianModel`: log p(x|z) = −½ Σ (r² e^−v + v + log 2π), r = x − μ, v = log σ².

    Its gradients are r e^−v in μ and ½ (r² e^−v − 1) in v.
    """

    def __init__(self, model: GaussianModel, rows: Sequence[int]) -> None:
        super().__init__(model, rows)
        self._log_var_head = Affine(model.log_var, rows, model.log_var_factor)
        self._log_var_input = model.log_var_input
        self._squash = model.squash_mean
        self._mean, self._log_var = self._output.y, self._log_var_head.y
        self._weighted, self._squares = self._output.dy, self._work
        self._minus_half = self._mean.new_full((), -0.5)

    def forward(self, z: Tensor) -> None:
        """Mean and log σ² at z."""
        self._h = self._hidden.forward(z)
        self._output.forward(self._h)
        if self._squash:
            self._mean.sigmoid_()
        self._weighed = False
        self._source = self._h if self._log_var_input == "hidden" else z
        self._log_var_head.forward(self._source)

    def log_likelihood(self, x: Tensor) -> Tensor:
        """See `FastDecoder.log_likelihood`."""
        self._weigh(x)
        total = self._squares.sum(-1).add_(self._log_var.sum(-1))
        return total.add_(LOG_2PI * x.shape[-1]).mul_(-0.5)

    def sample(self, noise: Tensor) -> Tensor:
        """μ + σ·ε."""
        std = torch.mul(self._log_var, 0.5 * LOG2_E, out=self._work).exp2_()
        return std.mul_(noise).add_(self._mean)

    def backward(self, x: Tensor, *, scale: float = 1.0, to_z: bool = False, **how: Any) -> None:
        """See `FastDecoder.backward`."""
        self._weigh(x)
        d_mean = self._weighted
        torch.add(self._minus_half, self._squares, alpha=0.5, out=self._log_var_head.dy)
        if scale != 1.0:
            d_mean.mul_(scale)
            self._log_var_head.dy.mul_(scale)
        if self._squash:
            torch.ops.aten.sigmoid_backward.grad_input(d_mean, self._mean, grad_input=d_mean)
        if how.get("parameters", True):
            self._output.backward(self._h, how.get("accumulate", False))
            self._log_var_head.backward(self._source, how.get("accumulate", False))
        dh = self._output.backward_input()
        if self._log_var_input == "hidden":
            dh.add_(self._log_var_head.backward_input())
        self._hidden.backward(to_input=to_z, **how)
        if to_z and self._log_var_input == "latent":
            self.dz.add_(self._log_var_head.backward_input())

    def _weigh(self, x: Tensor) -> None:
        """R e^−v, where the gradient of the mean will be, and r² e^−v; once after `forward`."""
        if self._weighed:
            return
        self._weighed = True
        # Powers of 2 are the faster ones: those of e torch leaves to a library of Intel's.
        torch.mul(self._log_var, -LOG2_E, out=self._weighted).exp2_()
        residual = torch.sub(x, self._mean, out=self._log_var_head.dy)
        torch.mul(self._weighted.mul_(residual), residual, out=self._squares)


LOG2_E = 1 / math.log(2)
_ONE = torch.tensor(1.0)  # faster than a Python number, which is converted at each use

_TWINS: dict[type[GenerativeModel], Callable[[Any, Sequence[int]], FastDecoder]] = {
    BernoulliModel: FastBernoulli,
    GaussianModel: FastGaussian,
}


def has_fast_decoder(model: GenerativeModel) -> bool:
    """Gradients are written by hand for this very class with the layers that it makes.

    A subclass, or another layer in the place of one, may compute something else.
    """
    if type(model) not in _TWINS or not is_hidden_stack(model.hidden) or not is_affine(model.output):
        return False
    return not isinstance(model, GaussianModel) or is_affine(model.log_var)


def fast_decoder(model: GenerativeModel, rows: Sequence[int]) -> FastDecoder:
    """The hand-written twin of a model, for z of shape (*rows, latent).

    Raises:
        TypeError: there is none.
    """
    if not has_fast_decoder(model):
        known = ", ".join(kind.__name__ for kind in _TWINS)
        raise TypeError(
            f"gradients are written by hand for {known} with their own layers, got {type(model).__name__}: "
            "use autograd's"
        )
    return _TWINS[type(model)](model, rows)


def repeat_rows(x: Tensor, n_samples: int) -> Tensor:
    """X, shape (…, batch, pixel), once for each of L samples: (…, L·batch, pixel)."""
    return x if n_samples == 1 else x.repeat(*[1] * (x.ndim - 2), n_samples, 1)


def sample_mean(values: Tensor, n_samples: int) -> Tensor:
    """Mean over the samples of shape (…, L·batch): (…, batch)."""
    return values if n_samples == 1 else values.unflatten(-1, (n_samples, -1)).mean(-2)


def sample_sum(values: Tensor) -> Tensor:
    """Sum over the samples of shape (…, L, batch, latent)."""
    return values.squeeze(-3) if values.shape[-3] == 1 else values.sum(-3)
