"""What a demo gets: a trained model, its data, and a folder to leave things in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from aevb.data import NAMES
from aevb.errors import UserError
from harness.experiments.config import Config
from harness.figures.compare import label
from harness.figures.request import Request, shortened
from harness.pictures.models import Trained
from harness.pictures.plot import Strip
from harness.pictures.shapes import as_images, is_image
from harness.runs.build import RunData, load, prepare
from harness.runs.job import Job
from harness.runs.streams import stream

SHOWN = 10  # images in a row
LONGEST_FOLDER = 255  # bytes of its name
# Test images to interpolate between, for a dataset in its usual split; of Frey Face a smile and a frown.
ENDS = {("frey_face", "shuffled"): (118, 88)}


@dataclass(frozen=True)
class Scene:
    """A trained model and the images of its dataset.

    Attributes:
        trained: the model.
        job: its run.
        points: the two test images to interpolate between.
        stem: path of what the demo writes, without the ending.
        generator: source of all randomness.
        caption: what the model is.
    """

    trained: Trained
    job: Job
    points: tuple[int, int]
    stem: Path
    generator: torch.Generator
    caption: str

    @cached_property
    def data(self) -> RunData:
        """Its training and test points; raises DatasetUnavailable where they are not to be had."""
        return load_points(self.job)

    def strip(self, name: str, pixels: Float[Tensor, "image pixel"], shown: int = SHOWN) -> Strip:
        """The first of these images, as a row of a picture."""
        return Strip(name, as_images(pixels[:shown], self.trained.shape))


@dataclass(frozen=True)
class Outcome:
    """What a demo leaves: pictures, a table of errors where there are some, and what its provenance should say."""

    pictures: list[Path]
    errors: pd.DataFrame | None = None
    settings: dict[str, Any] = field(default_factory=dict)


def load_points(job: Job) -> RunData:
    """Training and test points as the model has seen them, on the CPU."""
    return prepare(job.config, load(job.config, job.data), torch.device("cpu"))


def chosen_points(job: Job, points: Sequence[int] | None) -> tuple[int, int]:
    """The two test images to interpolate between: the user's, or the dataset's.

    Raises:
        UserError: there is no such test image, or it is twice the same.
    """
    if points is None:
        points = ENDS.get((job.config.dataset, job.config.split), (0, 1))
        if job.config.dataset in NAMES:  # which have them, and may not be here
            return points[0], points[1]
    first, last = points
    n = len(load_points(job).test_points)
    if max(points) >= n:
        if n < 2:
            raise UserError(
                f"there must be two test images to interpolate between, {job.config.dataset} has {n}: supply more data"
            )
        raise UserError(
            f"--points must be below {n}, the number of {job.config.dataset}'s test images, got {first} {last}"
        )
    if first == last:
        raise UserError(f"--points must be two different test images, got {first} twice")
    return first, last


def open_scene(trained: Trained, job: Job, request: Request, demo: str, points: tuple[int, int]) -> Scene:
    """The scene of a trained model."""
    config = trained.config
    name = f"{label(config.dataset, 24)}, N_z = {config.n_latent}, AEVB, {trained.age}"
    name += "" if is_image(trained.shape) else ", rows drawn as lines from 0 to 1"
    return Scene(
        trained=trained,
        job=job,
        points=points,
        stem=request.results / "demos" / _folder_name(demo, config, request.experiment.sizes(config.dataset)) / demo,
        generator=stream(f"demo {demo}", config.seed),
        caption=f"{name}, protocol {config.protocol}, seed {config.seed}",
    )


def _folder_name(demo: str, config: Config, sizes: Sequence[int]) -> str:
    """Of a demo's folder: each protocol, size and seed but the usual ones has its own, lest one replace another."""
    name = f"{config.dataset}-{demo}"
    unusual = {
        f"nz{config.n_latent}": (config.n_latent,) != tuple(sizes),
        config.protocol: config.protocol != "author",
        f"seed{config.seed}": config.seed != 0,
    }
    parts = "-".join(part for part, unlike in unusual.items() if unlike)
    return f"{name}-{shortened(parts, LONGEST_FOLDER - 1 - len(name.encode()))}" if parts else name
