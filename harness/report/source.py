"""Where the page's numbers come from: one record for each run, study, picture and figure of the paper."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from aevb import shipped
from aevb.errors import UserError
from harness.experiments.config import Config
from harness.figures.compare import label, scientific
from harness.store.run_folder import RunFolder
from harness.store.tables import Kind, read_json, read_table, reading

COMPUTING = ("torch", "numpy", "scipy")  # the packages whose versions are told


@dataclass(frozen=True)
class Source:
    """What a reader sees who asks where a number comes from.

    Attributes:
        id: of its element in the page.
        title: what was run.
        place: of its files.
        facts: what is told first; the names are keys of the page's text, "fact." before them.
        settings: all settings, by their own names.
    """

    id: str
    title: str
    place: str
    facts: Mapping[str, str]
    settings: Mapping[str, Any] = field(default_factory=dict)


def run_source(folder: RunFolder) -> Source:
    """Config, environments and outcome of a run."""
    facts: dict[str, str] = {}
    status = folder.status()
    if status is not None:
        facts |= {"status": status.state}
        facts |= {"samples": scientific(status.samples)} if status.samples else {}
        facts |= {"step_size": f"{status.step_size:g}"} if status.step_size else {}
        facts |= {"speed": f"{status.samples_per_second:,.0f}"} if status.samples_per_second else {}
        facts |= {"message": status.message} if status.message else {}
    try:
        environments = folder.environments()
    except UserError as error:
        environments, facts["message"] = [], str(error)
    return replace(_run(folder.config, str(folder.path), facts, environments), id=run_id(folder))


def folder_source(name: str, title: str, folder: Path) -> Source:
    """Settings and environment that lie beside the results of a study or a benchmark."""
    return Source(
        name,
        title,
        str(folder),
        _environment(read(folder / "environment.json", dict)),
        read(folder / "config.json", dict),
    )


def benchmark_source(name: str, path: Path) -> Source:
    """The environment in which a device was timed."""
    return Source(name, path.stem, str(path), _environment(read(path, dict).get("environment")))


def picture_sources(name: str, title: str, record: Path) -> list[Source]:
    """What the file beside a picture says: how it was drawn, then each run whose model it shows."""
    content = read(record, dict)
    with reading(record):
        drawn, runs = _environment(content.pop("drawn_with", None)), content.pop("runs", [])
        shown = [_run(Config.from_json(json.dumps(r["config"])), r["folder"], {}, r["environments"]) for r in runs]
    return [Source(name, title, str(record), drawn, content), *shown]


def paper_source(figure: int) -> Source:
    """The paper's own curves."""
    place = f"{shipped.PAPER.parent.name}/{shipped.PAPER.name}/figure{figure}.csv"
    title = f"Kingma & Welling 2013, arXiv:1312.6114, figure {figure}"
    return Source(f"paper-{figure}", title, place, {"paper": "arXiv:1312.6114"})


def run_id(folder: RunFolder) -> str:
    """Of the element that tells the origin of a run, the reader's or the published one."""
    return f"run-{folder.config.id}" + ("-published" if folder.published else "")


def _run(config: Config, place: str, outcome: Mapping[str, str], environments: Sequence[Mapping[str, Any]]) -> Source:
    facts = {"protocol": config.protocol, "seed": str(config.seed), "config": config.id}
    part = f", N = {config.n_train:,}" if config.n_train else ""
    title = f"{label(config.dataset, 40)}{part}, N_z = {config.n_latent}, {label(config.method)}, seed {config.seed}"
    return Source(f"run-{config.id}", title, place, {**facts, **outcome, **_environment(environments)}, asdict(config))


def _environment(content: Any) -> dict[str, str]:
    """Facts of the latest environment; a resumed run has several: all their commits, dates and commands are told."""
    environments = [e for e in (content if isinstance(content, list) else [content]) if e]
    if not environments:
        return {}
    last = environments[-1]
    packages, able = last.get("packages", {}), last.get("instructions")
    versions = {"Python": last.get("python", "–"), **{name: packages[name] for name in COMPUTING if name in packages}}
    commands = [e["command"] for e in environments if e.get("command")]  # older records have none
    return {
        "commit": _distinct(e.get("commit") or _installed(e) or "–" for e in environments),
        "started": _distinct(e.get("started") or "–" for e in environments),
        **({"command": _distinct(commands)} if commands else {}),
        "device": f"{last.get('device', '–')} ({last.get('device_type', '–')})",
        **({"instructions": f"{able['torch']} ({', '.join(able['processor']) or '–'})"} if able else {}),
        "threads": f"{last.get('threads', '–')} / {last.get('cores', '–')}",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "platform": str(last.get("platform", "–")),
    }


def _installed(environment: Mapping[str, Any]) -> str:
    """The project's version, for want of a commit."""
    return f"aevb {environment['version']}" if environment.get("version") else ""


def _distinct(values: Iterable[object]) -> str:
    return " · ".join(dict.fromkeys(map(str, values)))


def read(path: Path, kind: type[Kind]) -> Kind:
    """JSON of a file; empty where there is none.

    Raises:
        UserError: the file is damaged.
    """
    return read_json(path, kind) if path.exists() else kind()


def table_of(path: Path) -> pd.DataFrame | None:
    """A CSV file's table; None where there is none.

    Raises:
        UserError: the file is damaged.
    """
    return read_table(path) if path.exists() else None
