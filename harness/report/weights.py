"""From a checkpoint to what the page computes with: weights in half precision, and test points where they are encoded.

This is the one module of the report that loads torch; what renders the page reads the file that it leaves.
"""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from aevb.data import load_dataset
from harness.pictures.models import Trained
from harness.store.files import write_text


def export(trained: Trained, target: Path) -> None:
    """Write a run's decoder, its encoder and its encoded test points as JSON.

    Weights are float16, row by row, in base64. `points` are posterior means of test points, with the class of each on
    MNIST, else its lower bound (nats), as the run has kept them. MNIST brings the first test image of each class, and
    its encoder; pictures of other datasets stay where they are.
    """
    model, encoder = trained.model, trained.encoder
    height, width = trained.shape
    content: dict[str, Any] = {"run": trained.folder.path.name, "published": trained.folder.published}
    content |= {"height": height, "width": width}
    content["activation"] = model.activation
    content["decoder"] = [_layer(layer) for layer in (*_linear(model.hidden), model.output)]
    content["points"] = None
    if trained.encoded is not None:
        mean, bound = trained.encoded["mean"], trained.encoded["bound"]
        content["points"] = {"n": len(mean), "z": _packed(mean), "bound": _packed(bound)}
    if trained.config.dataset == "mnist":
        content |= _labelled(content["points"])
        log_var = _layer(encoder.log_var, encoder.log_var_factor)
        hidden = [_layer(layer) for layer in _linear(encoder.hidden)]
        content["encoder"] = {
            "activation": encoder.activation,
            "hidden": hidden,
            "mean": _layer(encoder.mean),
            "logVar": log_var,
        }
    write_text(target, json.dumps(content))


def _labelled(points: dict[str, Any] | None) -> dict[str, Any]:
    """The points with their classes, and an image of each class."""
    mnist = load_dataset("mnist")
    assert mnist.labels is not None  # MNIST comes with the project
    labels = mnist.labels["test"]
    first = [int(torch.argmax((labels == digit).int())) for digit in range(10)]
    pixels = (mnist.test[first] * 255).round().numpy().astype(np.uint8)
    if points is not None:
        classes = labels[: points["n"]].numpy().astype(np.uint8)
        points = {"n": points["n"], "z": points["z"], "label": _encoded(classes)}
    return {"points": points, "digits": [_encoded(image) for image in pixels]}


def _linear(layers: Iterable[nn.Module]) -> list[nn.Linear]:
    return [layer for layer in layers if isinstance(layer, nn.Linear)]


def _layer(layer: nn.Linear, factor: float = 1.0) -> dict[str, Any]:
    n_out, n_in = layer.weight.shape
    return {"nIn": n_in, "nOut": n_out, "weight": _packed(layer.weight * factor), "bias": _packed(layer.bias)}


def _packed(values: Tensor) -> str:
    return _encoded(values.numpy().astype("<f2"))


def _encoded(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()
