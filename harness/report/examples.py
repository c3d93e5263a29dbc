"""Examples of what a model is applied to: rounded weights are to answer these as the model does."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from aevb.data import load_dataset
from aevb.encoder import GaussianEncoder
from harness.pictures.models import Trained

SEED, IMAGES, PRIOR = 0, 6_000, 2_000


@torch.no_grad()
def images_for(trained: Trained) -> Float[Tensor, "image pixel"]:
    """Training images of MNIST, which come with the project; of other data, what the model makes of z ~ N(0, I)."""
    if trained.config.dataset == "mnist":
        return load_dataset("mnist").train[:IMAGES]
    return trained.model.pixel_mean(_noise(IMAGES, trained.model.n_latent))


@torch.no_grad()
def codes_for(encoder: GaussianEncoder, images: Float[Tensor, "image pixel"]) -> Float[Tensor, "place latent"]:
    """Draws of z from q(z|x) of each image, and from the prior."""
    n_latent = encoder.mean.out_features
    drawn = encoder(images).at(_noise(len(images), n_latent))
    return torch.cat([drawn, _noise(PRIOR, n_latent)])


@torch.no_grad()
def with_inputs(layers: nn.Sequential, inputs: Tensor) -> Iterator[tuple[nn.Linear, Tensor]]:
    """Each linear layer of a stack, and what it is applied to where the stack is applied to these inputs."""
    for layer in layers:
        if isinstance(layer, nn.Linear):
            yield layer, inputs
        inputs = layer(inputs)


def _noise(n: int, n_latent: int) -> Tensor:
    return torch.randn(n, n_latent, generator=torch.Generator().manual_seed(SEED))
