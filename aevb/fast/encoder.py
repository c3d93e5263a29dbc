"""q(z|x) = N(μ(x), σ²(x) I) with gradients written by hand."""

from collections.abc import Sequence

import torch
from torch import Tensor

from aevb.encoder import GaussianEncoder
from aevb.fast.layer import Affine, HiddenStack


class FastEncoder:
    """A `GaussianEncoder`'s moments and gradients; shares the encoder's parameters, and leaves gradients in them.

    Args:
        encoder: q(z|x); with a leading axis of runs in its parameters, a stack.
        noise: shape of ε, (…, L, batch, latent); the datapoints have shape (…, batch, pixel).

    Attributes:
        mean: μ of the last batch, shape (…, batch, latent).
        log_var: log σ².
        std: σ.
        d_mean: gradient of μ, for others to fill in.
        d_log_var: gradient of log σ², likewise.
    """

    def __init__(self, encoder: GaussianEncoder, noise: Sequence[int]) -> None:
        *runs, _, n_rows, n_latent = noise
        rows = (*runs, n_rows)
        self._hidden = HiddenStack(encoder.hidden, rows)
        self._mean = Affine(encoder.mean, rows, dx=self._hidden.dy)
        self._log_var = Affine(encoder.log_var, rows, encoder.log_var_factor)
        self._h = torch.empty(0)
        self.mean, self.d_mean = self._mean.y, self._mean.dy
        self.log_var, self.d_log_var = self._log_var.y, self._log_var.dy
        self.std, self._work = torch.empty_like(self.mean), torch.empty_like(self.mean)
        self._z = self.mean.new_empty(*noise)
        self._z_rows = self._z.flatten(-3, -2)
        self._moments = self.mean.unsqueeze(-3), self.std.unsqueeze(-3)
        self._minus_half_n = self.mean.new_tensor(-0.5 * n_latent)
        self._half = self.mean.new_tensor(0.5)

    def forward(self, x: Tensor) -> None:
        """The moments at x, shape (…, batch, pixel)."""
        self._h = self._hidden.forward(x)
        self._mean.forward(self._h)
        self._log_var.forward(self._h)
        torch.mul(self.log_var, self._half, out=self.std).exp_()

    def at(self, eps: Tensor) -> Tensor:
        """μ + σ·ε, shape (…, L·batch, latent)."""
        torch.addcmul(*self._moments, eps, out=self._z)
        return self._z_rows

    def kl_to_standard_normal(self) -> Tensor:
        """KL(q ‖ N(0, I)) = −½ Σ (1 + log σ² − μ² − σ²) of each datapoint, nats."""
        terms = torch.addcmul(self.log_var, self.mean, self.mean, value=-1, out=self._work)
        return torch.add(self._minus_half_n, terms.addcmul_(self.std, self.std, value=-1).sum(-1), alpha=-0.5)

    def log_density_gradient(self, z: Tensor) -> None:
        """Gradients of log q(z|x) in μ, (z − μ)/σ², and in log σ², ½ ((z − μ)²/σ² − 1)."""
        standardized = torch.sub(z, self.mean, out=self.d_mean).div_(self.std)
        torch.mul(standardized, standardized, out=self.d_log_var).sub_(1).mul_(self._half)
        standardized.div_(self.std)

    def backward(self) -> None:
        """The parameters' gradients from those of μ and log σ²."""
        self._mean.backward(self._h)
        self._log_var.backward(self._h)
        if self._hidden.dy is not None:
            self._mean.backward_input().add_(self._log_var.backward_input())
            self._hidden.backward()
