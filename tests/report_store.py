"""A small store for the report's tests: the published curves, and random models with two latent variables."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from aevb import trained
from aevb.data import load_dataset
from aevb.encoder import GaussianEncoder
from harness.experiments.config import Config
from harness.experiments.paper import FIGURE4
from harness.pictures.models import Trained, load_trained
from harness.report.page import render
from harness.report.weights import export
from harness.runs.build import build_model
from harness.runs.evaluate import encode
from harness.store.environment import describe
from harness.store.shelves import KeptModel, Shelves
from harness.store.status import Status
from harness.store.tensors import save
from tests.support import ROOT

SAMPLES = 10**6
PIXELS = {"mnist": 784, "frey_face": 560}
SHAPES = {"mnist": (28, 28), "frey_face": (28, 20)}


@dataclass(frozen=True)
class Store:
    """Results, the models in it by dataset, and the page that was made from it."""

    results: Path
    models: dict[str, Trained]
    page: Path


def command(task: str) -> str:
    return f"python reproduce.py {task}"


def make_store(folder: Path) -> Store:
    """The store with its page: the project's runs and studies as if they were the reader's, but for the models."""
    results = folder / "results"
    for name in ("runs", "studies/marginal"):
        shutil.copytree(ROOT / "results" / "reference" / name, results / name)
    shelves, models = Shelves(results), {}
    for config in FIGURE4.configs("author", FIGURE4.panels, [0]):
        models[config.dataset] = load_trained(random_model(shelves, config))
        export(models[config.dataset], results / "models" / f"{config.dataset}.json")
    page = results / "report.html"
    page.write_text(render(shelves, "author", command))
    return Store(results, models, page)


def random_model(shelves: Shelves, config: Config) -> KeptModel:
    """A model with large random weights, so that pictures differ from place to place, in place of what a run kept."""
    generator = torch.Generator().manual_seed(7)
    pixels = PIXELS[config.dataset]
    model = build_model(config, pixels, generator)
    encoder = GaussianEncoder(pixels, config.n_latent, config.hidden, generator=generator)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.2, generator=generator)
        for parameter in encoder.parameters():
            parameter.normal_(0, 0.08, generator=generator)
    folder = shelves.own_run(config)
    if folder.status() is None:
        folder.begin(describe(torch.device("cpu")))
        folder.write_status(Status("finished", SAMPLES, SAMPLES, -150.0, 1e4, 1.0, 0.02))
    for samples in folder.model_samples():
        folder.model(samples).unlink()
    content = trained.describe(model, encoder)
    if config.dataset == "mnist":  # Frey Face's data are not to be had, as for most readers
        content["encoded"] = encode(model, encoder, load_dataset("mnist").test[:3_000])
    save(content | {"samples": SAMPLES, "image_shape": SHAPES[config.dataset]}, folder.model(SAMPLES))
    return KeptModel(folder, SAMPLES)
