"""The generative model p(z) p(x|z): a standard normal prior and a neural decoder."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from aevb import checks, construction
from aevb.densities import DiagonalGaussian, bernoulli_log_density, standard_normal_log_density
from aevb.errors import ArgumentError
from aevb.layers import Activation, hidden_stack, linear

DecoderLogVar = Literal["hidden", "latent", "constant"]


class GenerativeModel(nn.Module, ABC):
    """p(z) p(x|z) with p(z) = N(0, I); the decoder p(x|z) is the subclass.

    Args:
        n_latent: size of z.
        n_pixels: size of x.
        hidden: widths of the hidden layers, none to any number.
        activation: of the hidden layers; the paper's is tanh.
        zero_output_bias: the output's biases start at zero.
        init_std: standard deviation of the initial weights and biases.
        generator: source of the initial values.

    Attributes:
        unit_interval: pixels lie in [0, 1].

    Raises:
        ArgumentError: a size is not positive, `init_std` is negative, or an argument is of another type; in all
            methods, x, z or noise is of another size, type or device than the model, or their batches do not fit.
    """

    unit_interval = False

    def __init__(
        self,
        n_latent: int,
        n_pixels: int,
        hidden: Sequence[int] = (500,),
        *,
        activation: Activation = "tanh",
        zero_output_bias: bool = False,
        init_std: float = 0.01,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        construction.network(n_latent, n_pixels, hidden, init_std, activation, generator)
        checks.flag(zero_output_bias=zero_output_bias)
        self.n_latent = n_latent
        self.n_pixels = n_pixels
        self.activation = activation
        self.hidden = hidden_stack(n_latent, hidden, activation, init_std, generator)
        self.output = linear(hidden[-1] if hidden else n_latent, n_pixels, init_std, generator)
        if zero_output_bias:
            nn.init.zeros_(self.output.bias)

    @abstractmethod
    def log_likelihood(
        self, x: Float[Tensor, "*#batch pixel"], z: Float[Tensor, "*batch latent"]
    ) -> Float[Tensor, "*batch"]:
        """Log p(x|z) in nats; x broadcasts against the leading axes of z."""

    @abstractmethod
    def pixel_mean(self, z: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch pixel"]:
        """E[x|z]: what the paper's figures show as an image."""

    @abstractmethod
    def pixel_noise(self, rows: int, generator: torch.Generator) -> Float[Tensor, "rows pixel"]:
        """What `pixels_at` makes pixels of: standard noise of the decoder's kind for so many rows."""

    @abstractmethod
    def pixels_at(
        self, z: Float[Tensor, "*batch latent"], noise: Float[Tensor, "*#batch pixel"]
    ) -> Float[Tensor, "*batch pixel"]:
        """x ~ p(x|z) as a function of z and of noise that does not depend on it."""

    def sample_pixels(
        self, z: Float[Tensor, "*batch latent"], generator: torch.Generator
    ) -> Float[Tensor, "*batch pixel"]:
        """One draw of x ~ p(x|z) for each z; `aevb.marginal.ais.simulate` draws z from the prior first.

        Raises:
            ArgumentError: z is not what the decoder takes, or `generator` is none.
        """
        checks.source(generator)
        if not isinstance(z, Tensor) or z.shape[-1:] != (self.n_latent,):
            got = str(tuple(z.shape)) if isinstance(z, Tensor) else checks.shown(z)
            raise ArgumentError(
                f"`z` must be a tensor of shape (..., {self.n_latent}), got {got}: draw it for this model"
            )
        noise = self.pixel_noise(z[..., 0].numel(), generator)
        return self.pixels_at(z, noise.view(*z.shape[:-1], self.n_pixels))

    def log_joint(
        self, x: Float[Tensor, "*#batch pixel"], z: Float[Tensor, "*batch latent"]
    ) -> Float[Tensor, "*batch"]:
        """Log p(x, z) = log p(z) + log p(x|z) in nats.

        Raises:
            ArgumentError: x or z is not what the decoder takes.
        """
        checks.kind(Tensor, "use torch.as_tensor", z=z)
        return standard_normal_log_density(z) + self.log_likelihood(x, z)

    def _check_batch(self, name: str, value: Tensor, z: Tensor) -> None:
        """Pixels have the model's size, type and device, and their batch broadcasts to that of z."""
        checks.last_axis(name, value, self.n_pixels, checks.weights(self))
        batch, own = z.shape[:-1], value.shape[:-1]
        if len(own) > len(batch) or any(n not in (1, m) for n, m in zip(own[::-1], batch[::-1], strict=False)):
            rule = f"`{name}` must have a batch that broadcasts to that of z, {tuple(batch)}"
            raise ArgumentError(f"{rule}, got {tuple(own)}: give a z for each row")


