"""Tables and sentences of the pages, each computed from the published results whenever the site is built."""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from aevb import shipped
from harness.command.arguments import parser
from harness.experiments.config import Config
from harness.experiments.paper import EXPERIMENTS
from harness.experiments.paper_curves import read_published
from harness.figures.agreement import agreement
from harness.figures.compare import label, scientific
from harness.figures.reestimate import format_bias
from harness.figures.show import by_methods, in_panels
from harness.figures.summary import format_summary, on_the_whole, unexplained
from harness.studies.choices.table import format_choices
from harness.studies.gaps.table import format_gaps
from harness.studies.marginal import table as marginal
from harness.studies.models.table import format_models
from harness.studies.reparameterization import table as trick
from harness.studies.step_sizes.table import format_step_sizes
from harness.timing import race, step
from harness.timing.devices import read_roofs, read_steps
from harness.timing.history import compare_commits, read_history
from harness.timing.roofline import format_roofs
from harness.timing.tables import format_times, readable

OF_SIZE = {"n_latent": "latent", "n_train": "train"}  # options
NONE_YET = "No results of this are published yet: the command above computes them."


def summary(figure: int) -> str:
    """What a figure's command prints last: every curve beside the paper's."""
    comparison, distances = _compared(figure)
    return _fenced(format_summary(comparison, distances, (*EXPERIMENTS[figure].key, "split")))


def whole(figure: int) -> str:
    """How many of a figure's curves agree with the paper's, how well, and which do not: sentences."""
    distances = _compared(figure)[1]
    return " ".join(f"{told}." for told in (on_the_whole(distances), unexplained(distances)) if told)


def reach(figure: int) -> str:
    """How many samples the longest run of each curve has seen."""
    experiment = EXPERIMENTS[figure]
    runs = in_panels(pd.read_csv(shipped.RESULTS / f"figure{figure}" / "runs.csv"), experiment, "author")
    ends = by_methods(runs, experiment, ()).pivot_table(
        index=["dataset", "method"], columns=experiment.size, values="samples", aggfunc="max", sort=False
    )
    ends = ends.sort_index(axis=1).map(lambda n: "–" if pd.isna(n) else scientific(n)).reset_index()
    ends["dataset"], ends["method"] = ends["dataset"].map(label), ends["method"].map(label)
    return _fenced(ends.rename(columns={"n_latent": "N_z"}).to_string(index=False))


def tried(figure: int) -> str:
    """What else than the protocol was tried: distances of curves from the paper's, with it and with a change.

    Both are of equal seeds, over the range that the changed runs have; protocols that change the data, or nothing of
    this curve, are no tries. Of figure 2 test curves are compared, whose training curves are running means; of figure
    3 both.
    """
    experiment = EXPERIMENTS[figure]
    curves = pd.read_csv(shipped.RESULTS / f"figure{figure}" / f"figure{figure}.csv")
    paper, key, rows = read_published(figure), [*experiment.key], []
    if figure == 2:
        curves = curves[curves["split"] == "test"]
    changed = curves[(curves["protocol"] != "author") & ~curves["protocol"].str.contains("n_train=")]
    for names, runs in changed.groupby(["protocol", *key, "split"]):
        protocol, dataset, size, method, split = map(str, names)
        one, other = (
            experiment.configs(each, [dataset], [0], methods=[method], sizes=[int(size)])[0]
            for each in ("author", protocol)
        )
        if replace(other, protocol="author") == one:
            continue
        of_curve, seeds = (curves[[*key, "split"]] == [*names][1:]).all(axis=1), sorted(runs["seed"].unique())
        end = runs.groupby("seed")["samples"].max().min()
        both = curves[of_curve & curves["seed"].isin(seeds) & curves["protocol"].isin([protocol, "author"])]
        distances = agreement(
            both[both["samples"] <= end], paper, experiment.compared_from, (*key, "split"), experiment.measure
        )
        found = {str(row["protocol"]): row for row in distances.to_dict("records")}
        if {"author", protocol} <= {*found} and distances["seeds"].nunique() == 1:
            task = f"--figure {figure} --dataset {dataset} --{OF_SIZE[experiment.size]} {size} --method {method}"
            rows.append(
                {
                    "curve": f"{label(dataset)} {size}, {label(method)}{f', {split}' if figure == 3 else ''}",
                    "instead": f"`{protocol.partition('+')[2]}`",
                    "seeds": ", ".join(map(str, seeds)), "up to": scientific(found[protocol]["end"]),
                    "RMS with the protocol": f"{found['author']['rms']:.1f}",
                    "RMS instead": f"{found[protocol]['rms']:.1f}",
                    "command": f"`{task} --seed {' '.join(map(str, seeds))} --samples {end:.0f} --protocol {protocol}`",
                }
            )  # fmt: skip
    return _markdown(pd.DataFrame(rows)) if rows else NONE_YET


