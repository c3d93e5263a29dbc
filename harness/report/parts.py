"""Studies, demos, benchmarks and figures of pictures: what the store has of each, the reader's or the published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

from harness.claims.measure import from_json
from harness.claims.show import STORED
from harness.claims.show import tabulate as tabulate_claims
from harness.experiments.paper import DEMOS
from harness.figures.compare import LABELS
from harness.report.charts import choices, marginal, reparameterization
from harness.report.charts.chart import Group
from harness.report.inventory import DATASETS
from harness.report.picture import Picture, pictures
from harness.report.source import Source, folder_source, picture_sources, table_of
from harness.report.speed import speed
from harness.report.table import Table, csv_table, marginal_tables, text_table, variance_table
from harness.store.shelves import Shelves
from harness.studies.choices import table as choices_table
from harness.studies.gaps import table as gaps_table
from harness.studies.models import table as models_table
from harness.studies.step_sizes import table as step_sizes

CLAIM_COLUMNS = ("verdict", "id", "claim", "where", "seeds", "core-hours", "GPU-hours")
SHOWN = (".png", ".gif", ".csv", ".json")


@dataclass(frozen=True)
class Part:
    """What the page shows of one of them."""

    folder: Path
    pictures: list[Picture] = field(default_factory=list)
    charts: list[Group] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    forest: choices.Forest | None = None
    forest_legend: Sequence[tuple[str, str]] = ()

    @property
    def empty(self) -> bool:
        """Nothing is there."""
        return not (self.pictures or self.charts or self.tables)


def all_parts(shelves: Shelves) -> Mapping[str, Part]:
    """Every part of the page by its name."""
    made = {name: _pictures(folder_of(shelves, name)) for name in ("figure4", "figure5")}
    for demo, dataset in product(DEMOS, DATASETS):
        made[f"demo.{demo}.{dataset}"] = _demo(folder_of(shelves, "demos", f"{dataset}-{demo}"), LABELS[dataset])
    for name, study in STUDIES.items():
        made[f"study.{name}"] = study(folder_of(shelves, "studies", name))
    made["claims"] = _claims(folder_of(shelves, "claims"))
    folder = folder_of(shelves, "benchmarks")
    return made | {"benchmarks": Part(folder, **vars(speed(folder)))}


def folder_of(shelves: Shelves, *parts: str) -> Path:
    """The reader's, if it holds anything to show, else the published one; the reader's where there is neither."""
    return shelves.folder(*parts, kinds=SHOWN) or shelves.own.joinpath(*parts)


def _pictures(folder: Path, title: str = "") -> Part:
    found = pictures(folder, title)
    return Part(folder, found, sources=[source for picture in found for source in picture.sources])


def _demo(folder: Path, title: str) -> Part:
    """A demo's pictures and its table of errors, for one dataset."""
    found = _pictures(folder, title)
    origins = picture_sources(f"picture-{folder.name}-provenance", title, folder / "provenance.json")
    tables = [csv_table(path, origins[0].id, title) for path in sorted(folder.glob("*.csv"))]
    return Part(folder, found.pictures, tables=tables, sources=[*found.sources, *origins])


def _study(folder: Path, name: str, charts: list[Group], tables: list[Table]) -> Part:
    return Part(folder, charts=charts, tables=tables, sources=[folder_source(f"study-{name}", name, folder)])


def _choices(folder: Path) -> Part:
    table = table_of(folder / "choices.csv")
    if table is None:
        return _study(folder, "choices", [], [])
    cells = text_table("", choices_table.cells(table), "study-choices")
    part = _study(folder, "choices", [], [cells])
    return replace(part, forest=choices.forest(table), forest_legend=choices.legend(table))


def _step_sizes(folder: Path) -> Part:
    table = table_of(folder / "step-sizes.csv")
    found = [] if table is None else [step_sizes.cells(step_sizes.picks(table))]
    return _study(folder, "step-sizes", [], [text_table("", cells, "study-step-sizes") for cells in found])


def _marginal(folder: Path) -> Part:
    table, origin = table_of(folder / "marginal.csv"), "study-marginal"
    if table is None:
        return _study(folder, "marginal", [], [])
    return _study(folder, "marginal", marginal.groups(table, origin), marginal_tables(table, origin))


def _reparameterization(folder: Path) -> Part:
    variance, curves = table_of(folder / "variance.csv"), table_of(folder / "curves.csv")
    if variance is None:
        return _study(folder, "reparameterization", [], [])
    charts = reparameterization.groups(variance, curves) if curves is not None else []
    return _study(folder, "reparameterization", charts, [variance_table(variance, "study-reparameterization")])


def _gaps(folder: Path) -> Part:
    table = table_of(folder / "gaps.csv")
    found = [] if table is None else [gaps_table.cells(gaps_table.latest(table))]
    return _study(folder, "gaps", [], [text_table("", cells, "study-gaps") for cells in found])


def _models(folder: Path) -> Part:
    table = table_of(folder / "models.csv")
    found = [] if table is None or table.empty else [models_table.cells(table)]
    return _study(folder, "models", [], [text_table("", cells, "study-models") for cells in found])


STUDIES = {
    "choices": _choices,
    "step-sizes": _step_sizes,
    "gaps": _gaps,
    "models": _models,
    "marginal": _marginal,
    "reparameterization": _reparameterization,
}


def _claims(folder: Path) -> Part:
    """The verdicts; each claim's details are in the docs."""
    path = folder / STORED
    if not path.exists():
        return Part(folder)
    shown = tabulate_claims(from_json(path))[[*CLAIM_COLUMNS]]
    source = Source("claims-file", "claims", str(path), {"command": "python reproduce.py --claims"})
    return Part(folder, tables=[text_table("", shown, source.id)], sources=[source])
