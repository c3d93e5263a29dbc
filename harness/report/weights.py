"""From a checkpoint to what the page computes with: weights in fixed point, and what the plane shows of a model.

What renders the page reads the file that this leaves, and never loads torch.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from aevb.data import load_dataset
from aevb.errors import UserError
from aevb.model import GaussianModel, GenerativeModel
from harness.pictures.models import Trained
from harness.report.examples import codes_for, images_for, with_inputs
from harness.report.narrow import narrowed
from harness.report.packing import LARGEST, encoded, floats, packed_layer
from harness.store.files import write_text

FINE, ROUGH, EARLIER = 2.0**-15, 2.0**-10, 2.0**-6
# Times as coarse as others are weights of the last layer, and of the first beside logits, where an error of z's place
# costs more nats than one of a pixel.
OF_LAST, OF_FIRST = {"logit": 5.0, "mean": 2.0, "log_var": 2.0}, 1 / 3
TOLERANCES = {"logit": 1e-3, "mean": 2.5e-5, "log_var": 2.5e-4}  # of what the plane's decoder gives, narrow or whole
TABLE, TABLE_OF_EARLIER = 100, 64  # nodes along a side: what is learned for longer changes faster along the plane
BEYOND = 1.15  # how far the table goes, of what the plane shows
AROUND, HELD = 1.5, 64  # how far the narrow decoder is held to the whole one, of the same, and at how many nodes


@dataclass(frozen=True)
class View:
    """The square of the latent plane that is shown: centre, and half of its side."""

    centre: tuple[float, float] = (0.0, 0.0)
    half: float = 3.5


def export(trained: Trained, target: Path, *, step: float = FINE, picks: bool = False) -> None:
    """Write what `content_of` has of a model as JSON."""
    write_text(target, json.dumps(content_of(trained, step=step, picks=picks)))


def export_earlier(trained: Trained, target: Path, view: View, *, published: bool = False) -> None:
    """Write a model with two latent variables as it was before its run went on, so small that there is room for many.

    Args:
        trained: the model.
        target: the file.
        view: of the plane, the last model's.
        published: it is to come with the project.
    """
    content = content_of(trained, step=EARLIER, view=view)
    write_text(target, json.dumps(content | {"published": published or trained.folder.published}))


def content_of(
    trained: Trained, *, step: float = FINE, view: View | None = None, picks: bool = False
) -> dict[str, Any]:
    """A run's decoder and encoder, and with two latent variables its plane.

    `points` are posterior means of test points, as the run has kept them, with the class of each on MNIST. `table` has
    Σ log(1 + exp(logit)) over the pixels on a grid of z, which with x·logit is log p(x|z) of every image x. `testBound`
    is the mean over the test points at that time in the run's curve, nats. Pictures of Frey Face stay where they are.

    Args:
        trained: the model.
        step: of the weights, which are multiples of it; of the layers on the latent side, and where weights are too
            large for it, the smallest one that 16 bits allow. The plane's decoder is held to `TOLERANCES` instead.
        view: of the plane; None for the one that holds three standard deviations of the prior and nearly all points.
        picks: on MNIST, bring the first test image of each class.
    """
    model, encoder, mnist = trained.model, trained.encoder, trained.config.dataset == "mnist"
    flat = model.n_latent == 2
    view = view or (view_of(trained) if flat else None)
    content: dict[str, Any] = {"run": trained.folder.path.name, "published": trained.folder.published}
    content |= {"dataset": trained.config.dataset, "samples": trained.kept.samples, "nLatent": model.n_latent}
    content |= dict(zip(("height", "width"), trained.shape, strict=True))
    images = images_for(trained)
    places = codes_for(encoder, images) if view is None else _nodes(view, AROUND * view.half, HELD)
    content["decoder"] = _decoder(model, step, places, flat=view is not None)
    h = encoder.hidden(images)
    content["encoder"] = {
        "activation": encoder.activation,
        "hidden": _hidden(
            encoder.hidden, step if flat or isinstance(model, GaussianModel) else OF_FIRST * step, images
        ),
        "mean": packed_layer(encoder.mean, step, inputs=h),
        "logVar": packed_layer(encoder.log_var, step, encoder.log_var_factor, h),
    }
    if picks and mnist:
        content["images"] = _first_of_each_class()
    if view is not None:
        content |= {"view": asdict(view), "points": _points(trained), "testBound": _test_bound(trained)}
        content["table"] = (
            _table(model, view, TABLE_OF_EARLIER if step >= EARLIER else TABLE)
            if not isinstance(model, GaussianModel)
            else None
        )
    return content


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
    step = float(mean.abs().max()) / LARGEST or 1.0
    multiples = (mean.double() / step).round().numpy().astype("<i2")
    content = {"n": len(mean), "step": step, "z": encoded(multiples.tobytes())}
    if trained.config.dataset != "mnist":
        return content
    return content | {"label": encoded(_labels()[: len(mean)].numpy().astype(np.uint8).tobytes())}


def _test_bound(trained: Trained) -> float | None:
    """Of the run's curve, when the model was kept; None where that has no such point, or another measure."""
    try:
        curve = trained.folder.read_curve()
    except UserError:  # damaged, and told of where the curve is shown
        return None
    if curve.empty or trained.config.measure != "lower_bound":
        return None
    rows = curve[(curve["split"] == "test") & (curve["samples"] == trained.kept.samples)]
    return float(rows["lower_bound"].iloc[-1]) if len(rows) else None


