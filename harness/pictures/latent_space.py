"""Figures 4 and 5: what trained models have learned, as grids of images."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from aevb.data import DatasetUnavailable
from aevb.errors import UserError
from aevb.model import GenerativeModel
from harness.experiments.config import Config
from harness.figures.compare import label
from harness.figures.request import Request
from harness.pictures.models import Trained, load_trained
from harness.pictures.plot import Panel, plot_panels
from harness.pictures.shapes import as_images, is_image
from harness.runs.streams import stream
from harness.store.provenance import write_provenance
from harness.store.shelves import state_of

SIDES: Mapping[str, int] = {"frey_face": 10, "mnist": 20}  # images along a side of figure 4, as in the paper
SAMPLES_SIDE = 10


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


def publish_pictures(request: Request, configs: Sequence[Config], missing: Mapping[str, DatasetUnavailable]) -> None:
    """Draw the figure for each seed, from the models that the store has, with its provenance beside it.

    The paper's panels are always there; one whose model is missing says why.

    Args:
        request: what to show.
        configs: of the runs that were asked for.
        missing: datasets that are not to be had, and why.

    Raises:
        UserError: the store has no model to draw.
    """
    for seed in request.seeds:
        _publish(request, [config for config in configs if config.seed == seed], missing, seed)


def _publish(request: Request, configs: Sequence[Config], missing: Mapping[str, DatasetUnavailable], seed: int) -> None:
    figure, experiment = request.experiment.figure, request.experiment
    paper = experiment.configs(request.protocol, experiment.panels, [seed])
    # Figure 4 is one row of panels, figure 5 has a row for each dataset.
    rows: dict[str, list[tuple[Config, Trained | None]]] = {}
    for config in sorted(dict.fromkeys([*paper, *configs]), key=lambda config: config.n_latent):
        kept = request.model_of(config)
        row = rows.setdefault("" if figure == 4 else config.dataset, [])
        row.append((config, None if kept is None else load_trained(kept)))
    shown = [trained for row in rows.values() for _, trained in row if trained]
    if not shown:
        states = "; ".join(
            f"{_title(figure, config)}: {_why(config, missing, request)}" for row in rows.values() for config, _ in row
        )
        raise UserError(f"there must be trained models to draw, got {states}; train some, without --plot-only")
    ages = list(dict.fromkeys(trained.age for trained in shown))
    panels = [
        [
            Panel(_title(figure, config), None, _why(config, missing, request))
            if trained is None
            else Panel(_title(figure, config) + (f"\n{trained.age}" if len(ages) > 1 else ""), _images(figure, trained))
            for config, trained in row
        ]
        for row in rows.values()
    ]
    name = request.name + (f"-seed{seed}" if seed else "")  # seed 0 is the figure
    caption = f"protocol {request.protocol}; seed {seed}" + (f"; {ages[0]}" if len(ages) == 1 else "")
    if not all(is_image(trained.shape) for trained in shown):
        caption += "; rows that are no images are drawn as lines, from 0 to 1"
    for path in plot_panels(panels, caption, request.folder / name):
        print(f"wrote {path}")
    write_provenance(request.folder / f"{name}.json", [trained.kept for trained in shown], figure=figure)
    print(f"wrote {request.folder / name}.json")
    for trained in shown:
        if trained.folder.published:
            print(f"published with the project, not computed here: {trained.config.name}")


def _title(figure: int, config: Config) -> str:
    name = label(config.dataset, 24)
    return f"Learned {name} manifold" if figure == 4 else f"{name}, {config.n_latent}-D latent space"


def _why(config: Config, missing: Mapping[str, DatasetUnavailable], request: Request) -> str:
    """Why there is no model."""
    if config.dataset in missing:
        return f"{label(config.dataset, 24)} data missing: {missing[config.dataset].remedy}"
    state = state_of(request.shelves.own_run(config))
    return "no model is kept" if state == "finished" else state


def _images(figure: int, trained: Trained) -> Float[np.ndarray, "row column height width"]:
    config, model = trained.config, trained.model
    if figure == 4:
        pixels = manifold(model, SIDES.get(config.dataset, 20))
    else:
        pixels = prior_samples(model, SAMPLES_SIDE, stream("figure 5", config.seed))
    return as_images(pixels, trained.shape)
