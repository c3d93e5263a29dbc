"""A run's minibatches and noise, drawn in bulk in the order in which the run uses them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from aevb.learner import Batch, Learner, Noise
from harness.experiments.config import Config
from harness.runs.build import RunData
from harness.runs.streams import stream

GRAPH_STEPS = 50  # of one launch on a GPU
MOST_STEPS, MOST_NUMBERS = 250, 2**20


@dataclass(frozen=True)
class Block:
    """What consecutive steps draw; every tensor has a leading axis of steps, and a stack's then one of runs.

    Attributes:
        n_steps: how many steps.
        indices: rows of the training set; None where every step takes all of it.
        normal: `Noise.normal`; None for a learner that draws for itself.
        pixels: `Noise.pixels`, for a learner that dreams.
        thresholds: uniform; a pixel is on where its value is above, if pixels are binarized as they are drawn.
    """

    n_steps: int
    indices: Int[Tensor, "step *run batch"] | None = None
    normal: Float[Tensor, "step *run n batch latent"] | None = None
    pixels: Float[Tensor, "step *run batch pixel"] | None = None
    thresholds: Float[Tensor, "step *run batch pixel"] | None = None

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Those that there are, by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}

    def part(self, start: int, stop: int) -> "Block":
        """The steps from `start` up to `stop`."""
        return Block(stop - start, **{name: tensor[start:stop] for name, tensor in self.tensors.items()})

    def batches(self, data: RunData, x: Tensor | None = None) -> Iterator[tuple[Batch, Noise | None]]:
        """Each step's batch and noise. Batches share their memory: the pixels of one are there until the next.

        Args:
            data: of the runs.
            x: where pixels are to lie, shape (*run, batch, pixel); None for new memory.
        """
        if self.indices is None:
            indices, x = torch.arange(len(data.train), device=data.train.device), data.train
        else:
            x = data.train.new_empty(*self.indices.shape[1:], data.train.shape[1]) if x is None else x
            rows = x.view(-1, x.shape[-1])
            all_indices, all_rows = self.indices.unbind(), self.indices.flatten(1).unbind()
        normals, uniforms = (None if drawn is None else drawn.unbind() for drawn in (self.normal, self.pixels))
        for k in range(self.n_steps):
            if self.indices is not None:
                indices = all_indices[k]
                torch.index_select(data.train, 0, all_rows[k], out=rows)
            pixels = x if self.thresholds is None else (self.thresholds[k] < x).to(x.dtype)
            noise = None
            if normals is not None:
                noise = Noise(normals[k], None if uniforms is None else uniforms[k])
            yield Batch(pixels, indices), noise


def stacked(blocks: list[Block]) -> Block:
    """One block for a stack of runs from a block of each."""
    joint = {name: torch.stack([block.tensors[name] for block in blocks], 1) for name in blocks[0].tensors}
    return Block(blocks[0].n_steps, **joint)


class Tape:
    """Blocks of a run, as long as memory allows; a pure function of the config and of the kind of device."""

    def __init__(self, config: Config, data: RunData, learner: Learner) -> None:
        self._data, self._model = data, learner.model
        n, d = data.train.shape
        m = config.batch_size or n
        self._indices = (m,) if config.batch_size else ()
        self._normal = (learner.n_normal, m, learner.model.n_latent) if learner.n_normal else ()
        self._rows_of_pixels = m if learner.dreams else 0
        self._thresholds = (m, d) if data.dynamic else ()
        numbers = m * (1 + learner.n_normal * learner.model.n_latent + d * (learner.dreams + data.dynamic))
        self._n_steps = GRAPH_STEPS if data.train.is_cuda else min(max(MOST_NUMBERS // numbers, 1), MOST_STEPS)
        self._generator = stream("minibatches", config.seed, data.train.device)
        self._begin = self._generator.get_state()
        self._position = 0
        self._block: Block | None = None

    def take(self, most: int) -> Block:
        """The next steps: `most`, or fewer where a block ends."""
        if self._position == self._n_steps:
            self._begin, self._position, self._block = self._generator.get_state(), 0, None
        if self._block is None:
            self._block = self._draw()
        start, self._position = self._position, min(self._position + most, self._n_steps)
        return self._block.part(start, self._position)

    def _draw(self) -> Block:
        steps, generator, like = self._n_steps, self._generator, self._data.train
        settings: dict[str, Any] = {"device": like.device, "generator": generator}
        block = Block(steps)
        if self._indices:
            block = replace(block, indices=torch.randint(len(like), (steps, *self._indices), **settings))
        if self._normal:
            block = replace(block, normal=torch.randn(steps, *self._normal, dtype=like.dtype, **settings))
        if self._rows_of_pixels:
            pixels = self._model.pixel_noise(steps * self._rows_of_pixels, generator)
            block = replace(block, pixels=pixels.view(steps, self._rows_of_pixels, -1))
        if self._thresholds:
            block = replace(block, thresholds=torch.rand(steps, *self._thresholds, dtype=like.dtype, **settings))
        return block

    def state_dict(self) -> dict[str, Any]:
        """Where the block began, and how much of it is used."""
        return {"begin": self._begin, "position": self._position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another was; its block is drawn again."""
        self._begin, self._position = state["begin"].cpu(), state["position"]
        self._generator.set_state(self._begin)
        self._block = self._draw()