def _first_of_each_class() -> list[str]:
    labels, images = _labels(), load_dataset("mnist").test
    first = [int(torch.argmax((labels == digit).int())) for digit in range(10)]
    return [encoded(image.tobytes()) for image in (images[first] * 255).round().numpy().astype(np.uint8)]


def _labels() -> Tensor:
    labels = load_dataset("mnist").labels
    assert labels is not None  # MNIST comes with the project
    return labels["test"]


@torch.no_grad()
def _table(model: GenerativeModel, view: View, side: int) -> dict[str, Any]:
    """The table, row by row of the second coordinate, upwards."""
    half = BEYOND * view.half
    log_normaliser = -model.log_likelihood(torch.zeros(1, model.n_pixels), _nodes(view, half, side))
    return {"n": side, "half": half, "softplus": floats(log_normaliser)}  # an empty image has nothing else


def _nodes(view: View, half: float, side: int = TABLE) -> Float[Tensor, "node 2"]:
    """A square grid around the view's centre."""
    along = [torch.linspace(middle - half, middle + half, side) for middle in view.centre]
    return torch.stack(torch.meshgrid(*along, indexing="xy"), -1).reshape(-1, 2)


@torch.no_grad()
def _decoder(model: GenerativeModel, step: float, places: Float[Tensor, "place z"], *, flat: bool) -> dict[str, Any]:
    """Its layers; where there is a plane, the last ones are narrow ones that give the same all over it."""
    gaussian, h = isinstance(model, GaussianModel), model.hidden(places)

    def last(layer: nn.Linear, kind: str, factor: float = 1.0) -> dict[str, Any]:
        narrow = narrowed(layer, h, TOLERANCES[kind], factor) if flat else None
        return narrow or packed_layer(layer, OF_LAST[kind] * step, factor, h)

    content: dict[str, Any] = {
        "activation": model.activation,
        "hidden": _hidden(model.hidden, step, places),
        "output": last(model.output, "mean" if gaussian else "logit"),
        "squash": True,
        "logVar": None,
    }
    if not isinstance(model, GaussianModel):
        return content
    if model.log_var_input == "hidden":
        content["logVar"] = last(model.log_var, "log_var", model.log_var_factor)
    else:
        content["logVar"] = packed_layer(model.log_var, step, model.log_var_factor)
    return content | {"logVarOf": model.log_var_input, "squash": model.squash_mean}


def _hidden(layers: nn.Sequential, step: float, inputs: Tensor) -> list[dict[str, Any]]:
    return [packed_layer(layer, step, inputs=given) for layer, given in with_inputs(layers, inputs)]
