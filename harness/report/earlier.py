"""What a model with two latent variables was before: the reader's runs keep it, published ones as the page needs it.

A run keeps its model at every power of ten. Of the runs that come with the project the last model alone is there, for
its weight; what the page's scrubber over training needs of the earlier ones is a tenth of that.
"""

from collections.abc import Iterator
from pathlib import Path

from aevb import shipped
from harness.experiments.paper import FIGURE4
from harness.pictures.models import Trained, load_trained
from harness.report.weights import export_earlier, view_of
from harness.store.files import write_text
from harness.store.run_folder import RunFolder
from harness.store.shelves import KeptModel, Shelves

PROTOCOL = "author"


def write_earlier(last: Trained, name: Path) -> Iterator[Path]:
    """Write a file beside `name` for each model that the run had before this one, and yield it.

    Args:
        last: the run's model with two latent variables, the reader's or a published one.
        name: of the last model's file; the others have "@" and how many samples before its ending.

    Raises:
        UserError: a kept model is damaged.
    """
    view = view_of(last)
    for samples in times(last):
        target = name.with_stem(f"{name.stem}@{samples}")
        if last.folder.published:
            write_text(target, published_file(last.folder, samples).read_text(encoding="utf-8"))
        else:
            export_earlier(load_trained(KeptModel(last.folder, samples)), target, view)
        yield target


def times(last: Trained) -> list[int]:
    """After how many samples the run had a model that is still to be had, before this one."""
    folder = last.folder
    if folder.published:
        names = [path.stem for path in published_file(folder, 0).parent.glob("*.json")]
        known = sorted(int(name) for name in names if name.isdecimal())
    else:
        known = folder.model_samples()
    return [samples for samples in known if samples < last.kept.samples]


def published_file(folder: RunFolder, samples: int) -> Path:
    """Of a run that comes with the project, what the page shows of its model after so many samples."""
    return folder.path / "earlier" / f"{samples}.json"


def publish_earlier(shelves: Shelves) -> Iterator[str]:
    """Write what the store has of the models that published ones with two latent variables were; a line for each run.

    Raises:
        UserError: this is no checkout, the store is the published one, or a model is damaged.
    """
    shipped.need_checkout("--publish")
    shelves.check_own()
    for config in FIGURE4.configs(PROTOCOL, FIGURE4.panels, [0], methods=["aevb"]):
        target, own = RunFolder(shipped.RESULTS / "runs", config, published=True), shelves.own_run(config)
        if not target.model_samples():
            continue
        last = load_trained(KeptModel(target, target.model_samples()[-1]))
        found = [samples for samples in own.model_samples() if samples < last.kept.samples]
        there = times(last)
        if not {*found} >= {*there} or not found:
            yield f"left: earlier models of {config.name}: the store has {len(found)}, published are {len(there)}"
            continue
        for samples in found:
            export_earlier(
                load_trained(KeptModel(own, samples)), published_file(target, samples), view_of(last), published=True
            )
        size = sum(published_file(target, samples).stat().st_size for samples in found)
        yield f"published: {len(found)} earlier models of {config.name}, {size / 1e6:.2f} MB"
