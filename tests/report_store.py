"""A small store for the report's tests: the published curves, and random models with two latent variables."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from aevb.encoder import GaussianEncoder
from harness.experiments.config import Config
from harness.experiments.paper import FIGURE4
from harness.pictures.models import Trained, load_trained
from harness.report.page import render
from harness.report.weights import export
from harness.runs.build import build_model
from harness.store.environment import describe
from harness.store.find import model_runs
from harness.store.run_folder import RunFolder
from harness.store.status import Status
from harness.store.tensors import save
from tests.support import ROOT

SCALE = FIGURE4.scales["quick"]
PIXELS = {"mnist": 784, "frey_face": 560}


@dataclass(frozen=True)
class Store:
    """Results, the models in it by dataset, and the page that was made from it."""

    results: Path
    models: dict[str, Trained]
    page: Path


def command(task: str) -> str:
    return f"python reproduce.py {task}"


def make_store(folder: Path) -> Store:
    """The store with its page; Frey Face's data are not to be had, as for most readers."""
    results = folder / "results"
    for name in ("figure2", "figure3", "marginal"):
        shutil.copytree(ROOT / "results" / "reference" / "quick" / name, results / "quick" / name)
    models = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AEVB_DATA_DIR", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for proxy in ("http_proxy", "https_proxy"):
            patch.setenv(proxy, "http://127.0.0.1:9")  # where nobody listens
        for config in FIGURE4.configs(SCALE, "author", FIGURE4.panels, [0]):
            run = random_run(model_runs(results, SCALE.name), config)
            models[config.dataset] = load_trained(run)
            export(run, None, results / "quick" / "models" / f"{config.dataset}.json")
    page = results / "quick" / "report.html"
    page.write_text(render(results, SCALE, "author", command))
    return Store(results, models, page)


def random_run(root: Path, config: Config) -> RunFolder:
    """A run that looks finished, with large random weights, so that pictures differ from place to place."""
    generator = torch.Generator().manual_seed(7)
    pixels = PIXELS[config.dataset]
    model = build_model(config, pixels, generator)
    encoder = GaussianEncoder(pixels, config.n_latent, config.hidden, generator=generator)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.2, generator=generator)
        for parameter in encoder.parameters():
            parameter.normal_(0, 0.08, generator=generator)
    folder = RunFolder(root, config)
    folder.begin(describe(torch.device("cpu")))
    folder.write_status(Status("finished", config.samples, -150.0, 1e4, 1.0, 0.02))
    save({"learner": {"model": model.state_dict(), "encoder": encoder.state_dict()}}, folder.checkpoint)
    return folder
