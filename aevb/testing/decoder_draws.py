"""Laws of what decoders p(x|z) draw: noise and pixels."""

from functools import partial

import torch
from scipy.stats import norm
from torch import Tensor

from aevb.checks import shown
from aevb.testing.law import SIGMAS, calling, demand, demand_numbers, mean_and_error, seeded
from aevb.testing.problem import PIXELS, SMALL, MakeDecoder, N, Sizes, model_of

DRAWS, FEWEST, FEW = 20_000, 2_000, 100
SEEN = 0.02  # of pixels that are all 0 or 1, this share of ones shows that they are no counts
OF_PIXELS = "return a number for each pixel, shape (..., n_pixels)"
ALONE = "draw from the generator that is given, and from nothing else"
LIKE_THE_WEIGHTS = "make tensors like the weights, with `new_empty` or as buffers, and convert none"


def drawn_pixels_have_the_mean_that_is_shown(decoder: MakeDecoder, sizes: Sizes = SMALL) -> None:
    """`sample_pixels` averages to `pixel_mean`, and stays in [0, 1] where the decoder says so."""
    model = model_of(decoder, sizes=sizes)
    n = draws_of(sizes)
    z = torch.randn(5, 1, sizes.n_latent, dtype=torch.float64, generator=seeded(10)).expand(-1, n, -1)
    with torch.no_grad():
        drawn, shown = model.sample_pixels(z, seeded(11)), model.pixel_mean(z[:, 0])
    pixels = demand_numbers(drawn, (*z.shape[:-1], sizes.n_pixels), "what `sample_pixels` draws", OF_PIXELS)
    mean = demand_numbers(shown, (len(z), sizes.n_pixels), "`pixel_mean`", OF_PIXELS)
    found, error = mean_and_error(pixels.movedim(1, 0))
    binary = ((pixels == 0) | (pixels == 1)).all(1)  # of one that is seldom on, few draws may not show the spread
    error = torch.where(binary, torch.maximum(error, (mean * (1 - mean) / n).clamp(min=0).sqrt()), error)
    apart = ((found - mean).abs() - _sigmas(sizes) * error).max()
    rule = "drawn pixels must have the mean `pixel_mean`"
    demand(apart < 1e-12, rule, f"{float((found - mean).abs().max()):.3g} apart", "let both be of p(x|z)")
    if model.unit_interval:
        inside = (pixels >= 0) & (pixels <= 1)
        demand(inside, "pixels must lie in [0, 1] where `unit_interval`", f"{float(pixels.max()):.3g}", "set it False")
    elif binary.all():
        rule, got = "`unit_interval` must be True where all pixels are 0 or 1", model.unit_interval
        demand(pixels.mean() < SEEN, rule, got, "set it, for x outside [0, 1] to be refused")


def noise_comes_from_the_generator_alone(decoder: MakeDecoder, sizes: Sizes = SMALL) -> None:
    """`pixel_noise` and `sample_pixels` are the same for the same generator, and others each time it is used."""
    model = model_of(decoder, sizes=sizes)
    z = torch.randn(FEW, sizes.n_latent, dtype=torch.float64, generator=seeded(10))
    draws = {"pixel_noise": partial(model.pixel_noise, FEW), "sample_pixels": partial(model.sample_pixels, z)}
    for name, draw in draws.items():
        one, other = seeded(11), seeded(11)
        with torch.no_grad():
            first, again, second = draw(one), draw(other), draw(one)
        for each in (first, again, second):
            demand_numbers(each, (FEW, sizes.n_pixels), f"`{name}`", OF_PIXELS)
        demand(torch.equal(first, again), f"the same generator must give the same `{name}`", "another", ALONE)
        demand(not torch.equal(first, second), f"a generator must give other `{name}` each time", "the same", ALONE)


def all_that_it_returns_is_of_the_type_of_its_weights(decoder: MakeDecoder, sizes: Sizes = SMALL) -> None:
    """Noise, pixels, their mean and log p(x|z) are of float32 where the weights are, as in training, or of float64."""
    for dtype in (torch.float64, torch.float32):
        model, kind = model_of(decoder, sizes=sizes).to(dtype), _name(dtype)
        z = torch.randn(N, sizes.n_latent, dtype=dtype, generator=seeded(10))
        with calling(f"a decoder in {kind}", LIKE_THE_WEIGHTS), torch.no_grad():
            noise = _of_type(dtype, model.pixel_noise(N, seeded(11)), "pixel_noise")
            x = _of_type(dtype, model.pixels_at(z, noise), "pixels_at")
            _of_type(dtype, model.sample_pixels(z, seeded(11)), "sample_pixels")
            _of_type(dtype, model.pixel_mean(z), "pixel_mean")
            _of_type(dtype, model.log_likelihood(x, z), "log_likelihood")


def draws_of(sizes: Sizes) -> int:
    """Of x for each z: fewer of large ones."""
    return max(DRAWS * PIXELS // max(sizes.n_pixels, PIXELS), FEWEST)


def _sigmas(sizes: Sizes) -> float:
    """Standard errors that no pixel may be off: with more pixels one is farther off by chance."""
    return float(norm.isf(norm.sf(SIGMAS) * PIXELS / max(sizes.n_pixels, PIXELS)))


def _of_type(dtype: torch.dtype, value: object, name: str) -> Tensor:
    got = _name(value.dtype) if isinstance(value, Tensor) else shown(value)
    rule = f"`{name}` of a decoder in {_name(dtype)} must be of {_name(dtype)}"
    demand(isinstance(value, Tensor) and value.dtype == dtype, rule, got, LIKE_THE_WEIGHTS)
    assert isinstance(value, Tensor)
    return value


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
