"""Files that are computed one by one, each by one process: the parts of a study, the re-estimates of a figure."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import torch

from aevb import shipped
from aevb.errors import UserError
from harness.store.checksums import Damaged, write_checked
from harness.store.environment import describe
from harness.store.files import remove, write_text
from harness.store.locks import hold
from harness.store.notices import tell_once
from harness.store.shelves import Shelves
from harness.store.tables import read_checked_table, read_table
from harness.store.tensors import load_saved
from harness.workers.progress import countdown
from harness.workers.schedule import Failure, Place, failure, in_parallel

MOST_ROUNDS = 5


class Part(Protocol):
    """Something to compute that leaves files: tables by `write_part`, or tensors by `harness.store.tensors.save`."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All that it leaves, the last one last."""

    def compute(self) -> None:
        """Do it."""


class PartsFailed(Exception):
    """Some parts could not be computed; all others are in the store."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        super().__init__(failures)
        self.failures = failures


def study_folder(results: Path, name: str) -> Path:
    """Where a study's tables and pictures are kept; those of the size that was asked for last."""
    return results / "studies" / name


def stored_study(shelves: Shelves, name: str, *tables: str) -> tuple[list[pd.DataFrame], bool]:
    """A study's tables as they are stored, the reader's or else the published ones, and whether they are published.

    Raises:
        UserError: there are none.
    """
    for root in (shelves.own, shipped.RESULTS):
        places = [study_folder(root, name) / f"{table}.csv" for table in tables]
        if all(place.exists() for place in places):
            return [read_table(place) for place in places], shelves.is_published(places[0])
    raise UserError(f"there must be a study to show; {study_folder(shelves.own, name)} has none: compute it")


def folder_of_parts(folder: Path, study: Any) -> Path:
    """Where the parts of a study are kept: by a hash of its settings, so that another's are never taken for them."""
    return folder / "parts" / hashlib.sha256(json.dumps(asdict(study)).encode()).hexdigest()[:12]


def begin_study(study: Any, folder: Path, parts: Sequence[Part], *, force: bool) -> None:
    """Write the settings of a study, of which its tables will be, and what computes it now, if anything is to be."""
    write_text(folder / "config.json", json.dumps(asdict(study), indent=1))
    if force or not all(is_done(part) for part in parts):
        write_text(folder / "environment.json", json.dumps(describe(torch.device("cpu")), indent=1))


def is_done(part: Part) -> bool:
    """Its files are there, and as they were written; it is told where one is damaged."""
    try:
        for path in part.files:
            if path.suffix == ".pt":
                load_saved(path)
            else:
                read_checked_table(path)
    except FileNotFoundError:
        return False
    except Damaged as error:
        tell_once(f"{error}; it is computed anew")
        return False
    return True


def compute_parts(parts: Sequence[Part], place: Place, *, force: bool = False) -> None:
    """Compute what is not in the store, or with force all; the first ones first.

    Raises:
        PartsFailed: some could not be.
    """
    if force:
        for part in parts:
            _forget(part)
    for _ in range(MOST_ROUNDS):  # another process may have all computed anew meanwhile
        left = [part for part in parts if not is_done(part)]
        if not left:
            return
        _check_place(left)
        failures: list[Failure] = []
        line = countdown(len(left), _name)

        def done(part: Part, future: Future[None], line: Any = line, failures: list[Failure] = failures) -> None:
            if (error := future.exception()) is None:
                line(part, future)
            else:
                failures.append(failure(part.name, error))

        in_parallel(compute_once, left, place, done)
        if failures:
            raise PartsFailed(failures)
    raise UserError(f"parts must stay once they are computed; {left[0].files[-1]} does not: find out what removes it")


def _check_place(parts: Sequence[Part]) -> None:
    """What comes with the project is only read."""
    for part in parts:
        if part.files[-1].resolve().is_relative_to(shipped.RESULTS.resolve()):
            raise UserError(
                f"what comes with the project must stay as it is, and {part.files[-1]} would be of it: "
                "choose another --results DIR"
            )


def compute_once(part: Part) -> None:
    """In a worker: compute a part, unless another process does or has done so."""
    with hold(_lock(part)):
        if not is_done(part):
            part.compute()


def write_part(path: Path, rows: Iterable[dict[str, Any]] | pd.DataFrame) -> None:
    """Write a part's table, as others write theirs beside it."""
    with hold(path.with_name(".checksums.lock")):  # which are read and written again
        write_checked(path, pd.DataFrame(rows).to_csv(index=False))


def gather(parts: Iterable[Part], which: int = -1) -> pd.DataFrame:
    """The tables of all parts as one, of each the last of its files or another.

    Raises:
        UserError: one is not there any more, or is damaged.
    """
    try:
        return pd.concat([read_checked_table(part.files[which]) for part in parts], ignore_index=True)
    except (FileNotFoundError, Damaged) as error:
        raise UserError(
            f"parts must stay until they are gathered; {error}: call the same command again, which computes it anew"
        ) from error


def _forget(part: Part) -> None:
    """Remove its files, unless another process is at them: then they are being computed anew."""
    with hold(_lock(part), lambda: True) as ours:
        for path in part.files if ours else ():
            remove(path)


def _name(part: Part) -> str:
    return part.name


def _lock(part: Part) -> Path:
    path = part.files[-1]
    return path.with_name(f".{path.name}.lock")
