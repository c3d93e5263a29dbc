"""From a store to the results that come with the project: runs without their checkpoints, and small models."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from aevb import shipped
from aevb.errors import UserError
from aevb.estimators import evaluate_lower_bound
from aevb.trained import INDEX, build, halved
from harness.experiments.config import Config
from harness.experiments.paper import DEMO, EXPERIMENTS, PICTURES, Experiment
from harness.runs.build import evaluation_generator, load, prepare
from harness.store import invocation
from harness.store.checksums import read_checked, write_checked
from harness.store.files import write_bytes, write_text
from harness.store.records import parse_json
from harness.store.run_folder import RunFolder
from harness.store.scan import stored_configs
from harness.store.shelves import Shelves, state_of
from harness.store.tensors import load_saved, save

PROTOCOL = "author"  # of models
MOST_NATS, MOST_SHARE = 0.05, 1e-4  # that float16 may move the mean test bound: so much, or that share of it
BENCHMARKS = "benchmarks"
FILES = ("config.json", "environment.json", "curve.csv", "status.json")


def publish_runs(shelves: Shelves, data: Path | None, protocol: str = PROTOCOL) -> Iterator[str]:
    """Copy studies, benchmarks, and a figure's finished runs that reach farther than the published; a line for each.

    Models come along for the runs that figures 4 and 5 and the demos show: the last one that is kept. Their weights are
    halved, unless that moves the bound.

    Args:
        shelves: the store.
        data: folder to look for datasets in.
        protocol: of the runs.

    Raises:
        UserError: this is no checkout, or the store is the published one, or is not there.
    """
    root = shipped.RESULTS / "runs"
    shipped.need_checkout("--publish")
    shelves.check_own()
    if not shelves.own.is_dir():
        raise UserError(f"--publish copies a store, and there is none at {shelves.own}: say where with --results DIR")
    shown = {config for experiment in (*PICTURES.values(), DEMO) for config in _configs(experiment)}
    for folder in shelves.own_runs():
        config = folder.config
        figures = (*EXPERIMENTS.values(), *PICTURES.values())
        if config.protocol == protocol and any(figure.defines(config) for figure in figures):
            with folder.lock(should_stop=lambda: True) as held:  # what goes on would have files of two lengths
                if held is None:
                    yield f"left: {config.name}: another command is computing it"
                else:
                    yield _publish_run(folder, RunFolder(root, config, published=True), data, config in shown)
    for study in sorted(path for path in (shelves.own / "studies").glob("*") if path.is_dir()):
        target_of_study = shipped.RESULTS / "studies" / study.name
        for path in (path for path in study.iterdir() if path.is_file() and not path.name.startswith(".")):
            data_of_study = path.read_bytes()
            if path.name == "environment.json":
                data_of_study = without_places(data_of_study.decode()).encode()
            write_bytes(target_of_study / path.name, data_of_study)
        yield f"published: the study {study.name}, without its parts"
    yield from _benchmarks(shelves.own / BENCHMARKS)
    index = [_entry(folder) for folder in _with_models(root)]
    write_text(shipped.RESULTS / INDEX, json.dumps(index, indent=1, sort_keys=True) + "\n")
    yield f"published: {len(index)} models, {sum(entry['bytes'] for entry in index) / 1e6:.1f} MB"


def _publish_run(folder: RunFolder, target: RunFolder, data: Path | None, shown: bool) -> str:
    """Copy a run, where it is finished and farther; `shown` with its model. A line that says so, or why not."""
    status, there = folder.status(), target.status()
    farther = status is not None and (there is None or status.samples > there.samples)
    if status is None or status.state != "finished" or not farther or not folder.is_done(status.completed):
        if there and (late := {*folder.estimated_samples()} - {*target.estimated_samples()}) and _same(folder, target):
            _copy_estimates(folder, target, sorted(late))
            return f"published: {folder.config.name}, better estimates of it"
        why = "" if farther else ", no farther than what is published"
        return f"left: {folder.config.name}: {state_of(folder)}{why}"
    note = ""  # the model first: where it is not as it should be, nothing of the run is published
    if shown and folder.model_samples():
        note = _publish_model(folder, target, data)
    for name in FILES:
        content = read_checked(folder.path / name)
        write_checked(target.path / name, without_places(content) if name == "environment.json" else content)
    _copy_estimates(folder, target, folder.estimated_samples())
    return f"published: {folder.config.name}, {status.samples:,} samples{note}"


def _same(folder: RunFolder, target: RunFolder) -> bool:
    """What is published is this very curve."""
    return read_checked(folder.curve) == read_checked(target.curve)


def _copy_estimates(folder: RunFolder, target: RunFolder, counts: Iterable[int]) -> None:
    for samples in counts:
        write_checked(target.estimates(samples), read_checked(folder.estimates(samples)))


def _benchmarks(folder: Path) -> Iterator[str]:
    """Copy what was timed on each device."""
    for path in sorted(folder.glob("*.json")):
        write_text(shipped.RESULTS / BENCHMARKS / path.name, without_places(path.read_text(encoding="utf-8")))
        table = path.with_suffix(".csv")
        if table.exists():  # there is none where no case was timed
            write_bytes(shipped.RESULTS / BENCHMARKS / table.name, table.read_bytes())
        yield f"published: the benchmarks of {path.stem}, without pictures: --benchmark --plot-only draws them"


def without_places(content: str) -> str:
    """JSON of environments whose commands do not tell where on somebody's machine results and data were.

    Raises:
        UserError: one is not written as a shell takes it.
    """
    return json.dumps(_without_places(parse_json(content)), indent=1)


def _without_places(content: Any, key: str = "") -> Any:
    if isinstance(content, dict):
        return {name: _without_places(value, name) for name, value in content.items()}
    if isinstance(content, list):
        return [_without_places(value) for value in content]
    if key == "command" and isinstance(content, str):
        return invocation.without_places(content)
    return content


def _configs(experiment: Experiment) -> Iterable[Config]:
    return experiment.configs(PROTOCOL, experiment.panels, [0], methods=["aevb"])


def _publish_model(folder: RunFolder, target: RunFolder, data: Path | None) -> str:
    samples = folder.model_samples()[-1]
    content = load_saved(folder.model(samples))
    content["log_likelihood"] = {}
    half = halved(content)
    points = prepare(folder.config, load(folder.config, data), torch.device("cpu")).test_points
    bounds = []
    for state in (content, half):
        model, encoder = build(state)
        if encoder is None:
            raise UserError(f"a published model must have an encoder, {folder.config.name} has none: leave it out")
        bounds.append(float(evaluate_lower_bound(model, encoder, points, evaluation_generator("cpu")).mean()))
    kept = abs(bounds[1] - bounds[0]) <= max(MOST_NATS, MOST_SHARE * abs(bounds[0]))
    save(half if kept else content, target.model(samples))
    for older in {*target.model_samples()} - {samples}:
        target.forget_model(older)
    why = "" if kept else ", so that it stays in float32"
    return f", and its model: test bound {bounds[0]:.3f}, in float16 {bounds[1]:.3f} nats{why}"


def _with_models(root: Path) -> list[RunFolder]:
    folders = [RunFolder(root, config, published=True) for config in stored_configs(root)]
    return [folder for folder in folders if folder.model_samples()]


def _entry(folder: RunFolder) -> dict[str, Any]:
    """What `aevb.load` looks for."""
    config, samples = folder.config, folder.model_samples()[-1]
    content = folder.model(samples).read_bytes()
    return {
        "dataset": config.dataset,
        "n_latent": config.n_latent,
        "method": config.method,
        "seed": config.seed,
        "protocol": config.protocol,
        "samples": samples,
        "run": folder.path.name,
        "file": folder.model(samples).relative_to(shipped.RESULTS).as_posix(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "commit": (folder.environments() or [{}])[-1].get("commit", ""),
    }
