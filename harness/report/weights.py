"""From a checkpoint to what the page computes with: weights in fixed point, and what the plane shows of a model.

This is the one module of the report that loads torch; what renders the page reads the file that it leaves.
"""

import base64
import json
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from aevb.data import load_dataset
from aevb.model import GaussianModel, GenerativeModel
from harness.pictures.models import Trained
from harness.store.files import write_text

FINE, COARSE, COARSEST = 2.0**-13, 2.0**-10, 2.0**-8
LARGEST = 2**15 - 1
HARMLESS = str.maketrans("<&", ",.")
NARROW = 50_000  # weights; what a layer of fewer weighs in the page is not worth a coarse step
TABLE = 64  # nodes along a side
BEYOND = 1.15  # how far the table goes, of what the plane shows


@dataclass(frozen=True)
class View:
    """The square of the latent plane that is shown: centre, and half of its side."""

    centre: tuple[float, float] = (0.0, 0.0)
    half: float = 3.5


def export(
    trained: Trained, target: Path, *, step: float = FINE, view: View | None = None, images: bool = False
) -> None:
    """Write a run's decoder and encoder, and with two latent variables its plane, as JSON.

    `points` are posterior means of test points, as the run has kept them, with the class of each on MNIST. `table` has
    Σ log(1 + exp(logit)) over the pixels on a grid of z, which with x·logit is log p(x|z) of every image x. Pictures of
    Frey Face stay where they are.

    Args:
        trained: the model.
        target: the file.
        step: of the weights, which are multiples of it; of the layers on the latent side, and where weights are too
            large for it, the smallest one that 16 bits allow.
        view: of the plane; None for the one that holds three standard deviations of the prior and nearly all points.
        images: on MNIST, bring the first test image of each class.
    """
    model, encoder, mnist = trained.model, trained.encoder, trained.config.dataset == "mnist"
    content: dict[str, Any] = {"run": trained.folder.path.name, "published": trained.folder.published}
    content |= {"dataset": trained.config.dataset, "samples": trained.kept.samples, "nLatent": model.n_latent}
    content |= dict(zip(("height", "width"), trained.shape, strict=True))
    content["decoder"] = {
        "activation": model.activation,
        "hidden": [_layer(layer, step) for layer in _linear(model.hidden)],
        "output": _layer(model.output, step),
        **_pixel_noise(model, step),
    }
    content["encoder"] = {
        "activation": encoder.activation,
        "hidden": [_layer(layer, step) for layer in _linear(encoder.hidden)],
        "mean": _layer(encoder.mean, step),
        "logVar": _layer(encoder.log_var, step, encoder.log_var_factor),
    }
    if images and mnist:
        content["images"] = _first_of_each_class()
    if model.n_latent == 2:
        view = view or view_of(trained)
        content |= {"view": asdict(view), "points": _points(trained)}
        content["table"] = _table(model, view) if not isinstance(model, GaussianModel) else None
    write_text(target, json.dumps(content))


def view_of(trained: Trained) -> View:
    """The square that holds three standard deviations of the prior and nearly all test points."""
    if trained.encoded is None:
        return View()
    ends = trained.encoded["mean"].double().quantile(torch.tensor([0.002, 0.998]).double(), 0)
    low, high = ends[0].clamp(max=-3.2), ends[1].clamp(min=3.2)
    x, y = ((low + high) / 2).tolist()
    return View((x, y), 0.54 * float((high - low).max()))


def _points(trained: Trained) -> dict[str, Any] | None:
    """Where test points lie, and the class of each on MNIST."""
    if trained.encoded is None:
        return None
    mean = trained.encoded["mean"]
    content = {"n": len(mean), "z": _floats(mean)}
    if trained.config.dataset != "mnist":
        return content
    return content | {"label": _encoded(_labels()[: len(mean)].numpy().astype(np.uint8).tobytes())}


def _first_of_each_class() -> list[str]:
    labels, images = _labels(), load_dataset("mnist").test
    first = [int(torch.argmax((labels == digit).int())) for digit in range(10)]
    return [_encoded(image.tobytes()) for image in (images[first] * 255).round().numpy().astype(np.uint8)]


def _labels() -> Tensor:
    labels = load_dataset("mnist").labels
    assert labels is not None  # MNIST comes with the project
    return labels["test"]


@torch.no_grad()
def _table(model: GenerativeModel, view: View) -> dict[str, Any]:
    """The table, row by row of the second coordinate, upwards."""
    half = BEYOND * view.half
    along = [torch.linspace(middle - half, middle + half, TABLE) for middle in view.centre]
    z = torch.stack(torch.meshgrid(*along, indexing="xy"), -1).reshape(-1, 2)
    log_normaliser = -model.log_likelihood(torch.zeros(1, model.n_pixels), z)  # an empty image has nothing else
    return {"n": TABLE, "half": half, "softplus": _floats(log_normaliser)}


def _pixel_noise(model: GenerativeModel, step: float) -> dict[str, Any]:
    """A Gaussian decoder's log σ² of the pixels, and what it is linear in."""
    if not isinstance(model, GaussianModel):
        return {"squash": True, "logVar": None}
    return {
        "squash": model.squash_mean,
        "logVar": _layer(model.log_var, step, model.log_var_factor),
        "logVarOf": model.log_var_input,
    }


def _linear(layers: Iterable[nn.Module]) -> list[nn.Linear]:
    return [layer for layer in layers if isinstance(layer, nn.Linear)]


def _layer(layer: nn.Linear, step: float, factor: float = 1.0) -> dict[str, Any]:
    weight = layer.weight * factor if layer.weight is not None else layer.bias.new_empty(len(layer.bias), 0)
    finest = float(weight.abs().max()) / LARGEST if weight.numel() else 0.0
    step = max(step if weight.numel() >= NARROW else 0.0, finest) or step
    return {
        "nIn": weight.shape[1],
        "nOut": weight.shape[0],
        "step": step,
        "weight": _packed(weight, step),
        "bias": _floats(layer.bias),
    }


def _packed(weight: Float[Tensor, "out in"], step: float) -> str:
    """Multiples of the step, signs folded into the lowest bit, all high bytes before all low ones, deflated.

    In base 85, which is shorter than base 64, with signs that neither HTML nor JSON has a use for.
    """
    multiples = np.round(weight.double().numpy() / step).astype(np.int32)
    folded = (multiples << 1) ^ (multiples >> 31)
    planes = (folded >> 8).astype(np.uint8).tobytes() + (folded & 255).astype(np.uint8).tobytes()
    return base64.b85encode(zlib.compress(planes, 9)).decode().translate(HARMLESS)


def _floats(values: Tensor) -> str:
    return _encoded(values.float().numpy().astype("<f4").tobytes())


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