def better_estimates() -> str:
    """How far figure 3's estimates lie from better ones, where some are published."""
    path = shipped.RESULTS / "figure3" / "reestimates.csv"
    return _fenced(format_bias(pd.read_csv(path), EXPERIMENTS[3].key)) if path.exists() else NONE_YET


def methods(protocol: str = "author") -> str:
    """Test bounds of figure 2's panels that have other methods than the paper's, where the last of all ends."""
    table = in_panels(pd.read_csv(shipped.RESULTS / "figure2" / "comparison.csv"), EXPERIMENTS[2], protocol)
    table = table[table["split"] == "test"]
    parts = []
    for (dataset, size), panel in table.groupby(["dataset", "n_latent"], sort=False):
        names = [*panel["method"].drop_duplicates()]
        if set(names) <= {*EXPERIMENTS[2].methods}:
            continue
        reached = panel.groupby("samples")["method"].nunique()
        by_all = reached[reached == len(names)].index
        if by_all.empty:
            continue
        at = float(by_all.max())
        rows = panel[panel["samples"] == at].to_dict("records")
        cells = {label(row["method"], 24): f"{row['ours']:.1f} ± {row['standard_error']:.1f}" for row in rows}
        parts.append({"panel": f"{label(str(dataset))}, N_z = {size}", "samples": scientific(at), **cells})
    return _markdown(pd.DataFrame(parts).fillna("–")) if parts else NONE_YET


def errors(demo: str) -> str:
    """How far the images of a demo are from the truth."""
    table = pd.read_csv(shipped.RESULTS / "demos" / demo / "errors.csv")
    return _fenced(table.to_string(index=False, float_format="{:.2f}".format))


def study(name: str) -> str:
    """What the command of a study prints, from its published tables; a sentence where there are none."""
    tables, form = STUDIES[name]
    paths = [shipped.RESULTS / "studies" / name / f"{table}.csv" for table in tables]
    if not all(path.exists() for path in paths):
        return NONE_YET
    return _fenced(form(*map(pd.read_csv, paths)))


def verdicts(name: str) -> str:
    """What a study says of the paper's claims, a paragraph for each claim."""
    folder = shipped.RESULTS / "studies" / name
    if name == "marginal":
        return marginal.verdict(pd.read_csv(folder / "marginal.csv"))
    texts = trick.verdicts(*(pd.read_csv(folder / f"{table}.csv") for table in STUDIES[name][0]))
    return "\n\n".join(texts)


def times() -> str:
    """Time until a bound that all methods of a panel reach."""
    return _fenced(format_times(pd.read_csv(shipped.RESULTS / "benchmarks" / "time_to_bound.csv")))


def benchmarks() -> str:
    """What was timed, for each machine that has published its times: a table of Markdown for each suite."""
    parts = []
    for path in sorted((shipped.RESULTS / "benchmarks").glob("*.json")):
        parts.append(f"### {json.loads(path.read_text())['environment']['device']}")
        table = readable(pd.read_csv(path.with_suffix(".csv"), dtype={"hidden": str}).fillna({"hidden": "–"}))
        table["method"] = table["method"].map(label)
        for suite, rows in table.groupby("suite", sort=False):
            shown = rows.drop(columns="suite").replace("nan", "–")
            shared = {name: shown[name].iloc[0] for name in shown if shown[name].nunique() == 1}
            said = ", ".join(f"{name} {value}" for name, value in shared.items() if value != "–")
            parts += [f"**{suite}** ({said})", _markdown(shown.drop(columns=[*shared]))]
    return "\n\n".join(parts)


