"""A model of which log p(x, z) is known, and nothing else: enough to estimate log p(x)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from aevb import checks
from aevb.densities import standard_normal_log_density
from aevb.errors import ArgumentError, UserError, one_line
from aevb.model import GenerativeModel

LogJoint = Callable[[Tensor, Tensor], Tensor]
"""Log p(x, z) in nats: x of shape (batch, pixel) and z of shape (*draws, batch, latent) to (*draws, batch)."""

ROWS = "decode rows of z, out = decode(z.flatten(0, -2)).view(*z.shape[:-1], -1), and take x.expand_as(out)"
"""How a decoder that takes a batch alone, as one of convolutions does, is called with leading axes."""


class Joint(GenerativeModel):
    """p(x, z) as a function. Its prior may be any; N(0, I) is where chains and annealing start.

    What stands for log p(x|z) is log p(x, z) − log N(z; 0, I), so that the two add up to log p(x, z). x comes as rows,
    (batch, n_pixels), and z with draws before, (*draws, batch, n_latent). A decoder that takes a batch alone is called
    as ``out = decode(z.flatten(0, -2)).view(*z.shape[:-1], n_pixels)``, and x broadcast as ``x.expand_as(out)``.

    Args:
        log_joint: log p(x, z); differentiable in z.
        n_latent: size of z.
        n_pixels: size of x.

    Note:
        Of a function without parameters nothing tells its type: x may be of any floating type, and z is of x's.

    Attributes:
        source: the function; where it is a module, or a module's method, its parameters are the model's.

    Raises:
        ArgumentError: it is no function, or a size is not positive.
    """

    def __init__(self, log_joint: LogJoint, n_latent: int, n_pixels: int) -> None:
        nn.Module.__init__(self)
        if not callable(log_joint):
            raise ArgumentError(f"`log_joint` must be a function, got {checks.shown(log_joint)}: give log p(x, z)")
        checks.whole(1, n_latent=n_latent, n_pixels=n_pixels)
        self.n_latent, self.n_pixels = n_latent, n_pixels
        self.source = log_joint
        owner = getattr(log_joint, "__self__", None)
        self.owner = owner if isinstance(owner, nn.Module) else None

    def log_joint(
        self, x: Float[Tensor, "*#batch pixel"], z: Float[Tensor, "*batch latent"]
    ) -> Float[Tensor, "*batch"]:
        """Log p(x, z) in nats; NaN where z is not finite.

        Raises:
            ArgumentError: x or z is of another size, or the function does not give one number for each z, or fails
                where z has leading axes.
        """
        for name, value, size in (("x", x, self.n_pixels), ("z", z, self.n_latent)):
            checks.last_axis(name, value, size, value)  # of any type
        lost = ~z.isfinite().all(-1)  # where a chain has left the world; a stranger's function may refuse such z
        try:
            value = self.source(x, z.masked_fill(lost[..., None], 0))
        except (RuntimeError, ValueError, IndexError) as error:
            if z.ndim < 3 or isinstance(error, (UserError, torch.OutOfMemoryError)):
                raise
            raise ArgumentError(
                "`log_joint` must take x (batch, pixel) and z (*draws, batch, latent); for x "
                f"{tuple(x.shape)} and z {tuple(z.shape)} it raised {type(error).__name__}: {one_line(error)}: {ROWS}"
            ) from error
        if not isinstance(value, Tensor) or value.shape != z.shape[:-1]:
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ArgumentError(
                f"`log_joint` must give shape {tuple(z.shape[:-1])} for x {tuple(x.shape)} and z {tuple(z.shape)}, got "
                f"{got}: sum over the last axis, and let x broadcast against leading axes of z"
            )
        return value.masked_fill(lost, torch.nan)

    def log_likelihood(
        self, x: Float[Tensor, "*#batch pixel"], z: Float[Tensor, "*batch latent"]
    ) -> Float[Tensor, "*batch"]:
        """Log p(x, z) − log N(z; 0, I) in nats."""
        return self.log_joint(x, z) - standard_normal_log_density(z)

    def pixel_mean(self, z: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch pixel"]:
        """Not known."""
        raise self._unknown()

    def pixel_noise(self, rows: int, generator: torch.Generator) -> Float[Tensor, "rows pixel"]:
        """Not known."""
        raise self._unknown()

    def pixels_at(
        self, z: Float[Tensor, "*batch latent"], noise: Float[Tensor, "*#batch pixel"]
    ) -> Float[Tensor, "*batch pixel"]:
        """Not known."""
        raise self._unknown()

    def _unknown(self) -> ArgumentError:
        return ArgumentError("a model must have p(x|z) to draw pixels, got log p(x, z) alone: make a GenerativeModel")
