"""A small store for the report's tests: the published curves, and random models with two and five latent variables."""

import base64
import json
import re
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path

import torch
from selenium.webdriver.remote.webdriver import WebDriver

from aevb import trained
from aevb.data import load_dataset
from aevb.encoder import GaussianEncoder
from harness.experiments.config import Config
from harness.pictures.models import Trained, load_trained
from harness.report.deflate import HARMLESS
from harness.report.models import SHOWN, file_name
from harness.report.page import render
from harness.report.weights import EARLIER as STEP_OF_EARLIER
from harness.report.weights import FINE, OF_LAST, ROUGH, export, export_earlier, view_of
from harness.runs.build import build_model
from harness.runs.evaluate import encode
from harness.store.environment import describe
from harness.store.shelves import KeptModel, Shelves
from harness.store.status import Status
from harness.store.tensors import save
from tests.support import ROOT, wait_until

SAMPLES, EARLIER = 10**6, 10**5
MODELS = {
    file_name(dataset, n_latent, samples if samples != SAMPLES else None).removesuffix(".json"): (
        *SHOWN.configs("author", [dataset], [0], sizes=[n_latent]),
        samples,
    )
    for dataset, n_latent, samples in (
        ("mnist", 2, SAMPLES), ("mnist", 5, SAMPLES), ("frey_face", 2, SAMPLES), ("mnist", 2, EARLIER),
    )
}  # fmt: skip
PIXELS = {"mnist": 784, "frey_face": 560}
SHAPES = {"mnist": (28, 28), "frey_face": (28, 20)}


@dataclass(frozen=True)
class Store:
    """Results, the models in it by the names that the page has for them, and the page that was made from it."""

    results: Path
    models: dict[str, Trained]
    page: Path


def command(task: str) -> str:
    return f"python reproduce.py {task}"


def make_store(folder: Path) -> None:
    """Fill it with the project's runs and studies as if they were the reader's, but for the models, and their page."""
    results = folder / "results"
    for name in ("runs", "studies/marginal"):
        shutil.copytree(ROOT / "results" / "reference" / name, results / name)
    shelves = Shelves(results)
    for name, (config, samples) in MODELS.items():
        model, path = load_trained(random_model(shelves, config, samples)), results / "models" / f"{name}.json"
        if samples != SAMPLES:
            export_earlier(model, path, view_of(kept_model(shelves, *MODELS["mnist-2"])))
        else:
            export(model, path, step=FINE if config.n_latent == 2 else ROUGH, picks=config.n_latent == 2)
    (folder / "report.html").write_text(render(shelves, "author", command))


def kept_model(shelves: Shelves, config: Config, samples: int) -> Trained:
    """One of the store's."""
    return load_trained(KeptModel(shelves.own_run(config), samples))


def read_store(folder: Path) -> Store:
    """What `make_store` has made there."""
    shelves = Shelves(folder / "results")
    models = {name: kept_model(shelves, *model) for name, model in MODELS.items()}
    return Store(shelves.own, models, folder / "report.html")


def published(n_latent: int, dataset: str = "mnist") -> Trained:
    """The model that comes with the project."""
    (config,) = SHOWN.configs("author", [dataset], [0], sizes=[n_latent])
    kept = Shelves(Path("nothing")).model(config, 1)
    assert kept is not None
    return load_trained(kept)


def settle(window: WebDriver, store: Store) -> None:
    """Wait until the page has unpacked all of its models, and the machine stands."""
    ready = "return Object.keys(models).length === arguments[0] && Boolean(machine.main?.decoded)"
    wait_until(lambda: window.execute_script(ready, len(store.models)))


def inflated(weight: str) -> bytes:
    """The bytes that a layer's weights in the page are packed from."""
    letters = {harmless: letter for letter, harmless in HARMLESS.items()}
    return zlib.decompress(base64.b85decode(weight.translate(letters)))


def unheld(page: str) -> str:
    """What a page holds deflated, as it is before: records in HTML, values of charts in JSON."""
    (text,) = re.findall(r'id="held">(.*?)</script>', page)
    content = json.loads(inflated(text))
    return str(content["records"]) + json.dumps(content["readouts"])


def in_steps(values: torch.Tensor, step: float) -> torch.Tensor:
    """The nearest multiples of the step that the page has of such weights."""
    return (values / step).round() * step


def random_model(shelves: Shelves, config: Config, samples: int) -> KeptModel:
    """A model in place of what a run kept: with large random weights, so that pictures differ from place to place.

    They are multiples of the page's steps, so that it computes with the very same, but for the plane's decoders.
    """
    coarsest = OF_LAST["logit"] * OF_LAST["mean"] * ROUGH
    step = STEP_OF_EARLIER if samples == EARLIER else coarsest
    generator = torch.Generator().manual_seed(samples)
    pixels = PIXELS[config.dataset]
    model = build_model(config, pixels, generator)
    encoder = GaussianEncoder(pixels, config.n_latent, config.hidden, generator=generator)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(in_steps(0.2 * torch.randn(parameter.shape, generator=generator), coarsest))
        for parameter in encoder.parameters():
            parameter.copy_(in_steps(0.08 * torch.randn(parameter.shape, generator=generator), step))
    folder = shelves.own_run(config)
    if folder.status() is None:
        folder.begin(describe(torch.device("cpu")))
        folder.write_status(Status("finished", SAMPLES, SAMPLES, -150.0, 1e4, 1.0, 0.02))
    for published in {*folder.model_samples()} - {SAMPLES, EARLIER}:
        folder.model(published).unlink()
    content = trained.describe(model, encoder)
    if config.dataset == "mnist":  # Frey Face's data are not to be had, as for most readers
        content["encoded"] = encode(model, encoder, load_dataset("mnist").test[:3_000])
    save(content | {"samples": samples, "image_shape": SHAPES[config.dataset]}, folder.model(samples))
    return KeptModel(folder, samples)
