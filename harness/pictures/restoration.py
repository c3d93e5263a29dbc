"""The demos that restore: z is sampled given what is seen of an image, by HMC, and gives back the rest."""

import time
from functools import partial
from typing import Any

import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aevb import restore
from aevb.diagnostics import split_r_hat
from aevb.hmc import LogDensity, Samples
from harness.pictures.image_errors import Errors, image_error, row
from harness.pictures.plot import plot_strips
from harness.pictures.scene import Outcome, Scene
from harness.store.columns import fold

RESTORED = 30  # test images
NOISE_STD = (0.1, 0.25, 0.5, 1.0)  # of pixels in [0, 1]
CHAINS = 4  # for each image


def denoise(scene: Scene) -> Outcome:
    """Gaussian noise of known σ is added to test images x, and E[x|noisy] estimated by chains on p(z|noisy).

    The noise model is that of `aevb.restore.noisy_log_likelihood`. "E[x|z], z|noisy" leaves the decision to z alone:
    its image is the mean decoder output, its nats are log (1/S) Σ p(x|z) for the true pixels. All others are images,
    with nats as in `harness.pictures.image_errors`; the noisy one within [0, 1], where it is closer to the truth.
    """
    model, x, train = scene.trained.model, scene.data.test_points[:RESTORED], scene.data.train
    strips, errors, chains = [scene.strip("test image", x)], [], []
    for noise_std in NOISE_STD:
        noisy = x + noise_std * torch.randn(x.shape, generator=scene.generator)
        seen = partial(restore.noisy_log_likelihood, model, noisy, noise_std)
        samples, report = _sample(seen, len(x), scene, f"σ = {noise_std:g}")
        restored = restore.posterior_mean(partial(restore.denoise, model, noisy, noise_std), samples.z)
        nats = restore.predictive_log_likelihood(partial(model.log_likelihood, x), samples.z)
        nearest = train[torch.cdist(noisy, train).argmin(1)]
        decoded = restore.posterior_mean(model.pixel_mean, samples.z)
        rows = [
            image_error(model, x, restored, "E[x|noisy]"),
            row(x, decoded, nats, "E[x|z], z|noisy"),
            image_error(model, x, noisy.clamp(0, 1), "noisy image"),
            *_baselines(scene, x, nearest),
        ]
        errors += [{"noise_std": noise_std, **values} for values in rows]
        chains.append({"noise_std": noise_std, **report})
        strips += [scene.strip(f"noise σ = {noise_std:g}", noisy), scene.strip("restored", restored)]
    picture = plot_strips(strips, (), scene.caption, scene.stem)
    return Outcome([picture], pd.DataFrame(errors), {"images": len(x), "chains": chains})


def inpaint(scene: Scene) -> Outcome:
    """The lower half of test images is hidden, and estimated by chains on p(z|upper half); errors are of that half.

    Nats are those of the true hidden pixels: log p(hidden|visible) for the model, see `denoise` for images.
    """
    model, x, train = scene.trained.model, scene.data.test_points[:RESTORED], scene.data.train
    visible = torch.arange(model.n_pixels) < model.n_pixels // 2
    seen = partial(restore.pixel_log_likelihood, model, x, visible)
    samples, report = _sample(seen, len(x), scene, "lower half hidden")
    restored = _hide(x, visible, restore.posterior_mean(model.pixel_mean, samples.z))
    nats = restore.predictive_log_likelihood(partial(restore.pixel_log_likelihood, model, x, ~visible), samples.z)
    nearest = train[torch.cdist(x[:, visible], train[:, visible]).argmin(1)]
    hidden = x[:, ~visible]
    errors = [
        row(hidden, restored[:, ~visible], nats, "E[hidden|visible]"),
        *_baselines(scene, x, nearest, ~visible),
    ]
    strips = [
        scene.strip("test image", x),
        scene.strip("seen", _hide(x, visible, torch.full_like(x, 0.5))),
        scene.strip("restored", restored),
        *(
            scene.strip(f"draw {chain + 1}", _hide(x, visible, model.pixel_mean(samples.z[-1, chain])))
            for chain in range(CHAINS)
        ),
        scene.strip("nearest", nearest),
    ]
    picture = plot_strips(strips, (), scene.caption, scene.stem)
    return Outcome([picture], pd.DataFrame(errors), {"images": len(x), "chains": [report]})


def _sample(seen: LogDensity, n_images: int, scene: Scene, name: str) -> tuple[Samples, dict[str, Any]]:
    """Draws of z given what is seen, and how far they can be trusted."""
    began = time.perf_counter()
    shape = (n_images, scene.trained.model.n_latent)
    samples = restore.sample_posterior(seen, shape, scene.generator, n_chains=CHAINS)
    r_hat = split_r_hat(samples.z)
    report = {
        "acceptance": float(samples.acceptance.mean()),
        "r_hat_median": float(pd.Series(r_hat.ravel()).median()),
        "r_hat_below_1.1": float((r_hat < 1.1).mean()),
        "seconds": time.perf_counter() - began,
    }
    line = (
        f"{name}: {CHAINS} chains for each of {n_images} images, acceptance {report['acceptance']:.2f}, "
        f"split R-hat below 1.1 for {report['r_hat_below_1.1']:.0%} of coordinates, {report['seconds']:.1f} s"
    )
    print(fold(line), flush=True)
    return samples, report


def _baselines(
    scene: Scene, x: Tensor, nearest: Tensor, pixels: Bool[Tensor, " pixel"] | slice = slice(None)
) -> list[Errors]:
    """The mean training image, and for each image the training image nearest to what is seen of it."""
    model, mean = scene.trained.model, scene.data.train.mean(0).expand_as(x)
    return [
        image_error(model, x[:, pixels], mean[:, pixels], "mean image"),
        image_error(model, x[:, pixels], nearest[:, pixels], "nearest training image"),
    ]


def _hide(
    x: Float[Tensor, "image pixel"], visible: Bool[Tensor, " pixel"], other: Float[Tensor, "image pixel"]
) -> Float[Tensor, "image pixel"]:
    """X where it is visible, elsewhere another image."""
    return torch.where(visible, x, other)
