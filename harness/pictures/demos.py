"""Demos: what a trained model can do with the images of its dataset."""

from collections.abc import Callable, Mapping

import pandas as pd
import torch

from aevb.errors import UserError
from harness.figures.request import Request
from harness.pictures.image_errors import image_error
from harness.pictures.latent_space import SAMPLES_SIDE, prior_samples
from harness.pictures.models import load_trained
from harness.pictures.plot import Panel, plot_panels, plot_strips, write_animation
from harness.pictures.restoration import denoise, inpaint
from harness.pictures.scene import SHOWN, Outcome, Scene, open_scene
from harness.pictures.shapes import as_images
from harness.runs.job import Job
from harness.store.columns import fold, format_table
from harness.store.files import write_text
from harness.store.provenance import write_provenance
from harness.store.shelves import state_of

RECONSTRUCTED = 1000  # test images
STEPS = 11  # images on a path
FRAMES = 41  # of its animation


def generate(scene: Scene) -> Outcome:
    """Means E[x|z] for draws z ~ N(0, I)."""
    images = as_images(prior_samples(scene.trained.model, SAMPLES_SIDE, scene.generator), scene.trained.shape)
    panel = Panel("E[x|z] for z drawn from the prior", images)
    return Outcome(plot_panels([[panel]], scene.caption, scene.stem))


def reconstruct(scene: Scene) -> Outcome:
    """Test images x, and E[x|z] at the mean z of q(z|x)."""
    trained, x = scene.trained, scene.data.test_points[:RECONSTRUCTED]
    images = trained.model.pixel_mean(trained.encoder(x).mean)
    mean = scene.data.train.mean(0).expand_as(x)
    errors = [
        image_error(trained.model, x, images, "reconstruction"),
        image_error(trained.model, x, mean, "mean image"),
    ]
    rows = [(x[k : k + SHOWN], images[k : k + SHOWN]) for k in (0, SHOWN) if len(x) > k]
    strips = [
        scene.strip(name, pixels)
        for pair in rows
        for name, pixels in zip(("test image", "reconstruction"), pair, strict=True)
    ]
    return Outcome([plot_strips(strips, (), scene.caption, scene.stem)], pd.DataFrame(errors), {"images": len(x)})


def interpolate(scene: Scene) -> Outcome:
    """E[x|z] on the straight line in z between the means of q(z|x) for two test images, as a strip and as a film."""
    first, last = (scene.data.test_points[point] for point in scene.points)
    ends = scene.trained.encoder(torch.stack((first, last))).mean

    def path(steps: int) -> torch.Tensor:
        t = torch.linspace(0, 1, steps)[:, None]
        return scene.trained.model.pixel_mean((1 - t) * ends[0] + t * ends[1])

    strip = torch.cat((first[None], path(STEPS), last[None]))
    headings = ["from", *(f"{t:.1f}" for t in torch.linspace(0, 1, STEPS)), "to"]
    ends_named = "a straight path in latent space, from test image {} to test image {}".format(*scene.points)
    strips = [scene.strip("", strip, len(strip))]
    picture = plot_strips(strips, headings, f"{ends_named}; {scene.caption}", scene.stem)
    film = write_animation(as_images(path(FRAMES), scene.trained.shape), scene.stem)
    return Outcome([picture, film], settings={"points": scene.points})


DEMOS: Mapping[str, Callable[[Scene], Outcome]] = {
    "generate": generate,
    "reconstruct": reconstruct,
    "interpolate": interpolate,
    "denoise": denoise,
    "inpaint": inpaint,
}


def show_demo(job: Job, request: Request, demo: str, points: tuple[int, int]) -> None:
    """Run a demo with the model of a run, the reader's or a published one; print its errors and what it wrote.

    Raises:
        UserError: there is no such model.
    """
    # As the workers do: threads that wait for each other are far slower than one where the machine is busy.
    torch.set_num_threads(1)
    kept = request.model_of(job.config)
    if kept is None:
        state = state_of(request.shelves.own_run(job.config))
        raise UserError(
            f"a demo must have a trained model; {job.config.name}: {state}; choose another --seed or --protocol"
        )
    scene = open_scene(load_trained(kept), job, request, demo, points)
    outcome = DEMOS[demo](scene)
    print(fold(scene.caption))
    if outcome.errors is not None:
        write_text(scene.stem.with_name("errors.csv"), outcome.errors.to_csv(index=False))
        numbers = outcome.errors.select_dtypes("number").columns
        shown = outcome.errors.assign(**{name: outcome.errors[name].map("{:.2f}".format) for name in numbers})
        print(format_table(shown))
    provenance = scene.stem.with_name("provenance.json")
    write_provenance(provenance, [kept], demo=demo, **outcome.settings)
    tables = [scene.stem.with_name("errors.csv")] if outcome.errors is not None else []
    for path in (*outcome.pictures, *tables, provenance):
        print(f"wrote {path}")
