"""What all algorithms share: a batch, what a step draws and reports, and how a learner is built, saved and loaded."""

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from aevb import checks, construction
from aevb.ascent import Ascent as Ascent  # whoever writes a learner has from here all that it needs
from aevb.ascent import AscentOptions as AscentOptions
from aevb.errors import ArgumentError
from aevb.estimators import standard_normal
from aevb.model import GenerativeModel


@dataclass(frozen=True)
class Batch:
    """Datapoints and their places in the training set (an algorithm may keep a state for each point)."""

    x: Float[Tensor, "batch pixel"]
    indices: Int[Tensor, " batch"]


@dataclass(frozen=True)
class Noise:
    """What a step of AEVB or wake-sleep draws. Drawn beforehand and in bulk it costs less, and many runs can share it.

    Attributes:
        normal: standard normal; `n_normal` of the learner for each datapoint of the batch.
        pixels: `GenerativeModel.pixel_noise` for each datapoint, where the learner `dreams`.
    """

    normal: Float[Tensor, "n batch latent"]
    pixels: Float[Tensor, "batch pixel"] | None = None


@dataclass(frozen=True)
class StepInfo:
    """What one step did.

    Attributes:
        bound: lower bound of each datapoint before the update, nats, shape (batch,); None without an encoder.
        samples: training samples evaluated, as the paper's x axes count them.
    """

    bound: Float[Tensor, " batch"] | None
    samples: int


class Learner(Protocol):
    """An algorithm that fits a model, and perhaps an encoder, to data.

    Attributes:
        n_normal: standard normal draws of z's size that a step takes for each datapoint; 0 if it takes no `Noise`.
        dreams: a step draws pixels from the model.
    """

    model: GenerativeModel
    encoder: nn.Module | None
    n_normal: int
    dreams: bool

    def step(self, batch: Batch, generator: torch.Generator, noise: Noise | None = None) -> StepInfo:
        """Update the parameters once; all that is random and not given comes from the generator.

        Noise that is not given is what `draw_noise` draws, before all else: so a step is the same one either way.

        Of the project's learners a step looks at x where it is the first batch of its shape, type and device. On a GPU
        a look at values is a wait; that later batches are like it, finite and in range, is for the caller to see to.

        Raises:
            ArgumentError: the first batch is not what the model takes, or not finite, or not in [0, 1] where the
                model's pixels are.
        """
        ...

    def diagnostics(self) -> dict[str, float]:
        """Numbers by which to judge the steps since the last call; empty where an algorithm has none."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on bit for bit, in copies, which later steps leave alone."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the state of an equal learner."""
        ...


_MEMBERS = (*Learner.__annotations__, *(name for name in vars(Learner) if not name.startswith("_")))


def lacking(learner: object) -> list[str]:
    """Members of `Learner` that it is without."""
    return [name for name in _MEMBERS if not hasattr(learner, name)]


def draw_noise(learner: Learner, batch: Batch, generator: torch.Generator) -> Noise:
    """Fresh noise for one step of this learner on this batch."""
    m, model = len(batch.x), learner.model
    normal = standard_normal((learner.n_normal, m, model.n_latent), batch.x, generator)
    return Noise(normal, model.pixel_noise(m, generator) if learner.dreams else None)


def _check_noise(name: str, value: Tensor | None, shape: tuple[int, ...], x: Tensor) -> None:
    """Noise has this shape, after an axis of runs where x has one, and x's type and device."""
    shape = (*x.shape[:-2], *shape)
    if not isinstance(value, Tensor) or value.shape != shape:
        got = tuple(value.shape) if isinstance(value, Tensor) else value
        raise ArgumentError(f"`noise` must have {name} of shape {shape}, got {got}: draw it with draw_noise")
    checks.same(f"noise.{name}", value, x)


