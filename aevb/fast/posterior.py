"""Log p(z) p(x|z)^β and its gradient in z, written by hand: what Hamiltonian Monte Carlo asks for at every step."""

from collections.abc import Iterator
from functools import cache, partial

import torch
from jaxtyping import Float
from torch import Tensor

from aevb import hmc
from aevb.densities import standard_normal_log_density
from aevb.fast.decoder import fast_decoder, has_fast_decoder
from aevb.model import GenerativeModel

ROWS = 128  # datapoints at a time on a CPU: their pixels and the decoder's weights then stay in a core's own cache


def in_parts(rows: Tensor) -> tuple[Tensor, ...]:
    """Rows of datapoints, `ROWS` at a time; on a GPU, which has more to do at once than that, all of them."""
    return rows.split(ROWS) if rows.is_cpu else (rows,)


class Posterior(hmc.Target):
    """Log p(z) + β·log p(x|z) in nats, the posterior's density up to a constant at β = 1.

    Args:
        model: p(z) p(x|z), a `BernoulliModel` or `GaussianModel`; its parameters and their gradients are not touched.
        x: datapoints; z is of shape (*chains, batch, latent), a chain for each of them in every leading position.
        beta: inverse temperature of the likelihood.
    """

    def __init__(self, model: GenerativeModel, x: Float[Tensor, "batch pixel"], beta: float = 1.0) -> None:
        self._decoder = cache(lambda n_rows: fast_decoder(model, (n_rows,)))
        self._x = x
        self._beta = beta

    @torch.no_grad()
    def __call__(self, z: Float[Tensor, "*chains latent"]) -> Float[Tensor, "*chains"]:
        """The log-density."""
        value = z.new_empty(z.shape[:-1])
        for rows, part, out in self._parts(z, value):
            decoder = self._decoder(len(part))
            decoder.forward(part)
            out.copy_(decoder.log_likelihood(rows))
        return value.mul_(self._beta).add_(standard_normal_log_density(z))

    @torch.no_grad()
    def gradient(self, z: Float[Tensor, "*chains latent"]) -> Float[Tensor, "*chains latent"]:
        """The gradient alone, at half the cost of `evaluate`."""
        gradient = z.new_empty(z.shape)
        for rows, part, out in self._parts(z, gradient):
            decoder = self._decoder(len(part))
            decoder.forward(part)
            decoder.backward(rows, scale=self._beta, parameters=False, to_z=True)
            out.copy_(decoder.dz)
        return gradient.sub_(z)

    @torch.no_grad()
    def evaluate(self, z: Float[Tensor, "*chains latent"]) -> hmc.State:
        """Log-density and gradient."""
        value, gradient = z.new_empty(z.shape[:-1]), z.new_empty(z.shape)
        for (rows, part, out), (_, _, d) in zip(self._parts(z, value), self._parts(z, gradient), strict=True):
            decoder = self._decoder(len(part))
            decoder.forward(part)
            out.copy_(decoder.log_likelihood(rows))
            decoder.backward(rows, scale=self._beta, parameters=False, to_z=True)
            d.copy_(decoder.dz)
        value.mul_(self._beta).add_(standard_normal_log_density(z))
        return hmc.State(z, value, gradient.sub_(z))

    def _parts(self, z: Tensor, out: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Rows of x, of z and of the result, in every leading position of z."""
        trailing = out.shape[z.ndim - 1 :]
        chains = zip(z.reshape(-1, *z.shape[-2:]), out.view(-1, z.shape[-2], *trailing), strict=True)
        for each, result in chains:
            yield from zip(in_parts(self._x), in_parts(each), in_parts(result), strict=True)


def posterior(model: GenerativeModel, x: Float[Tensor, "batch pixel"], beta: float = 1.0) -> hmc.LogDensity:
    """Log p(z) + β·log p(x|z) for HMC: by hand where the model is one of the project's, else by autograd."""
    return Posterior(model, x, beta) if has_fast_decoder(model) else partial(_log_density, model, x, beta)


def _log_density(model: GenerativeModel, x: Tensor, beta: float, z: Tensor) -> Tensor:
    return standard_normal_log_density(z) + beta * model.log_likelihood(x, z)
