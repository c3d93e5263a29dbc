"""Stored runs computed anew in a clean place, and compared with what is stored: what a reviewer would do."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import torch

from aevb.errors import UserError, did_you_mean
from harness.runs.curve import points
from harness.runs.job import Job
from harness.runs.train import work
from harness.runs.verdict import Verdict, compare, reach
from harness.store.files import scratch
from harness.store.run_folder import RunFolder
from harness.store.scan import stored_configs
from harness.store.shelves import Shelves
from harness.store.status import Status
from harness.store.tables import reading
from harness.workers.schedule import Failure, Place, failure, in_parallel

KINDS, ENGINES = ("cpu", "cuda"), ("fast", "reference")


def find_runs(shelves: Shelves, wanted: Sequence[str]) -> list[RunFolder]:
    """The runs of these folders, names of folders or ids, the reader's or published ones; both may be cut short.

    Raises:
        UserError: there is none, or more than one.
    """
    folders = [*shelves.own_runs(), *shelves.published_runs()]
    found = []
    for text in wanted:
        name = Path(text).name
        # "mnist-nz3-aevb-seed1" is not seed 10.
        same = [f for f in folders if f"{f.path.name}-".startswith(f"{name}-")]
        same = same or [f for f in folders if name and (f.config.id.startswith(name) or f.path.name.startswith(name))]
        if Path(text).is_dir():  # a path says which store
            same = [folder for folder in same if folder.path.resolve() == Path(text).resolve()]
        same = same[:1] if len({folder.config for folder in same}) == 1 else same
        if len(same) != 1:
            names = dict.fromkeys(folder.path.name for folder in same)
            which = "is none" if not same else f"are {', '.join(names)}"
            if same:
                remedy = "name one of these"
            elif Path(text).is_dir():
                remedy = f"where it is one, name its store with --results {Path(text).resolve().parent.parent}"
            else:
                likely = did_you_mean(name, [folder.path.name.rpartition("-")[0] for folder in folders])
                remedy = f"--list has their names{likely}"
            raise UserError(
                f"a run must be named by its folder, its folder's name or its id, got {text!r}, which {which} in "
                f"{shelves.runs} and what comes with the project: {remedy}"
            )
        found += same
    return found


def check_named(folders: Sequence[RunFolder], datasets: Sequence[str], methods: Sequence[str]) -> None:
    """Find out whether what is named beside runs is theirs.

    Args:
        folders: what is stored.
        datasets: names, paths of arrays and places of loaders, as a user names them.
        methods: names of methods, and places of learners and decoders.

    Raises:
        UserError: one is of none of the runs, or two arrays have one name.
    """
    configs = [folder.config for folder in folders]
    wanted = {
        "--dataset": ({Path(dataset).name: dataset for dataset in datasets}, [config.dataset for config in configs]),
        "--method": (
            {method: method for method in methods},
            [name for config in configs for name in (config.method, *config.places)],
        ),
    }
    for option, (named, known) in wanted.items():
        for name in named.keys() - {*known}:
            raise UserError(
                f"{option} must name what a run to be verified is of, {', '.join(dict.fromkeys(known))}, got "
                f"{named[name]}: leave it out"
            )
    for dataset in datasets:
        if wanted["--dataset"][0][name := Path(dataset).name] != dataset:
            raise UserError(f"arrays must have different file names, got two of {name}: leave one out")


def verify(
    folders: Sequence[RunFolder],
    job: Callable[[RunFolder, Path, int], Job],
    samples: int | None,
    place: Place,
    done: Callable[[Verdict | Failure], None],
) -> bool:
    """Compute the runs anew up to so many samples, or as far as they are stored; True where none is different.

    Args:
        folders: what is stored.
        job: makes a run's job from its folder, the root of the clean place and the number of samples.
        samples: at most.
        place: where to compute.
        done: called with each verdict, and with what could not be computed.

    Raises:
        UserError: a run has no end yet, or its curve no point up to so many samples.
    """
    right = True
    with scratch("aevb-verify-") as clean:
        jobs = {}
        for folder in folders:
            stored = reach(folder)
            if not stored:
                status = folder.status()
                state = status.state if status is not None else "not begun"
                raise UserError(
                    f"a run must have an end to be verified; {folder.config.name} has none ({state}): compute it, or "
                    "wait for the command that does"
                )
            first = min(next(points(folder.config)), stored)
            if samples is not None and samples < first:
                raise UserError(
                    f"--samples must reach the first point of a curve to be verified, which is at {first:,} for "
                    f"{folder.config.name}, got {samples:,}: give as many, or leave it out"
                )
            jobs[job(folder, clean, min(samples or stored, stored))] = folder

        def judge(group: Sequence[Job], future: Future[list[Status]]) -> None:
            nonlocal right
            (one,) = group
            if (error := future.exception()) is not None:
                right = False
                done(failure(one.config.name, error))
                return
            try:
                with reading(jobs[one].curve):
                    verdict = compare(jobs[one], one)
            except UserError as unreadable:
                verdict = Verdict("different", one.config.name, str(unreadable))
            right &= verdict.kind != "different"
            done(verdict)

        in_parallel(work, [(one,) for one in jobs], place, judge, saves=True)
    return right


def anew(folder: RunFolder, root: Path, samples: int, data: Path | None, device: str, command: str) -> Job:
    """The job that computes a stored run anew, with the engine and on the kind of device that it was computed with.

    Raises:
        UserError: there is no such device, or the user names another.
    """
    last = (folder.environments() or [{}])[-1]
    kind, engine = last.get("device_type", "cpu"), last.get("engine", "fast")
    if kind not in KINDS or engine not in ENGINES:
        raise UserError(
            f"a run must be of a kind of device among {', '.join(KINDS)} and an engine among {', '.join(ENGINES)}; the "
            f"record of {folder.path} says {kind!r} and {engine!r}: put back what was stored, or compute it anew with "
            "--force"
        )
    if device not in ("auto", kind) or (kind == "cuda" and not torch.cuda.is_available()):
        found = f"got --device {device}" if device not in ("auto", kind) else "torch finds no such device here"
        remedy = "leave --device out" if found.startswith("got") else "choose a machine that has one"
        raise UserError(
            "a run must be verified on the kind of device that computed it, whose random numbers are its own; "
            f"{folder.config.name} is of {kind} ({last.get('device', 'unknown')}), {found}: {remedy}, or verify a run "
            f"of {'cpu' if kind == 'cuda' else 'cuda'}{_beside(folder, kind)}"
        )
    return Job(folder.config, samples, root, data, kind, engine, command, last.get("products", ""))


def _beside(folder: RunFolder, kind: str) -> str:
    """Runs of the same curve, in the same store, of another kind of device: their names, after a comma; or nothing."""
    own = replace(folder.config, seed=0)
    others = [RunFolder(folder.path.parent, config, published=folder.published)
              for config in stored_configs(folder.path.parent) if replace(config, seed=0) == own]  # fmt: skip
    names = [other.path.name.rpartition("-")[0] for other in others if other.device_type() not in ("", kind)]
    return f", as {' and '.join(sorted(names))}" if names else ""
