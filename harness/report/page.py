"""From the store to the page. It reads files and never loads torch."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from aevb import shipped
from harness.claims.measure import from_json
from harness.claims.show import STORED, tabulate
from harness.experiments.describe import choices_table
from harness.experiments.paper import EXPERIMENTS
from harness.figures.compare import LABELS
from harness.figures.panel import OURS, PAPER
from harness.report.figures import figure_section
from harness.report.inventory import DATASETS, DEMOS, inventory
from harness.report.picture import Embedded, Picture, embed, pictures
from harness.report.source import Source, benchmark_source, folder_source, picture_sources, run_source
from harness.report.table import Table, benchmark_table, csv_table, marginal_tables, text_table, variance_table
from harness.report.text import page_strings, translator
from harness.store.shelves import Shelves
from harness.store.tables import read_json, read_table
from harness.studies.choices import table as choices
from harness.studies.marginal.table import claim_holds, worst_errors
from harness.studies.step_sizes import table as step_sizes
from harness.studies.verdict import holds

MAX_CHARACTERS = 3_900_000
CLAIM_COLUMNS = ("verdict", "id", "claim", "where", "decided by", "seeds", "core-hours")
SCRIPTS = ("page.js", "chart.js", "network.js", "trick.js", "plane.js", "explorer.js", "drawing.js")


@dataclass(frozen=True)
class Part:
    """A study, a demo or a figure of pictures: what the store has of it."""

    folder: Path
    pictures: list[Picture]
    tables: list[Table]
    sources: list[Source]

    @property
    def empty(self) -> bool:
        """Nothing is there."""
        return not (self.pictures or self.tables)


def render(shelves: Shelves, protocol: str, command: Callable[[str], str]) -> str:
    """The page as HTML, of the reader's results and, for what they lack, of those that come with the project.

    Args:
        shelves: where the results are.
        protocol: of figures 2 and 3.
        command: completes a task's options to the command line that makes what is missing.
    """
    figures = [figure_section(number, shelves, protocol) for number in EXPERIMENTS]
    models = {name: path for name in DATASETS if (path := shelves.own / "models" / f"{name}.json").exists()}
    shown = {name: read_json(path, dict) for name, path in models.items()}
    folders = [*shelves.published_runs(), *shelves.own_runs()]
    runs = {(folder.path.name, folder.published): run_source(folder) for folder in folders}
    origins = {
        name: runs.get((str(content.get("run")), bool(content.get("published")))) for name, content in shown.items()
    }
    shown = {name: content for name, content in shown.items() if origins[name] is not None}
    folder = partial(_folder_of, shelves)
    parts = {
        "figure4": _pictures(folder("figure4")),
        "figure5": _pictures(folder("figure5")),
        **{
            f"demo.{demo}.{dataset}": _demo(folder("demos", f"{dataset}-{demo}"), LABELS[dataset])
            for demo, dataset in product(DEMOS, DATASETS)
        },
        "study.choices": _choices(folder("studies", "choices")),
        "study.step-sizes": _step_sizes(folder("studies", "step-sizes")),
        "study.marginal": _marginal(folder("studies", "marginal")),
        "study.reparameterization": _reparameterization(folder("studies", "reparameterization")),
        "benchmarks": _benchmarks(folder("benchmarks")),
        "claims": _claims(folder("claims")),
    }
    has = {name: not part.empty for name, part in parts.items()}
    published = {name for name, part in parts.items() if not part.empty and shelves.is_published(part.folder)}
    sources = [source for figure in figures for source in figure.sources]
    sources += [source for part in parts.values() if not part.empty for source in part.sources]
    sources += [origin for origin in origins.values() if origin is not None]
    worst = _worst(folder("studies", "marginal") / "marginal.csv")
    environment = Environment(
        loader=PackageLoader("harness.report", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    template = environment.get_template("template.html")

    def page(images: dict[Path, Embedded]) -> str:
        return template.render(
            t=translator(environment), figures=figures, parts=parts, images=images, labels=LABELS,
            inks={"ours": OURS.colours, "paper": PAPER.colours}, demos=DEMOS, datasets=DATASETS,
            protocol=protocol, published=published, choices=choices_table(protocol.partition("+")[0]),
            inventory=inventory(figures, shown, has, command), command=command,
            sources=list({source.id: source for source in sources}.values()), worst=worst,
            claim=holds(claim_holds(worst)), models=list(shown), strings=data(page_strings()),
            model_data=data({name: content | {"source": origin.id} for name, content in shown.items()
                             if (origin := origins[name]) is not None}),
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
    return Part(folder, found, [], [source for picture in found for source in picture.sources])


def _demo(folder: Path, title: str) -> Part:
    """A demo's pictures and its table of errors, for one dataset."""
    found = _pictures(folder, title)
    origins = picture_sources(f"picture-{folder.name}-provenance", title, folder / "provenance.json")
    tables = [csv_table(path, origins[0].id, title) for path in sorted(folder.glob("*.csv"))]
    return Part(folder, found.pictures, tables, [*found.sources, *origins])


