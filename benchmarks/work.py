"""How much a step computes and touches, by counting, and how fast this machine multiplies matrices."""

from collections.abc import Callable, Sequence

import torch

from aevb.fast.products import Library, Shape, multiply
from aevb.fast.products import products as chosen
from benchmarks.launch import Recording, wall
from benchmarks.turns import clock
from harness.experiments.config import Config

N_PIXELS = 784
PASSES = 50  # over a step's products, in one launch of a GPU


def step_products(config: Config, n_pixels: int = N_PIXELS, *, n_train: int = 0) -> tuple[Shape, ...]:
    """The matrix products (m, k) · (k, n) of one step.

    AEVB: encoder forward, decoder forward and backward down to z, encoder backward.
    Wake-sleep: encoder and decoder forward, decoder backward; decoder and encoder forward, encoder backward.
    Monte Carlo EM: one evaluation of the gradient in z for each leapfrog step and one before; for each weight step
    decoder forward and backward.

    Args:
        config: of the run.
        n_pixels: size of x.
        n_train: size of the training set, which is a batch where the config has no batch size.
    """
    rows, n_latent = config.batch_size or n_train, config.n_latent
    widths, samples = config.hidden, rows * config.n_samples
    encoder = list(zip((n_pixels, *widths), (*widths, 2 * n_latent), strict=True))
    decoder = list(zip((n_latent, *widths), (*widths, n_pixels), strict=True))

    def forward(layers: list[tuple[int, int]], m: int) -> list[Shape]:
        return [(m, n_in, n_out) for n_in, n_out in layers]

    def weights(layers: list[tuple[int, int]], m: int) -> list[Shape]:
        return [(n_out, m, n_in) for n_in, n_out in layers]

    def inputs(layers: list[tuple[int, int]], m: int) -> list[Shape]:
        return [(m, n_out, n_in) for n_in, n_out in layers]

    encode = forward(encoder, rows) + weights(encoder, rows) + inputs(encoder[1:], rows)
    if config.method == "aevb":
        return (*encode, *forward(decoder, samples), *weights(decoder, samples), *inputs(decoder, samples))
    learn = forward(decoder, samples) + weights(decoder, samples) + inputs(decoder[1:], samples)
    if config.method == "wake_sleep":
        return (*forward(encoder, rows), *learn, *forward(decoder, rows), *encode)
    gradient = forward(decoder, rows) + inputs(decoder, rows)
    return (*gradient * (config.chain_leapfrog + 1), *learn * config.weight_steps)


def flops(products: Sequence[Shape]) -> int:
    """Σ 2·m·k·n: a multiplication and an addition for each term of each matrix product; nothing else is counted."""
    return sum(2 * m * k * n for m, k, n in products)


def step_bytes(config: Config, n_pixels: int = N_PIXELS, *, n_train: int = 0) -> int:
    """Bytes of float32 state that one step of AEVB or wake-sleep must touch at least: 4·(2P + A).

    P counts parameters, each with its Adagrad accumulator: Σ (in + 1)·out over the layers. A counts activations: for
    each datapoint x, the encoder's layers, μ and log σ²; for each noise sample of it z, the decoder's layers and the
    pixels. Gradients and what is read twice are not counted. Monte Carlo EM has no encoder, and a chain for each point.
    """
    rows, n_latent, width = config.batch_size or n_train, config.n_latent, sum(config.hidden)
    decoder = list(zip((n_latent, *config.hidden), (*config.hidden, n_pixels), strict=True))
    encoder = list(zip((n_pixels, *config.hidden), (*config.hidden, 2 * n_latent), strict=True))
    learns_encoder = config.method != "mcem"
    layers = decoder + encoder * learns_encoder
    parameters = sum((n_in + 1) * n_out for n_in, n_out in layers)
    of_x = n_pixels + (width + 2 * n_latent) * learns_encoder
    of_z = n_latent + width + n_pixels
    return 4 * (2 * parameters + rows * (of_x + config.n_samples * of_z))


def product_timer(
    products: Sequence[Shape], library: Library, device: torch.device, runs: int = 1
) -> Callable[[], float]:
    """What measures the seconds of a step's products on their own, one after the other, each time that it is called.

    Args:
        products: of one run.
        library: what multiplies on a CPU.
        device: where; on CUDA all runs' products of a shape are one batched product, as in a stack, and many steps'
            are one launch, as where steps are recorded: else launches are what is measured.
        runs: of a stack; on a CPU they are multiplied one by one.
    """
    lead = (runs,) if runs > 1 and device.type == "cuda" else ()
    factors = [
        (torch.randn(*lead, m, k, device=device), torch.randn(*lead, k, n, device=device)) for m, k, n in products
    ]
    outs = [a @ b for a, b in factors]

    def all_of_them() -> None:
        for (a, b), out in zip(factors, outs, strict=True):
            multiply(a, b, out)

    if device.type == "cuda":
        launch = Recording(all_of_them, PASSES)
        return lambda: wall(launch) / PASSES

    def on_cpu() -> float:
        with chosen(library):
            return clock(all_of_them) * runs

    return on_cpu
