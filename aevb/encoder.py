"""The recognition model q(z|x): a diagonal Gaussian whose moments come from a neural network."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from aevb import checks, construction
from aevb.densities import DiagonalGaussian
from aevb.layers import Activation, hidden_stack, linear


class GaussianEncoder(nn.Module):
    """q(z|x) = N(z; μ(x), σ²(x) I) from hidden layers, tanh in the paper (Kingma & Welling 2013, appendix C.2).

    μ = W₁h + b₁ and log σ² = `log_var_factor`·W₂h + b₂.

    Note:
        The factor 0.1 and the zero start of W₂ and b₂ are not in the paper. Its first author's library has the start,
        and of wake-sleep's encoder the factor too; the paper's curves decide neither.
        `log_var_factor=1, zero_log_var=False` is the text taken literally.

    Args:
        n_pixels: size of a datapoint.
        n_latent: size of z.
        hidden: widths of the hidden layers, none to any number.
        activation: of the hidden layers.
        log_var_factor: multiplies W₂h before b₂ is added.
        zero_log_var: start W₂ and b₂ at zero, so that q(z|x) starts with unit variance.
        init_std: standard deviation of all other initial weights and biases.
        generator: source of the initial values.

    Raises:
        ArgumentError: a size is not positive, a factor is negative or no number, or an argument is of another type; x
            is of another size, type or device.
    """

    def __init__(
        self,
        n_pixels: int,
        n_latent: int,
        hidden: Sequence[int] = (500,),
        *,
        activation: Activation = "tanh",
        log_var_factor: float = 0.1,
        zero_log_var: bool = True,
        init_std: float = 0.01,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        construction.network(n_latent, n_pixels, hidden, init_std, activation, generator)
        checks.number(0, log_var_factor=log_var_factor)
        checks.flag(zero_log_var=zero_log_var)
        self.n_pixels = n_pixels
        self.n_latent = n_latent
        self.activation = activation
        self.log_var_factor = log_var_factor
        width = hidden[-1] if hidden else n_pixels
        self.hidden = hidden_stack(n_pixels, hidden, activation, init_std, generator)
        self.mean = linear(width, n_latent, init_std, generator)
        self.log_var = linear(width, n_latent, 0.0 if zero_log_var else init_std, generator)

    def forward(self, x: Float[Tensor, "*batch pixel"]) -> DiagonalGaussian:
        """q(z|x) for each datapoint: mean and log_var of shape ``(*batch, n_latent)``."""
        checks.last_axis("x", x, self.n_pixels, self.mean.weight)
        h = self.hidden(x)
        log_var = nn.functional.linear(h * self.log_var_factor, self.log_var.weight, self.log_var.bias)
        return DiagonalGaussian(self.mean(h), log_var)