def _folder(folder: Path, name: str) -> Part:
    """All pictures and tables of a folder; their origin is what lies beside them."""
    origin = folder_source(name, name.removeprefix("study-"), folder)
    tables = [csv_table(path, name) for path in sorted(folder.glob("*.csv"))]
    shown = [Picture(path.stem, path, [origin]) for path in sorted(folder.glob("*.png"))]
    return Part(folder, shown, tables, [origin])


def _benchmarks(folder: Path) -> Part:
    """A table for each device, and the pictures, whose origin is all of them."""
    devices = sorted(folder.glob("*.json"))
    origins = [benchmark_source(f"benchmarks-{path.stem}", path) for path in devices]
    tables = [benchmark_table(path, origin.id) for path, origin in zip(devices, origins, strict=True)]
    shown = [Picture(path.stem, path, origins) for path in sorted(folder.glob("*.png"))]
    return Part(folder, shown, tables, origins)


def _claims(folder: Path) -> Part:
    path = folder / STORED
    tables = [text_table("", tabulate(from_json(path))[[*CLAIM_COLUMNS]], "claims")] if path.exists() else []
    source = Source("claims", "claims", str(path), {"command": "python reproduce.py --claims"})
    return Part(folder, [], tables, [source])


def _choices(folder: Path) -> Part:
    path, name = folder / "choices.csv", "study-choices"
    tables = [text_table("choices", choices.cells(read_table(path)), name)] if path.exists() else []
    return replace(_folder(folder, name), tables=tables)


def _step_sizes(folder: Path) -> Part:
    path, name = folder / "step-sizes.csv", "study-step-sizes"
    tables = [text_table("", step_sizes.cells(step_sizes.picks(read_table(path))), name)] if path.exists() else []
    return replace(_folder(folder, name), tables=tables)


def _marginal(folder: Path) -> Part:
    path, part = folder / "marginal.csv", _folder(folder, "study-marginal")
    return replace(part, tables=marginal_tables(read_table(path), "study-marginal") if path.exists() else [])


def _reparameterization(folder: Path) -> Part:
    path, name = folder / "variance.csv", "study-reparameterization"
    return replace(_folder(folder, name), tables=[variance_table(read_table(path), name)] if path.exists() else [])


def _folder_of(shelves: Shelves, *parts: str) -> Path:
    """The reader's, if it holds anything to show, else the published one."""
    own = shelves.own.joinpath(*parts)
    if any(path.suffix in (".png", ".gif", ".csv") for path in own.glob("*")):
        return own
    published = shipped.RESULTS.joinpath(*parts)
    return published if published.exists() else own


def _worst(path: Path) -> pd.DataFrame:
    return worst_errors(read_table(path)) if path.exists() else pd.DataFrame(columns=["off", "error"])
