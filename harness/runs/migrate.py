"""Results of versions in which a run had one length, and each scale a folder: brought into the pool of runs."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch

from aevb.data import NAMES, DatasetUnavailable
from aevb.encoder import GaussianEncoder
from aevb.errors import UserError, one_line
from aevb.trained import describe
from harness.experiments.config import Config
from harness.runs.build import build_model, load
from harness.runs.curve import ends_on_grid
from harness.store.checksums import read_checked, write_checked
from harness.store.files import unwritable
from harness.store.locks import hold, in_turn
from harness.store.records import parse_json
from harness.store.run_folder import RunFolder
from harness.store.scan import older_runs
from harness.store.shelves import Shelves
from harness.store.status import Status, parse_status
from harness.store.tables import read_table
from harness.store.tensors import is_whole, load_saved, save

ASIDE = "before-migration"
STUDIES = ("marginal", "reparameterization")
ERRORS = (OSError, UserError, ValueError, TypeError, LookupError)  # of a file that is not what it should be


@dataclass(frozen=True)
class OlderRun:
    """A run of an older version: its folder, its config, and how far it came."""

    path: Path
    config: Config
    status: Status


def migrate(results: Path) -> list[str]:
    """Bring all older results in this folder over, and say what was done, a line for each; what was there is put aside.

    Of runs that differ in their length alone the longest is kept. One that ended between two points of its grid keeps
    its curve and its model, but not its checkpoint, in which that end has left a trace: --force computes it anew.

    Raises:
        UserError: a file cannot be read or written, or there is no such folder.
    """
    if not results.is_dir():
        raise UserError(f"--migrate needs results, and there are none at {results}: correct --results")
    if not (older_runs(results) or _with_studies(results)):
        return []
    with in_turn(results / ASIDE):
        return _migrate(results)


def _migrate(results: Path) -> list[str]:
    shelves, lines = Shelves(results), list[str]()
    found: dict[Config, list[OlderRun]] = {}
    for path in older_runs(results):
        try:
            run = _older(path)
            found.setdefault(run.config, []).append(run)
        except ERRORS as error:
            lines.append(f"left: {path}: {one_line(error)}")
    for config, runs in found.items():
        longest = max(runs, key=lambda run: run.status.samples)
        lines += [f"left, as there is a longer one: {run.path}" for run in runs if run is not longest]
        try:
            lines.append(_bring_over(longest, shelves.own_run(config)))
        except ERRORS as error:
            lines.append(f"left: {longest.path}: {one_line(error)}")
    scales = sorted({path.relative_to(results).parts[0] for path in older_runs(results)} | {*_with_studies(results)})
    for scale in sorted(scales, key=lambda scale: not scale.startswith("quick")):
        lines += _bring_studies_over(results, scale)
    for scale in scales:
        names = (f"{scale}-{k}" if k > 1 else scale for k in count(1))
        aside = next(path for name in names if not (path := results / ASIDE / name).exists())
        aside.parent.mkdir(exist_ok=True)
        (results / scale).rename(aside)
        lines.append(f"put aside: {results / scale}, to {aside}; remove it when you have what you want")
    return lines


def _older(path: Path) -> OlderRun:
    values = parse_json(read_checked(path / "config.json"))
    del values["samples"]
    status = parse_status(read_checked(path / "status.json"))
    return OlderRun(path, Config.from_json(json.dumps(values)), status)


def _bring_over(run: OlderRun, target: RunFolder) -> str:
    status, name = run.status, f"{run.config.name}, {run.status.samples:,} samples"
    with hold(target.path / ".lock"):
        there = target.status()
        if there is not None and there.samples >= status.samples:
            return f"left, as there is one as long: {run.path}"
        curve = _rows(run)
        on_grid = ends_on_grid(run.config, [int(row["samples"]) for row in curve])
        for file in ("config.json", "environment.json"):
            content = run.config.to_json() if file == "config.json" else read_checked(run.path / file)
            write_checked(target.path / file, content)
        target.write_curve(curve, durable=True)
        _bring_estimates_over(run, target)
        notes = _bring_tensors_over(run, target, keep_checkpoint=on_grid or not status.final)
        target.write_status(status, durable=True)
    return f"brought over: {name}, to {target.path}" + "".join(f"; {note}" for note in notes)


def _rows(run: OlderRun) -> list[dict[str, Any]]:
    path = run.path / "curve.csv"
    if not path.exists():
        return []
    read_checked(path)
    return [{str(k): v for k, v in row.items()} for row in read_table(path, "split", "samples").to_dict("records")]


def _bring_tensors_over(run: OlderRun, target: RunFolder, *, keep_checkpoint: bool) -> list[str]:
    """The checkpoint and the models that are kept; notes on what could not be."""
    status, checkpoint, kept = run.status, run.path / "checkpoint.pt", list[int]()
    for path in (run.path / "snapshots").glob("*.pt"):
        samples = int(path.stem)
        if is_whole(path) and (str(samples).strip("0") == "1" or samples == status.samples):
            _keep(target, samples, load_saved(path))
            kept += [samples] if samples != status.samples else []
    if not is_whole(checkpoint):
        return []
    saved = load_saved(checkpoint)
    if status.state == "finished" and not is_whole(target.model(status.samples)):
        _keep(target, status.samples, saved["learner"])
    if not keep_checkpoint:
        return ["its model is kept; to go farther it is computed anew with --force, as it ended off its grid"]
    environments = saved.get("environments") or [{}]
    saved["progress"] = {"kept": kept, "library": environments[-1].get("products", "")} | saved["progress"]
    if saved["evaluator"]:
        saved["evaluator"].setdefault("pointwise", {})
    save(saved, target.checkpoint)
    return []


def _bring_estimates_over(run: OlderRun, target: RunFolder) -> None:
    """Better estimates of log p(x), from the run's folder, or from the figure's table where that is all there is."""
    for path in (run.path / "snapshots").glob("*.csv"):
        write_checked(target.estimates(int(path.stem)), read_checked(path))
    table_of_figure = run.path.parents[1] / "reestimates.csv"
    if target.estimated_samples() or not table_of_figure.exists():
        return
    key = ["protocol", "dataset", "n_train", "method", "seed"]
    table = read_table(table_of_figure, *key, "samples")
    own = table[(table[key] == [getattr(run.config, column) for column in key]).all(axis=1)]
    for samples, rows in own.groupby("samples"):
        write_checked(target.estimates(int(str(samples))), rows.drop(columns=key).to_csv(index=False))


def _keep(target: RunFolder, samples: int, saved: Mapping[str, Any]) -> None:
    """A kept model, as a run of this version leaves it, but for what an older one did not know."""
    config, state = target.config, saved["model"]
    if config.places:  # a stored file does not choose what is imported
        raise UserError(f"{config.name} is of code of yours, {', '.join(config.places)}: compute it anew")
    model = build_model(config, len(state["output.bias"]), torch.Generator())
    model.load_state_dict(state)
    encoder = None
    if saved.get("encoder") is not None:
        encoder = GaussianEncoder(
            model.n_pixels,
            config.n_latent,
            config.hidden,
            log_var_factor=config.encoder_log_var_factor,
            generator=torch.Generator(),
        )
        encoder.load_state_dict(saved["encoder"])
    content = describe(model, encoder) | {"samples": samples, "image_shape": None}
    if config.dataset in NAMES:
        try:
            content["image_shape"] = load(config, None).image_shape
        except DatasetUnavailable:
            content["image_shape"] = {784: (28, 28), 560: (28, 20)}.get(model.n_pixels)
    save(content | {"log_likelihood": saved.get("log_likelihood", {})}, target.model(samples))


def _with_studies(results: Path) -> list[str]:
    return [path.parts[-2] for name in STUDIES for path in results.glob(f"*/{name}") if path.parts[-2] != "studies"]


def _bring_studies_over(results: Path, scale: str) -> list[str]:
    """Parts of all sizes; tables and pictures where there are none yet."""
    lines = []
    for study in STUDIES:
        source, target = results / scale / study, results / "studies" / study
        if source.is_dir():
            shown = target.exists() and any(target.glob("*.csv"))
            try:
                shutil.copytree(
                    source,
                    target,
                    dirs_exist_ok=True,
                    ignore=lambda folder, names, source=source, shown=shown: (
                        [name for name in names if shown and name != "parts"] if Path(folder) == source else []
                    ),
                )
            except shutil.Error as error:  # of some files; it names no file of its own
                raise unwritable(target, error) from error
            lines.append(f"brought over: the study {study} of scale {scale}, to {target}")
    return lines
