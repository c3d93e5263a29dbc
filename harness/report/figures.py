"""Figures 2 and 3 for the page: a chart for each panel, and the table of distances from the paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd

from harness.experiments.paper import EXPERIMENTS, Experiment
from harness.experiments.paper_curves import read_published
from harness.figures.compare import drawable, label
from harness.figures.plot2 import PAPER_ROWS
from harness.figures.plot3 import PAPER_NATS, PAPER_SAMPLES
from harness.report.charts.axis import Axis
from harness.report.charts.chart import SMALL, WIDE, Chart, Frame, Group, Legend, Plot
from harness.report.charts.curves import nats, plot
from harness.report.distances import Distances, distances
from harness.report.source import Source, paper_source, run_id, run_source
from harness.store.collect import collect
from harness.store.run_folder import RunFolder
from harness.store.shelves import Shelves

FRAMES: Mapping[int, Frame] = {2: SMALL, 3: WIDE}
COLUMNS: Mapping[int, int] = {2: 5, 3: 2}  # panels in a row, as the paper has them


@dataclass(frozen=True)
class FigureSection:
    """What the page shows of a figure.

    Attributes:
        figure: its number.
        groups: its panels, those of each dataset together.
        distances: from the paper's curves.
        sources: its runs and the paper.
        absent: curves of the paper's that have no run.
        wanted: curves of the paper's.
        published: runs that come with the project, and are not the reader's.
        runs: all of them.
    """

    figure: int
    groups: list[Group]
    distances: Distances
    sources: list[Source]
    absent: int
    wanted: int
    published: int
    runs: int


def figure_section(figure: int, shelves: Shelves, protocol: str) -> FigureSection:
    """Read a figure's runs of this protocol: the reader's, and published ones for curves that the reader has not."""
    experiment = EXPERIMENTS[figure]
    folders = [
        folder
        for folder in shelves.curves(experiment, protocol, {})
        if folder.config.protocol == protocol and _is_panel(folder, experiment)
    ]
    curves, runs = collect(folders, experiment.key, experiment.measure)
    published = read_published(figure)
    wanted = {(d, s, m) for d, sizes in experiment.panels.items() for s in sizes for m in experiment.methods}
    done = {tuple(getattr(folder.config, column) for column in experiment.key) for folder in folders}
    return FigureSection(
        figure=figure,
        groups=_groups(experiment, curves, published, runs, folders) if folders else [],
        distances=distances(curves, published, experiment, folders),
        sources=[*map(run_source, folders), paper_source(figure)],
        absent=len(wanted - done),
        wanted=len(wanted),
        published=sum(folder.published for folder in folders),
        runs=len(folders),
    )


def _is_panel(folder: RunFolder, experiment: Experiment) -> bool:
    """One of the paper's panels, or of a user's array; figure 4's models are no panel of figure 2.

    Of other methods than the paper's, the reader's own are there.
    """
    config = folder.config
    if folder.published and config.method not in experiment.methods:
        return False
    return config.dataset not in experiment.panels or getattr(config, experiment.size) in experiment.sizes(
        config.dataset
    )


def _groups(
    experiment: Experiment,
    curves: pd.DataFrame,
    published: pd.DataFrame,
    runs: pd.DataFrame,
    folders: Sequence[RunFolder],
) -> list[Group]:
    measure, key = experiment.measure, list(experiment.key[:2])
    ours, paper = drawable(curves, measure), drawable(published, measure).assign(seed=0)
    known = ((dataset, size) for dataset, sizes in experiment.panels.items() for size in sizes)
    panels = [*dict.fromkeys([*known, *zip(runs["dataset"], runs[experiment.size], strict=True)])]
    whose = {"ours": "this reproduction", "paper": "the paper"}
    legend: Legend = [
        (f"{source} {method} train", (label(method), name))
        for method in experiment.methods
        for source, name in whose.items()
    ]
    legend += [("plain train", ("train",)), ("plain test", ("test",))]
    groups: list[Group] = []
    for dataset, of_dataset in groupby(panels, key=lambda panel: panel[0]):
        charts: list[Chart] = []
        for _, size in of_dataset:
            here = {"ours": _at(ours, key, dataset, size), "paper": _at(paper, key, dataset, size)}
            # The panels of a dataset share an axis in figure 2; figure 3's two differ too much for that.
            seen = [t[t["dataset"] == dataset] for t in (ours, paper)] if experiment.figure == 2 else [*here.values()]
            ended = _at(runs, key, dataset, size)
            ids = [
                run_id(f) for f in folders if (f.config.dataset, getattr(f.config, experiment.size)) == (dataset, size)
            ]
            number = sum(len(group.charts) for group in groups) + len(charts)
            charts.append(
                Chart(
                    f"figure{experiment.figure}-{number}",
                    (f"chart.figure{experiment.figure}.panel", {"dataset": label(dataset, 24), "size": f"{size:,}"}),
                    FRAMES[experiment.figure],
                    _plots(experiment, dataset, size, here, seen),
                    [*ids, f"paper-{experiment.figure}"],
                    _ended(ended[ended["status"] != "finished"]),
                )
            )
        groups.append(Group(f"figure{experiment.figure}", charts, COLUMNS[experiment.figure], legend))
    return groups


def _at(table: pd.DataFrame, key: list[str], dataset: str, size: int) -> pd.DataFrame:
    return table[(table[key] == [dataset, size]).all(axis=1)]


def _ended(runs: pd.DataFrame) -> list[tuple[str, str, str]]:
    return [
        (label(str(method)), str(status), ", ".join(map(str, sorted(group["seed"]))))
        for (method, status), group in runs.groupby(["method", "status"])
    ]


def _plots(
    experiment: Experiment, dataset: str, size: int, here: Mapping[str, pd.DataFrame], seen: Sequence[pd.DataFrame]
) -> list[Plot]:
    """The reader's range, as far as the runs of this dataset go; and the paper's, where it has this panel."""
    measure, frame = experiment.measure, FRAMES[experiment.figure]
    end = float(seen[0]["samples"].max()) if len(seen[0]) else 0.0
    across = frame.left, frame.right
    if experiment.figure == 2:
        first = 1e5 if end >= 2e5 or not end else 1e4
        own = Axis(first, max(end, 10 * first), *across, log=True)
        begin = min(5e5, end or 5e5)
    else:
        own = Axis(0, 1.05 * end or PAPER_SAMPLES, *across, unit=1e6)
        begin = own.high / 30
    views = [("ours", own, nats(seen, measure, (begin, own.high)))]
    if size in experiment.panels.get(dataset, ()):
        views.append(("paper", *_as_printed(experiment.figure, dataset, size, across)))
    return [plot(name, frame, x, limits, here, measure, experiment.compared_at) for name, x, limits in views]


def _as_printed(figure: int, dataset: str, size: int, across: tuple[float, float]) -> tuple[Axis, tuple[float, float]]:
    """The axes of the paper's panel."""
    if figure == 3:
        return Axis(0, PAPER_SAMPLES, *across, unit=1e6), PAPER_NATS[dataset, size]
    (row,) = (row for row in PAPER_ROWS if row.dataset == dataset)
    assert row.nats is not None  # the paper's rows have them
    return Axis(*row.samples, *across, log=True), row.nats
