"""Figures 2 and 3 for the page: a chart for each panel, and the table of distances from the paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pandas as pd

from harness.experiments.paper import EXPERIMENTS, Experiment
from harness.experiments.paper_curves import read_published
from harness.figures.compare import compare, drawable, label, scientific
from harness.figures.plot2 import PAPER_ROWS
from harness.figures.plot3 import PAPER_SAMPLES
from harness.report.chart import LEFT, RIGHT, Axis, Chart, draw, nats
from harness.report.source import Source, paper_source, run_id, run_source
from harness.store.collect import collect
from harness.store.run_folder import RunFolder
from harness.store.shelves import Shelves


@dataclass(frozen=True)
class Row:
    """A line of the table: a curve, and ours, the paper's and the difference (nats) at each sample count."""

    name: tuple[str, ...]
    sources: list[str]
    cells: list[tuple[str, str, str]]
    seeds: int


@dataclass(frozen=True)
class FigureSection:
    """What the page shows of a figure.

    Attributes:
        figure: its number.
        charts: its panels.
        counts: sample counts that the table compares at.
        rows: of the table.
        sources: its runs and the paper.
        absent: curves of the paper's that have no run.
        wanted: curves of the paper's.
        published: runs that come with the project, and are not the reader's.
        runs: all of them.
    """

    figure: int
    charts: list[Chart]
    counts: list[str]
    rows: list[Row]
    sources: list[Source]
    absent: int
    wanted: int
    published: int
    runs: int

    @property
    def rows_of_charts(self) -> list[list[Chart]]:
        """The charts, those of each dataset and of each enlargement together."""
        return [list(group) for _, group in groupby(self.charts, key=lambda chart: (chart.enlarged, chart.dataset))]


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
    rows = _rows(compare(curves, published, experiment.compared_at, (*experiment.key, "split"), experiment.measure),
                 experiment, folders)  # fmt: skip
    return FigureSection(
        figure=figure,
        charts=_charts(experiment, curves, published, runs, folders) if folders else [],
        counts=rows[0],
        rows=rows[1],
        sources=[*map(run_source, folders), paper_source(figure)],
        absent=len(wanted - done),
        wanted=len(wanted),
        published=sum(folder.published for folder in folders),
        runs=len(folders),
    )


def _is_panel(folder: RunFolder, experiment: Experiment) -> bool:
    """One of the paper's panels, or of a user's array; figure 4's models are no panel of figure 2."""
    dataset = folder.config.dataset
    return dataset not in experiment.panels or getattr(folder.config, experiment.size) in experiment.sizes(dataset)


def _charts(
    experiment: Experiment,
    curves: pd.DataFrame,
    published: pd.DataFrame,
    runs: pd.DataFrame,
    folders: Sequence[RunFolder],
) -> list[Chart]:
    measure, key = experiment.measure, list(experiment.key[:2])
    ours, paper = drawable(curves, measure), drawable(published, measure).assign(seed=0)
    end = float(ours["samples"].max()) if len(ours) else 0.0
    panels = list(dict.fromkeys([*((d, s) for d, sizes in experiment.panels.items() for s in sizes),
                                 *zip(runs["dataset"], runs[experiment.size], strict=True)]))  # fmt: skip
    charts: list[Chart] = []
    for part, x in _axes(experiment.figure, end).items():
        for dataset, size in panels:
            mine, theirs, of_dataset, paper_dataset, ended = (
                t[(t[key] == [dataset, size]).all(axis=1)] if one else t[t["dataset"] == dataset]
                for t, one in ((ours, True), (paper, True), (ours, False), (paper, False), (runs, True))
            )
            beyond = x.get(dataset, x[""])
            # The panels of a dataset share an axis in figure 2; figure 3's two differ too much for that.
            seen = (of_dataset, paper_dataset) if experiment.figure == 2 else (mine, theirs)
            y = nats(seen, measure, (min(5e5, end or 5e5) if beyond.log else beyond.high / 30, beyond.high))
            ids = [
                run_id(f) for f in folders if (f.config.dataset, getattr(f.config, experiment.size)) == (dataset, size)
            ]
            name = f"figure{experiment.figure}-{part}{len(charts)}"
            charts.append(
                draw(
                    name,
                    dataset,
                    size,
                    beyond,
                    y,
                    mine,
                    theirs,
                    measure,
                    experiment.compared_at,
                    [*ids, f"paper-{experiment.figure}"],
                    ended,
                )
            )
    return charts


def _axes(figure: int, end: float) -> Mapping[str, Mapping[str, Axis]]:
    """Axes of samples as in the paper, for each dataset where they differ; and an enlarged one where ours end early."""
    if figure == 2:
        first = 1e5 if end >= 2e5 or not end else 1e4
        axes = {row.dataset: Axis(first, max(row.samples[1], end), LEFT, RIGHT, log=True) for row in PAPER_ROWS}
        return {"": {**axes, "": Axis(first, max(end, 10 * first), LEFT, RIGHT, log=True)}}
    whole = {"": {"": Axis(0, max(PAPER_SAMPLES, end), LEFT, RIGHT)}}
    return whole | ({"enlarged-": {"": Axis(0, 1.05 * end, LEFT, RIGHT)}} if 0 < end < PAPER_SAMPLES / 2 else {})


def _rows(
    comparison: pd.DataFrame, experiment: Experiment, folders: Sequence[RunFolder]
) -> tuple[list[str], list[Row]]:
    counts = sorted(comparison["samples"].unique())
    key = [*experiment.key, "split"]
    rows = []
    for name, curve in comparison.groupby(key, sort=False):
        at: Any = curve.set_index("samples").reindex(counts)
        cells = [
            (_number(o, "z.1f"), _number(p, "z.1f"), _number(d, "+z.1f"))
            for o, p, d in zip(at["ours"], at["paper"], at["difference"], strict=True)
        ]
        ids = [run_id(f) for f in folders if tuple(getattr(f.config, column) for column in experiment.key) == name[:3]]
        names = tuple(f"{part:,}" if isinstance(part, int) else label(str(part), 24) for part in name)
        rows.append(Row(names, ids, cells, int(curve["seeds"].max())))
    return [scientific(count) for count in counts], rows


def _number(value: float, form: str) -> str:
    return "–" if pd.isna(value) else format(value, form).replace("-", "\N{MINUS SIGN}")
