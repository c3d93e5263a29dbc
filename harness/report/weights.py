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

from aevb.data import DatasetUnavailable
from aevb.estimators import evaluate_lower_bound
from harness.pictures.models import Trained, load_trained
from harness.runs.build import evaluation_generator, load, prepare
from harness.store.files import write_text
from harness.store.run_folder import RunFolder

MAX_POINTS = 3_000  # on the map
IMAGE_SHAPES = {784: (28, 28), 560: (28, 20)}


def export(run: RunFolder, data: Path | None, target: Path) -> None:
    """Write a run's decoder, its encoder and its encoded test points as JSON.

    Weights are float16, row by row, in base64. `points` are posterior means of test points, with the class of each
    where the data have labels, else its lower bound (nats); there are none where the data are not to be had. MNIST
    brings the first test image of each class, and its encoder; pictures of other datasets stay where they are.

    Args:
        run: finished, with its checkpoint.
        data: folder to look for the dataset in.
        target: the file.
    """
    trained = load_trained(run)
    model, encoder = trained.model, trained.encoder
    height, width = IMAGE_SHAPES[model.n_pixels]
    content: dict[str, Any] = {"run": run.path.name, "height": height, "width": width}
    content["decoder"] = [_layer(layer) for layer in (*_linear(model.hidden), model.output)]
    try:
        content |= _points(trained, data)
    except DatasetUnavailable:
        content["points"] = None
    if run.config.dataset == "mnist":
        log_var = _layer(encoder.log_var, encoder.log_var_factor)
        hidden = [_layer(layer) for layer in _linear(encoder.hidden)]
        content["encoder"] = {"hidden": hidden, "mean": _layer(encoder.mean), "logVar": log_var}
    write_text(target, json.dumps(content))


def _points(trained: Trained, data: Path | None) -> dict[str, Any]:
    dataset = load(trained.config, data)
    x = prepare(trained.config, dataset, torch.device("cpu")).test_points[:MAX_POINTS]
    points: dict[str, Any] = {"n": len(x), "z": _packed(trained.encoder(x).mean)}
    if dataset.labels is None:
        bound = evaluate_lower_bound(trained.model, trained.encoder, x, evaluation_generator(x.device), n_samples=10)
        points["bound"] = _packed(bound)
        return {"points": points}
    labels = dataset.labels["test"][: len(x)]
    points["label"] = _encoded(labels.numpy().astype(np.uint8))
    first = [int(torch.argmax((labels == digit).int())) for digit in range(10)]
    pixels = (x[first] * 255).round().numpy().astype(np.uint8)
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
