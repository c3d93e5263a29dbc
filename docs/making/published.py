"""Tables and sentences of the pages, each computed from the published results whenever the site is built."""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from aevb import shipped
from docs.making import curves, machines
from docs.making.markup import NONE_YET, fenced
from harness.command import evaluate
from harness.command.arguments import parser
from harness.experiments.config import Config
from harness.figures.compare import label, scientific
from harness.studies.choices.table import format_choices
from harness.studies.gaps.table import format_gaps
from harness.studies.marginal import table as marginal
from harness.studies.models.table import format_models
from harness.studies.reparameterization import table as trick
from harness.studies.step_sizes.table import format_step_sizes


def errors(demo: str) -> str:
    """How far the images of a demo are from the truth."""
    table = pd.read_csv(shipped.RESULTS / "demos" / demo / "errors.csv")
    return fenced(table.to_string(index=False, float_format="{:.2f}".format))


def study(name: str) -> str:
    """What the command of a study prints, from its published tables; a sentence where there are none."""
    tables, form = STUDIES[name]
    paths = [shipped.RESULTS / "studies" / name / f"{table}.csv" for table in tables]
    if not all(path.exists() for path in paths):
        return NONE_YET
    return fenced(form(*map(pd.read_csv, paths)))


def verdicts(name: str) -> str:
    """What a study says of the paper's claims, a paragraph for each claim."""
    folder = shipped.RESULTS / "studies" / name
    if name == "marginal":
        return marginal.verdict(pd.read_csv(folder / "marginal.csv"))
    texts = trick.verdicts(*(pd.read_csv(folder / f"{table}.csv") for table in STUDIES[name][0]))
    return "\n\n".join(texts)


def is_published(name: str) -> bool:
    """The project comes with this file of results."""
    return (shipped.RESULTS / name).exists()


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
    """`--help` in full, of the command and of `evaluate`."""
    command = parser()
    both: tuple[argparse.ArgumentParser, ...] = (command, evaluate.parser(command.prog))
    return "\n\n".join(fenced(each.format_help()) for each in both)


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
        *(errors, study, verdicts, drawn_from, models, workflow, options, is_published),
        *(curves.summary, curves.whole, curves.reach, curves.apart, curves.each_seed, curves.tried),
        *(curves.better_estimates, curves.methods),
        *(machines.times, machines.benchmarks, machines.roofs, machines.contests, machines.steps, machines.to_target),
        machines.history,
    )
}
