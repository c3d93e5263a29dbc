"""q(z|x) = N(μ(x), σ²(x) I) with gradients written by hand."""

from collections.abc import Sequence
from types import SimpleNamespace

import torch
from torch import Tensor

from aevb.encoder import GaussianEncoder
from aevb.fast.layer import Affine, HiddenStack, gradient


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
        half: ½ on the device, which takes no number of the host's for some operations.
    """

    def __init__(self, encoder: GaussianEncoder, noise: Sequence[int]) -> None:
        *runs, _, n_rows, n_latent = noise
        rows = (*runs, n_rows)
        self._hidden = HiddenStack(encoder.hidden, rows)
        self._heads = Heads(encoder, rows, self._hidden.dy)
        self._h = torch.empty(0)
        self.mean, self.log_var = self._heads.y.chunk(2, -1)
        self.d_mean, self.d_log_var = self._heads.dy.chunk(2, -1)
        self.std, self._work = torch.empty_like(self.mean), torch.empty_like(self.mean)
        self._z = self.mean.new_empty(*noise)
        self._z_rows = self._z.flatten(-3, -2)
        self._terms = torch.empty_like(self._z)
        self._moments = self.mean.unsqueeze(-3), self.std.unsqueeze(-3)
        self._log_vars = self.log_var.unsqueeze(-3)
        self._minus_half_n = self.mean.new_full((), -0.5 * n_latent)
        self.half, self._half_mean = self.mean.new_full((), 0.5), self.mean.new_full((), 0.5 / noise[-3])

    def forward(self, x: Tensor) -> None:
        """The moments at x, shape (…, batch, pixel)."""
        self._h = self._hidden.forward(x)
        self._heads.forward(self._h)
        torch.mul(self.log_var, self.half, out=self.std).exp_()

    def at(self, eps: Tensor) -> Tensor:
        """z = μ + σ·ε, shape (…, L·batch, latent)."""
        torch.addcmul(*self._moments, eps, out=self._z)
        return self._z_rows

    def log_ratio(self, eps: Tensor) -> Tensor:
        """Log p(z) − log q(z|x) = ½ Σ (ε² + log σ² − z²) at the last z, the mean over its L samples, nats."""
        terms = torch.addcmul(self._log_vars, eps, eps, out=self._terms).addcmul_(self._z, self._z, value=-1)
        return terms.sum((-3, -1)).mul_(self._half_mean)

    def kl_to_standard_normal(self) -> Tensor:
        """KL(q ‖ N(0, I)) = −½ Σ (1 + log σ² − μ² − σ²) of each datapoint, nats."""
        terms = torch.addcmul(self.log_var, self.mean, self.mean, value=-1, out=self._work)
        return torch.add(self._minus_half_n, terms.addcmul_(self.std, self.std, value=-1).sum(-1), alpha=-0.5)

    def log_density_gradient(self, z: Tensor) -> None:
        """Gradients of log q(z|x) in μ, (z − μ)/σ², and in log σ², ½ ((z − μ)²/σ² − 1)."""
        standardized = torch.sub(z, self.mean, out=self.d_mean).div_(self.std)
        torch.mul(standardized, standardized, out=self.d_log_var).sub_(1).mul_(self.half)
        standardized.div_(self.std)

    def backward(self) -> None:
        """The parameters' gradients from those of μ and log σ²."""
        self._heads.backward(self._h)
        if self._hidden.dy is not None:
            self._heads.backward_input()
            self._hidden.backward()


class Heads:
    """μ and log σ² side by side from one product, whose weight is a copy of theirs with the factor of log σ² in it.

    Copying the few rows costs less than another product of so few columns, forward and twice backward.
    """

    def __init__(self, encoder: GaussianEncoder, rows: Sequence[int], dx: Tensor | None) -> None:
        mean, log_var = encoder.mean, encoder.log_var
        weight = torch.cat([mean.weight.detach(), log_var.weight.detach()], -2)
        bias = torch.cat([mean.bias.detach(), log_var.bias.detach()], -1)
        self._affine = Affine(SimpleNamespace(weight=weight, bias=bias), rows, dx=dx)
        self.y, self.dy, self.backward_input = self._affine.y, self._affine.dy, self._affine.backward_input
        self._factor = None if encoder.log_var_factor == 1.0 else self.y.new_full((), encoder.log_var_factor)
        self._own = [mean.weight, log_var.weight, mean.bias, log_var.bias]
        self._copies = [*weight.chunk(2, -2), *bias.chunk(2, -1)]
        self._gradients = [*gradient(weight).chunk(2, -2), *gradient(bias).chunk(2, -1)]

    def forward(self, x: Tensor) -> None:
        """Both, from the parameters as they are now."""
        torch._foreach_copy_(self._copies, self._own)
        if self._factor is not None:
            self._copies[1].mul_(self._factor)
        self._affine.forward(x)

    def backward(self, x: Tensor) -> None:
        """Gradients of both heads' parameters."""
        self._affine.backward(x)
        if self._factor is not None:
            self._gradients[1].mul_(self._factor)
        torch._foreach_copy_([gradient(own) for own in self._own], self._gradients)
