"""From a config to its data, its learner and its random numbers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from aevb.ascent import AscentOptions
from aevb.data import Dataset, binarize, load_dataset
from aevb.encoder import GaussianEncoder
from aevb.errors import DataError, UserError
from aevb.learner import Learner
from aevb.model import BernoulliModel, GaussianModel, GenerativeModel
from aevb.places import is_place
from baselines.fast_mcem import FastMinibatchMonteCarloEM, FastMonteCarloEM
from baselines.mcem import MinibatchMonteCarloEM, MonteCarloEM
from harness.experiments.config import Config
from harness.experiments.methods import method_of
from harness.runs.decoders import own_decoder
from harness.runs.learners import by_hand, learner_with_encoder
from harness.runs.streams import stream


@dataclass(frozen=True)
class RunData:
    """Pixels on the device of the run.

    Attributes:
        train: what minibatches are drawn from, shape (N, pixel).
        dynamic: minibatches are to be binarized as they are drawn.
        train_points: the training points that are evaluated.
        test_points: the test points that are evaluated.
        image_shape: height and width of an image; None where rows are none.
    """

    train: Float[Tensor, "n pixel"]
    dynamic: bool
    train_points: Float[Tensor, "n pixel"]
    test_points: Float[Tensor, "n pixel"]
    image_shape: tuple[int, int] | None = None


def load(config: Config, data: Path | None) -> Dataset:
    """The config's dataset.

    Args:
        config: of the run.
        data: folder to look for named datasets in, or the user's array itself.

    Raises:
        DataError: it is not to be had, or an array's content is not what the config was made for.
        UserError: it has fewer training points than the config asks for.
    """
    own = bool(config.data_sha256)
    dataset = load_dataset(
        str(data) if own else config.dataset,
        data_dir=None if own else data,
        pixel_scale=(config.pixel_scale or None) if own else config.pixel_scale,
        split=config.split,
    )
    if own and dataset.sha256 != config.data_sha256:
        remedy = "return the same rows at each call" if is_place(str(data)) else "start again with the array as it is"
        raise DataError(
            f"an array must not change while runs on it are open; {data} had SHA-256 {config.data_sha256[:12]}…, now "
            f"{dataset.sha256[:12]}…: {remedy}"
        )
    if config.n_train > len(dataset.train):
        raise UserError(
            f"n_train must be at most the {len(dataset.train)} training points of {dataset.name}, got "
            f"{config.n_train}: give fewer with --train or +n_train, or leave it out"
        )
    return dataset


def prepare(config: Config, dataset: Dataset, device: torch.device) -> RunData:
    """Binarize as the config says, and choose the points to train and to evaluate on."""
    grey = dataset.train[: config.n_train] if config.n_train else dataset.train
    # The same for all seeds, which differ in what the algorithms do, never in the data; and for any number of points.
    train, test = (
        binarize(x, config.binarization, stream(f"binarization of {split}"))
        for split, x in (("train", grey), ("test", dataset.test))
    )
    dynamic = config.binarization == "dynamic"
    return RunData(
        train=(grey if dynamic else train).to(device),
        dynamic=dynamic,
        train_points=train[: config.evaluation_points].to(device),
        test_points=test[: config.evaluation_points].to(device),
        image_shape=dataset.image_shape,
    )


def build_model(config: Config, n_pixels: int, generator: torch.Generator) -> GenerativeModel:
    """A fresh p(z) p(x|z) with weights from the generator, on the CPU."""
    layers: dict[str, Any] = {
        "activation": config.decoder_activation,
        "zero_output_bias": config.decoder_bias_zero,
        "init_std": config.init_std,
        "generator": generator,
    }
    if config.decoder == "bernoulli":
        return BernoulliModel(config.n_latent, n_pixels, config.hidden, **layers)
    heads: dict[str, Any] = {
        "log_var": config.decoder_log_var,
        "log_var_factor": config.decoder_log_var_factor,
        "zero_log_var": config.decoder_log_var_zero,
    }
    if is_place(config.decoder):
        return own_decoder(config, n_pixels, layers | heads, generator)
    return GaussianModel(config.n_latent, n_pixels, config.hidden, **heads, **layers)


def build_learner(config: Config, data: RunData, step_size: float, engine: str = "fast") -> Learner:
    """A fresh learner whose weights are drawn from the config's seed, on the device of the data.

    Engines: "reference", with gradients from autograd, or "fast", the same with gradients by hand, where there are.
    """
    fast = engine == "fast" and by_hand(config)
    n_datapoints, n_pixels = data.train.shape
    generator = stream("weights", config.seed)
    model = build_model(config, n_pixels, generator)
    model = model.to(data.train.device)
    options = AscentOptions(
        step_size, config.warm_up, config.prior_weight, config.prior_on_biases, config.prior_on_encoder
    )
    if method_of(config.method).like == "mcem":
        starts = stream("chains", config.seed, data.train.device)
        full, part = (FastMonteCarloEM, FastMinibatchMonteCarloEM) if fast else (MonteCarloEM, MinibatchMonteCarloEM)
        return (part if config.batch_size else full)(
            model,
            n_datapoints,
            starts,
            options,
            n_leapfrog=config.chain_leapfrog,
            extra_leapfrog=config.extra_leapfrog,
            n_weight_steps=config.weight_steps,
            step_size=config.chain_step_size,
        )
    encoder = GaussianEncoder(
        n_pixels,
        config.n_latent,
        config.hidden,
        activation=config.encoder_activation,
        log_var_factor=config.encoder_log_var_factor,
        zero_log_var=config.encoder_log_var_zero,
        init_std=config.init_std * config.encoder_init_factor,
        generator=generator,
    )
    encoder = encoder.to(data.train.device)
    return learner_with_encoder(config, model, encoder, n_datapoints, options, fast=fast)


def evaluation_generator(device: torch.device | str) -> torch.Generator:
    """Source of the noise in what is measured: the same for all runs."""
    return stream("evaluation", device=device)
