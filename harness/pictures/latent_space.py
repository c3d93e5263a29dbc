"""Figures 4 and 5: what trained models have learned, as grids of images."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from aevb.data import frey_face, mnist
from aevb.errors import UserError
from aevb.model import GenerativeModel
from harness.experiments.config import Config
from harness.figures.compare import label, scientific
from harness.figures.plan import Plan, Request
from harness.pictures.models import load_trained
from harness.pictures.plot import Panel, plot_panels
from harness.runs.build import load
from harness.runs.streams import stream
from harness.store.find import find_run, model_runs, state_of
from harness.store.provenance import write_provenance
from harness.store.run_folder import RunFolder

SIDES: Mapping[str, int] = {"frey_face": 10, "mnist": 20}  # images along a side of figure 4, as in the paper
SAMPLES_SIDE = 10
SHAPES: Mapping[str, tuple[int, int]] = {"frey_face": frey_face.IMAGE_SHAPE, "mnist": mnist.IMAGE_SHAPE}


def manifold(model: GenerativeModel, side: int) -> Float[Tensor, "side side pixel"]:
    """E[x|z] at z = Φ⁻¹(u), u on a square grid of cell centres in the unit square; z₁ grows rightwards, z₂ upwards.

    Source: Kingma & Welling 2013, figure 4. Where the grid begins and ends, the paper does not say.
    """
    u = (torch.arange(side, dtype=torch.float64) + 0.5) / side
    z = torch.special.ndtri(u).float()
    return model.pixel_mean(torch.stack(torch.meshgrid(z, z.flip(0), indexing="xy"), -1))


def prior_samples(model: GenerativeModel, side: int, generator: torch.Generator) -> Float[Tensor, "side side pixel"]:
    """E[x|z] for side² draws z ~ N(0, I) (Kingma & Welling 2013, figure 5)."""
    return model.pixel_mean(torch.randn(side, side, model.n_latent, generator=generator))


def as_images(pixels: Float[Tensor, "*n pixel"], shape: tuple[int, int]) -> Float[np.ndarray, "*n height width"]:
    """Rows of pixels as images for print."""
    return pixels.reshape(*pixels.shape[:-1], *shape).numpy()


def image_shape(config: Config, n_pixels: int, data: Path | None) -> tuple[int, int]:
    """Height and width of a dataset's images; rows of an array that holds none are one pixel high."""
    return SHAPES.get(config.dataset) or load(config, data).image_shape or (1, n_pixels)


def publish_pictures(plan: Plan, request: Request) -> None:
    """Draw the figure for each seed, from the models that the store has, with its provenance beside it.

    The paper's panels are always there; one whose model is missing says why.

    Raises:
        UserError: the store has no model to draw.
    """
    for seed in request.seeds:
        _publish(plan, request, seed)


def _publish(plan: Plan, request: Request, seed: int) -> None:
    figure, arrays = request.experiment.figure, {job.config.dataset: job.data for job in plan.jobs}
    wanted = [job.config for job in plan.jobs if job.config.seed == seed]
    paper = request.experiment.configs(request.scale, request.protocol, request.experiment.panels, [seed])
    # Figure 4 is one row of panels, figure 5 has a row for each dataset.
    rows: dict[str, list[Panel]] = {}
    runs: list[RunFolder] = []
    for config in sorted(dict.fromkeys([*paper, *wanted]), key=lambda config: config.n_latent):
        folder = find_run(request.results, request.scale.name, config)
        row = rows.setdefault("" if figure == 4 else config.dataset, [])
        if folder is None:
            row.append(Panel(_title(figure, config), None, _why(config, plan, request)))
        else:
            runs.append(folder)
            row.append(Panel(_title(figure, config), _images(figure, folder, arrays.get(config.dataset))))
    if not runs:
        states = "; ".join(f"{panel.title}: {panel.note}" for row in rows.values() for panel in row)
        raise UserError(f"there must be trained models to draw, got {states}; train some, without --plot-only")
    name = f"figure{figure}"
    # As for the other figures, what is not the author's protocol has its name; and seed 0 is the figure.
    name += "" if request.protocol == "author" else f"-{request.protocol}"
    name += f"-seed{seed}" if seed else ""
    caption = f"protocol {request.protocol}; seed {seed}; {scientific(request.scale.samples)} training samples"
    for path in plot_panels(list(rows.values()), caption, request.folder / name):
        print(f"wrote {path}")
    write_provenance(request.folder / f"{name}.json", runs, figure=figure)
    print(f"wrote {request.folder / name}.json")


def _title(figure: int, config: Config) -> str:
    name = label(config.dataset, 24)
    return f"Learned {name} manifold" if figure == 4 else f"{name}, {config.n_latent}-D latent space"


def _why(config: Config, plan: Plan, request: Request) -> str:
    """Why there is no model."""
    if config.dataset in plan.missing:
        return f"{label(config.dataset, 24)} data missing: {plan.missing[config.dataset].remedy}"
    return state_of(RunFolder(model_runs(request.results, request.scale.name), config))


def _images(figure: int, folder: RunFolder, data: Path | None) -> Float[np.ndarray, "row column height width"]:
    config, model = folder.config, load_trained(folder).model
    if figure == 4:
        pixels = manifold(model, SIDES.get(config.dataset, 20))
    else:
        pixels = prior_samples(model, SAMPLES_SIDE, stream("figure 5", config.seed))
    return as_images(pixels, image_shape(config, model.n_pixels, data))