class BernoulliModel(GenerativeModel):
    """p(x|z) = Bernoulli(sigmoid(W h + b)) for each pixel (Kingma & Welling 2013, appendix C.1)."""

    unit_interval = True

    def logits(self, z: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch pixel"]:
        """Log-odds of each pixel."""
        checks.last_axis("z", z, self.n_latent, checks.weights(self))
        return self.output(self.hidden(z))

    def log_likelihood(
        self, x: Float[Tensor, "*#batch pixel"], z: Float[Tensor, "*batch latent"]
    ) -> Float[Tensor, "*batch"]:
        """Σ x·log y + (1−x)·log(1−y) in nats; see `aevb.densities.bernoulli_log_density`."""
        logits = self.logits(z)
        self._check_batch("x", x, z)
        return bernoulli_log_density(x, logits)

    def pixel_mean(self, z: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch pixel"]:
        """Probability that each pixel is on."""
        return torch.sigmoid(self.logits(z))

    def pixel_noise(self, rows: int, generator: torch.Generator) -> Float[Tensor, "rows pixel"]:
        """Uniform on (k + ½)/2¹⁶, k = 0 … 2¹⁶ − 1, so that a pixel is on with its probability to within 2⁻¹⁷.

        One draw of 64 bits gives four of them, in less than half the time of four draws.
        """
        like, n = checks.weights(self), rows * self.n_pixels
        _check_rows(rows, generator, like)
        draws = torch.empty(-(-n // 4), dtype=torch.int64, device=like.device)
        sixteen = draws.random_(-(2**63), None, generator=generator).view(torch.int16)[:n]
        return sixteen.to(like.dtype).add_(2**15 + 0.5).mul_(2.0**-16).view(rows, self.n_pixels)

    def pixels_at(
        self, z: Float[Tensor, "*batch latent"], noise: Float[Tensor, "*#batch pixel"]
    ) -> Float[Tensor, "*batch pixel"]:
        """1 where the noise is below the probability that the pixel is on, else 0."""
        mean = self.pixel_mean(z)
        self._check_batch("noise", noise, z)
        return (noise < mean).to(mean.dtype)


class GaussianModel(GenerativeModel):
    """p(x|z) = N(x; μ(z), σ²(z) I), μ through a sigmoid (Kingma & Welling 2013, appendix C.2 and section 5).

    Note:
        The paper puts log σ² on the hidden layer (`log_var="hidden"`, the default). `"latent"` is a head linear in z,
        `"constant"` one log σ² for each pixel.
        `log_var_factor` multiplies that head before its bias is added, `zero_log_var` starts it at zero: both as in
        `aevb.encoder.GaussianEncoder`.
        `squash_mean=False` with `hidden=()` and `"constant"` is the linear-Gaussian model, whose answers are known.

    Raises:
        ArgumentError: `log_var` is none of the three, its factor is negative or no number, or a flag is none.
    """

    def __init__(
        self,
        n_latent: int,
        n_pixels: int,
        hidden: Sequence[int] = (200,),
        *,
        log_var: DecoderLogVar = "hidden",
        log_var_factor: float = 1.0,
        zero_log_var: bool = False,
        squash_mean: bool = True,
        activation: Activation = "tanh",
        zero_output_bias: bool = False,
        init_std: float = 0.01,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(
            n_latent,
            n_pixels,
            hidden,
            activation=activation,
            zero_output_bias=zero_output_bias,
            init_std=init_std,
            generator=generator,
        )
        checks.choice(get_args(DecoderLogVar), log_var=log_var)
        checks.number(0, log_var_factor=log_var_factor)
        checks.flag(zero_log_var=zero_log_var, squash_mean=squash_mean)
        self.log_var_input = log_var
        self.squash_mean = squash_mean
        n_in = hidden[-1] if log_var == "hidden" and hidden else n_latent
        self.log_var_factor = log_var_factor
        self.log_var = linear(n_in, n_pixels, 0.0 if zero_log_var else init_std, generator)
        if zero_output_bias:
            nn.init.zeros_(self.log_var.bias)
        if log_var == "constant":
            self.log_var.register_parameter("weight", None)

    def pixels(self, z: Float[Tensor, "*batch latent"]) -> DiagonalGaussian:
        """p(x|z) for each z."""
        checks.last_axis("z", z, self.n_latent, checks.weights(self))
        h = self.hidden(z)
        mean = self.output(h)
        if self.squash_mean:
            mean = torch.sigmoid(mean)
        if self.log_var_input == "constant":
            return DiagonalGaussian(mean, self.log_var.bias)
        source = (h if self.log_var_input == "hidden" else z) * self.log_var_factor
        return DiagonalGaussian(mean, self.log_var(source))

    def log_likelihood(
        self, x: Float[Tensor, "*#batch pixel"], z: Float[Tensor, "*batch latent"]
    ) -> Float[Tensor, "*batch"]:
        """Log N(x; μ(z), σ²(z) I) in nats."""
        pixels = self.pixels(z)
        self._check_batch("x", x, z)
        return pixels.log_density(x)

    def pixel_mean(self, z: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch pixel"]:
        """μ(z)."""
        return self.pixels(z).mean

    def pixel_noise(self, rows: int, generator: torch.Generator) -> Float[Tensor, "rows pixel"]:
        """Standard normal."""
        _check_rows(rows, generator, checks.weights(self))
        return checks.weights(self).new_empty(rows, self.n_pixels).normal_(generator=generator)

    def pixels_at(
        self, z: Float[Tensor, "*batch latent"], noise: Float[Tensor, "*#batch pixel"]
    ) -> Float[Tensor, "*batch pixel"]:
        """μ(z) + σ(z)·ε; not confined to [0, 1]."""
        pixels = self.pixels(z)
        self._check_batch("noise", noise, z)
        return pixels.at(noise)


def _check_rows(rows: int, generator: torch.Generator, like: Tensor) -> None:
    """Noise is drawn for so many rows, from a generator of the kind of device that it lies on."""
    checks.whole(0, rows=rows)
    checks.source(generator, like)
