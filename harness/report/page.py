"""From the store to the page. It reads files and never loads torch."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.experiments.paper import EXPERIMENTS, Scale
from harness.figures.compare import LABELS
from harness.figures.panel import OURS, PAPER
from harness.report.figures import figure_section
from harness.report.inventory import DATASETS, DEMOS, inventory
from harness.report.picture import Embedded, Picture, embed, pictures
from harness.report.source import Source, benchmark_source, folder_source, picture_sources, run_source
from harness.report.table import Table, benchmark_table, csv_table, marginal_tables, variance_table
from harness.report.text import page_strings, translator
from harness.store.collect import stored_configs
from harness.store.run_folder import RunFolder
from harness.store.tables import read_json, read_table
from harness.studies.marginal.table import claim_holds, worst_errors

MAX_CHARACTERS = 3_900_000
SCRIPTS = ("page.js", "chart.js", "network.js", "trick.js", "plane.js", "explorer.js", "drawing.js")


@dataclass(frozen=True)
class Part:
    """A study, a demo or a figure of pictures: what the store has of it."""

    pictures: list[Picture]
    tables: list[Table]
    sources: list[Source]

    @property
    def empty(self) -> bool:
        """Nothing is there."""
        return not (self.pictures or self.tables)


def render(results: Path, scale: Scale, protocol: str, command: Callable[[str], str]) -> str:
    """The page as HTML; `command` completes a task's options to the command line that makes what is missing."""
    store = results / scale.name
    figures = [figure_section(number, results, scale, protocol) for number in EXPERIMENTS]
    models = {name: path for name in DATASETS if (path := store / "models" / f"{name}.json").exists()}
    runs = [
        RunFolder(root, c) for root in (store / "models/runs", store / "figure2/runs") for c in stored_configs(root)
    ]
    shown = {name: read_json(path, dict) for name, path in models.items()}
    named = {content.get("run") for content in shown.values()}
    model_runs = {run.path.name: run for run in runs if run.path.name in named}
    parts = {
        "figure4": _pictures(store / "figure4"),
        "figure5": _pictures(store / "figure5"),
        **{
            f"demo.{demo}.{dataset}": _demo(store / "demos" / f"{dataset}-{demo}", LABELS[dataset])
            for demo, dataset in product(DEMOS, DATASETS)
        },
        "study.marginal": _marginal(store / "marginal"),
        "study.reparameterization": _reparameterization(store / "reparameterization"),
        "benchmarks": _benchmarks(results / "benchmarks"),
    }
    sources = [source for figure in figures for source in figure.sources]
    sources += [source for part in parts.values() if not part.empty for source in part.sources]
    sources += [run_source(run) for run in model_runs.values()]
    worst = _worst(store / "marginal" / "marginal.csv")
    environment = Environment(
        loader=PackageLoader("harness.report", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    template = environment.get_template("template.html")

    def page(images: dict[Path, Embedded]) -> str:
        return template.render(
            t=translator(environment), figures=figures, parts=parts, images=images, labels=LABELS,
            inks={"ours": OURS.colours, "paper": PAPER.colours}, demos=DEMOS, datasets=DATASETS,
            protocol=protocol, scale=scale.name,
            inventory=inventory(store, figures, list(shown), command), command=command,
            sources=list({source.id: source for source in sources}.values()), worst=worst,
            claim_holds=claim_holds(worst) if len(worst) else None, models=list(shown), strings=data(page_strings()),
            model_data=data({name: content | {"source": f"run-{model_runs[content['run']].config.id}"}
                             for name, content in shown.items()}),
            data=data, style=_asset("style.css"), script=Markup("\n").join(map(_asset, SCRIPTS)),
        )  # fmt: skip

    # Charts come last and shrink well; what they leave goes to the grids of images.
    paths = [picture.path for part in parts.values() for picture in part.pictures][::-1]
    without = page({path: Embedded("", 1, 1) for path in paths})
    return page(embed(paths, MAX_CHARACTERS - len(without.encode())))


def data(value: Any) -> Markup:
    """JSON that can stand in a script element."""
    return Markup(json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c"))


def _asset(name: str) -> Markup:
    return Markup(Path(__file__).with_name(name).read_text())


def _pictures(folder: Path, title: str = "") -> Part:
    found = pictures(folder, title)
    return Part(found, [], [source for picture in found for source in picture.sources])


def _demo(folder: Path, title: str) -> Part:
    """A demo's pictures and its table of errors, for one dataset."""
    found = _pictures(folder, title)
    origins = picture_sources(f"picture-{folder.name}-provenance", title, folder / "provenance.json")
    tables = [csv_table(path, origins[0].id, title) for path in sorted(folder.glob("*.csv"))]
    return Part(found.pictures, tables, [*found.sources, *origins])


def _folder(folder: Path, name: str) -> Part:
    """All pictures and tables of a folder; their origin is what lies beside them."""
    origin = folder_source(name, name.removeprefix("study-"), folder)
    tables = [csv_table(path, name) for path in sorted(folder.glob("*.csv"))]
    shown = [Picture(path.stem, path, [origin]) for path in sorted(folder.glob("*.png"))]
    return Part(shown, tables, [origin])


def _benchmarks(folder: Path) -> Part:
    """A table for each device, and the pictures, whose origin is all of them."""
    devices = sorted(folder.glob("*.json"))
    origins = [benchmark_source(f"benchmarks-{path.stem}", path) for path in devices]
    tables = [benchmark_table(path, origin.id) for path, origin in zip(devices, origins, strict=True)]
    shown = [Picture(path.stem, path, origins) for path in sorted(folder.glob("*.png"))]
    return Part(shown, tables, origins)


def _marginal(folder: Path) -> Part:
    path = folder / "marginal.csv"
    part = _folder(folder, "study-marginal")
    return Part(
        part.pictures, marginal_tables(read_table(path), "study-marginal") if path.exists() else [], part.sources
    )


def _reparameterization(folder: Path) -> Part:
    path, name = folder / "variance.csv", "study-reparameterization"
    part = _folder(folder, name)
    return Part(part.pictures, [variance_table(read_table(path), name)] if path.exists() else [], part.sources)


def _worst(path: Path) -> pd.Series:
    return worst_errors(read_table(path)) if path.exists() else pd.Series(dtype=float)
