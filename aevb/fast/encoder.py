"""q(z|x) = N(μ(x), σ²(x) I) with gradients written by hand."""

import torch
from torch import Tensor

from aevb.encoder import GaussianEncoder
from aevb.fast.layer import Affine, Buffers, TanhStack


class FastEncoder:
    """A `GaussianEncoder`'s moments and gradients; shares the encoder's parameters, and leaves gradients in them.

    Attributes:
        mean: μ of the last batch, shape (…, batch, latent).
        log_var: log σ².
        std: σ.
    """

    def __init__(self, encoder: GaussianEncoder) -> None:
        self._hidden = TanhStack(encoder.hidden)
        self._mean = Affine(encoder.mean)
        self._log_var = Affine(encoder.log_var, encoder.log_var_factor)
        self._buffers = Buffers(encoder.mean.bias)
        self._h = self.mean = self.log_var = self.std = torch.empty(0)

    def forward(self, x: Tensor) -> None:
        """The moments at x, shape (…, batch, pixel)."""
        self._h = self._hidden.forward(x)
        self.mean = self._mean.forward(self._h)
        self.log_var = self._log_var.forward(self._h)
        self.std = self._buffers("std", *self.mean.shape)
        torch.mul(self.log_var, 0.5, out=self.std).exp_()

    def at(self, eps: Tensor) -> Tensor:
        """μ + σ·ε, in a buffer of its own, for ε of shape (…, L, batch, latent)."""
        mean, std = self.mean.unsqueeze(-3), self.std.unsqueeze(-3)
        return torch.addcmul(mean, std, eps, out=self._buffers("z", *eps.shape))

    def kl_to_standard_normal(self) -> Tensor:
        """KL(q ‖ N(0, I)) of each datapoint, nats."""
        terms = self._buffers("kl", *self.mean.shape)
        torch.addcmul(self.log_var, self.mean, self.mean, value=-1, out=terms)
        return terms.addcmul_(self.std, self.std, value=-1).sum(-1).add_(self.mean.shape[-1]).mul_(-0.5)

    def log_density_gradient(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of log q(z|x) in μ, (z − μ)/σ², and in log σ², ½ ((z − μ)²/σ² − 1)."""
        d_mean = torch.sub(z, self.mean).div_(self.std)  # the standardized z, for the moment
        d_log_var = d_mean.square().sub_(1).mul_(0.5)
        return d_mean.div_(self.std), d_log_var

    def backward(self, d_mean: Tensor, d_log_var: Tensor) -> None:
        """The parameters' gradients from those of μ and log σ²."""
        self._mean.backward(self._h, d_mean)
        self._log_var.backward(self._h, d_log_var)
        dh = self._mean.backward_input(d_mean).add_(self._log_var.backward_input(d_log_var))
        self._hidden.backward(dh)