class LearnerState:
    """`state_dict` and `load_state_dict` for a learner made of modules and ascents, which `_parts` names.

    Unless it says otherwise, it takes no `Noise`.
    """

    model: GenerativeModel
    n_normal: int = 0
    dreams: bool = False
    _known: frozenset[object] = frozenset()
    _working: dict[Any, Any]  # layers and tensors that a step works in, made once for each size

    def _check(self, batch: Batch) -> bool:
        """Look at the first batch of each shape, type and device; of later ones the caller sees that they are alike.

        A look at values waits for the device, once; while a CUDA graph is recorded, which nothing may wait for, the
        steps before it have looked.

        Returns:
            It has looked.

        Raises:
            ArgumentError: it is no batch, or pixels are of another shape or type, not finite, or not in [0, 1] where
                the model's are.
        """
        checks.kind(Batch, "make one with Batch(x, indices)", batch=batch)
        x = batch.x
        look = (x.shape, x.dtype, x.device) if isinstance(x, Tensor) else None
        if look in self._known or (look and x.is_cuda and torch.cuda.is_current_stream_capturing()):
            return False
        checks.first_batch(self.model, x)
        self._known |= {look}
        return True

    def __getstate__(self) -> dict[str, Any]:
        """For a copy, which makes working memory of its own: tensors that share some would not share it there."""
        return {name: {} if name == "_working" else value for name, value in vars(self).items()}

    def _parts(self) -> dict[str, Any]:
        raise NotImplementedError

    def diagnostics(self) -> dict[str, float]:
        """None, unless a learner has some of its own."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """State of every part, as it is now: later steps leave it alone."""
        return copy.deepcopy({name: part.state_dict() for name, part in self._parts().items()})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Give every part its state, or none: where one refuses its own, the learner stays as it is.

        Raises:
            ArgumentError: one is not there, or of another size.
        """
        if not isinstance(state, dict) or not self._parts().keys() <= state.keys():
            expected, got = ", ".join(self._parts()), ", ".join(map(str, state)) if isinstance(state, dict) else ""
            remedy = "give what state_dict of an equal learner returned"
            raise ArgumentError(f"`state` must be a dict with {expected}, got {got or checks.shown(state)}: {remedy}")
        for name, part in self._parts().items():
            if isinstance(part, nn.Module | Ascent) and (own := sizes(part.state_dict())) != (
                got := sizes(state[name])
            ):
                raise ArgumentError(
                    f"`state` must have a {name} of sizes {own}, got {got}: give what state_dict of an equal learner "
                    "returned"
                )
        before = LearnerState.state_dict(self)
        try:
            self._give(copy.deepcopy({name: state[name] for name in before}))  # optimisers go on in what they are given
        except BaseException:
            self._give(before)
            raise

    def _give(self, state: dict[str, Any]) -> None:
        for name, part in self._parts().items():
            part.load_state_dict(state[name])


def sizes(state: Any) -> Any:
    """Shapes of a state's tensors, where they stand in it."""
    if isinstance(state, dict):
        return {key: sizes(value) for key, value in state.items()}
    if isinstance(state, list):
        return [*map(sizes, state)]
    return tuple(state.shape) if isinstance(state, Tensor) else type(state).__name__


class LearnerWithEncoder(LearnerState, ABC):
    """A learner that has an encoder: what it is built of is checked and kept, and saved with it.

    Args:
        model: p(z) p(x|z), with parameters θ.
        encoder: q(z|x), with parameters φ.
        n_datapoints: N, size of the training set, which scales the prior on θ.
        n_samples: draws of z for each datapoint; a learner that `dreams` takes one more, for its dreams.

    Raises:
        ArgumentError: they do not fit each other, a parameter takes no gradients, or a number is none.
    """

    _some_known = False  # parameters of the model that take no gradients are known, and stay as they are

    def __init__(self, model: GenerativeModel, encoder: nn.Module, n_datapoints: int, n_samples: int) -> None:
        construction.learner(model, encoder, n_datapoints, n_samples)
        construction.trainable(encoder=encoder, **({} if self._some_known else {"model": model}))
        self.model = model
        self.encoder: nn.Module | None = encoder
        self._q = encoder
        self._n_datapoints = n_datapoints
        self.n_normal = n_samples + self.dreams

    def _noise(self, batch: Batch, generator: torch.Generator, noise: Noise | None) -> Noise:
        """The noise of a step: what is given, if it is for this learner and batch, or fresh.

        Raises:
            ArgumentError: it is not.
        """
        if noise is None:
            return draw_noise(self, batch, generator)
        checks.kind(Noise, "draw it with draw_noise", noise=noise)
        x, m, model = batch.x, batch.x.shape[-2], self.model
        _check_noise("normal", noise.normal, (self.n_normal, m, model.n_latent), x)
        if self.dreams:
            _check_noise("pixels", noise.pixels, (m, model.n_pixels), x)
        return noise

    @abstractmethod
    def step(self, batch: Batch, generator: torch.Generator, noise: Noise | None = None) -> StepInfo:
        """See `Learner.step`."""

    def _parts(self) -> dict[str, Any]:
        return {"model": self.model, "encoder": self._q}