def roofs() -> str:
    """What bounds each machine that was timed."""
    found = read_roofs(shipped.RESULTS / "benchmarks")
    return _for_devices(found, lambda rows: _markdown(format_roofs(rows)))


def steps() -> str:
    """Where a step's time goes, for each machine on which steps were taken apart."""
    return _for_devices(read_steps(shipped.RESULTS / "benchmarks"), lambda rows: _markdown(step.cells(rows)))


def to_target() -> str:
    """Time to a target on each machine, and what is said of it."""
    path = shipped.RESULTS / "benchmarks" / "to_target.csv"
    if not path.exists():
        return NONE_YET
    return _for_devices(
        pd.read_csv(path), lambda rows: "\n\n".join([_markdown(race.cells(rows)), *race.sentences(rows)])
    )


def history() -> str:
    """Rates of the last two commits of each machine; a sentence where none has two."""
    changes = compare_commits(read_history(shipped.RESULTS / "benchmarks"))
    return _markdown(changes) if len(changes) else "No machine has published times of two commits yet."


def is_published(name: str) -> bool:
    """The project comes with this file of results."""
    return (shipped.RESULTS / name).exists()


def _for_devices(table: pd.DataFrame, form: Callable[[pd.DataFrame], str]) -> str:
    parts = [f"**{device}**\n\n{form(rows)}" for device, rows in table.groupby("device", sort=False)]
    return "\n\n".join(parts) or NONE_YET


def drawn_from(figure: int) -> str:
    """Which models the published picture of a figure shows, and how far they were trained."""
    runs = json.loads((shipped.RESULTS / f"figure{figure}" / f"figure{figure}.json").read_text())["runs"]
    texts = []
    for run in runs:
        path = shipped.RESULTS / "runs" / PurePosixPath(run["folder"]).name / "config.json"
        texts.append(f"{Config.from_json(path.read_text()).name} after {scientific(run['samples'])} samples")
    return ", ".join(texts)


def models() -> str:
    """The trained models that come with the project: Markdown."""
    entries = json.loads((shipped.RESULTS / "models.json").read_text())
    rows = [
        f"| {label(entry['dataset'])} | {entry['n_latent']} | {label(entry['method'])} "
        f"| {scientific(entry['samples'])} | {entry['bytes'] / 1e6:.1f} |"
        for entry in sorted(entries, key=lambda entry: (entry["dataset"], entry["n_latent"]))
    ]
    return "\n".join(["| dataset | N_z | method | training samples | MB |", "|---|--:|---|--:|--:|", *rows])


def workflow() -> str:
    """The workflow of the check, as it is."""
    path = Path(__file__).resolve().parents[2] / ".github" / "workflows" / "check.yml"
    return f"```yaml\n{path.read_text().rstrip()}\n```"


def options() -> str:
    """`--help` in full."""
    command: argparse.ArgumentParser = parser()
    return _fenced(command.format_help())


def _compared(figure: int) -> list[pd.DataFrame]:
    """Differences and distances of a figure's panels and methods, protocol "author"."""
    folder, experiment = shipped.RESULTS / f"figure{figure}", EXPERIMENTS[figure]
    tables = (pd.read_csv(folder / f"{name}.csv") for name in ("comparison", "agreement"))
    return [by_methods(in_panels(table, experiment), experiment) for table in tables]


def _markdown(table: pd.DataFrame) -> str:
    """Numbers to the right."""
    texts = table.astype(str)
    marks = ["--:" if texts[name].str.fullmatch(r"[\d.,%–]+|all").all() else "---" for name in texts]
    rows = [[*map(str, texts)], marks, *texts.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _fenced(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```"


STUDIES: Mapping[str, tuple[tuple[str, ...], Callable[..., str]]] = {
    "marginal": (("marginal",), marginal.format_study),
    "reparameterization": (("variance", "curves"), trick.format_study),
    "choices": (("choices",), format_choices),
    "step-sizes": (("step-sizes",), format_step_sizes),
    "gaps": (("gaps",), format_gaps),
    "models": (("models",), format_models),
}
TABLES: Mapping[str, Any] = {
    each.__name__: each
    for each in (
        *(summary, whole, tried, methods, errors, study, verdicts, drawn_from, models, workflow, options, is_published),
        *(reach, better_estimates, times, benchmarks, roofs, steps, to_target, history),
    )
}
