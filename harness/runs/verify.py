"""Stored runs computed anew in a clean place, and compared with what is stored: what a reviewer would do."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch

from aevb.errors import UserError, did_you_mean
from harness.runs.curve import ends_on_grid, points
from harness.runs.job import Job
from harness.runs.train import work
from harness.store.checksums import Damaged, read_checked
from harness.store.files import scratch
from harness.store.own_code import NAME as OWN_CODE
from harness.store.run_folder import RunFolder
from harness.store.shelves import Shelves, stored_configs
from harness.store.status import Status
from harness.store.tables import read_table, reading
from harness.store.tensors import load_saved
from harness.workers.schedule import Failure, Place, failure, in_parallel

NATS, NARROW, WIDE = 0.05, 0.2, 2.0
RULE = (
    "On the same processor, with the same packages and the same code, every digit must be equal. Elsewhere rounding "
    "moves a run along its axis, most where a latent variable comes into use: each value may be off by "
    f"{NATS:g} nats and {WIDE:g} of how much the curve changes to the points beside, and half of all values by "
    f"{NATS:g} nats and {NARROW:g} of it."
)
SAME = ("arithmetic", "device", "device_type", "instructions", "threads", "engine", "products", OWN_CODE)
SAME_PACKAGES = ("torch", "numpy", "scipy")
KINDS, ENGINES = ("cpu", "cuda"), ("fast", "reference")


@dataclass(frozen=True)
class Verdict:
    """What came of computing a run anew.

    Attributes:
        kind: equal in every digit; equal up to the tolerance; or neither.
        name: of the run.
        detail: how far, or where first.
    """

    kind: Literal["identical", "within tolerance", "different"]
    name: str
    detail: str

    def __str__(self) -> str:
        """As a user is told."""
        return f"{self.kind}: {self.name}, {self.detail}"


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
            which = "is none" if not same else f"are {', '.join(folder.path.name for folder in same)}"
            likely = did_you_mean(name, [folder.path.name.rpartition("-")[0] for folder in folders])
            remedy = "name one of these" if same else f"--list has their names{likely}"
            raise UserError(
                f"a run must be named by its folder, its folder's name or its id, got {text!r}, which {which} in "
                f"{shelves.runs} and what comes with the project: {remedy}"
            )
        found += same
    return found


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
            stored = _reach(folder)
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


def _reach(folder: RunFolder) -> int:
    """So many samples the run has, or had when it diverged."""
    status = folder.status() or Status("running")
    return status.samples if status.state == "diverged" else status.completed


def compare(stored: RunFolder, anew: Job) -> Verdict:
    """Every logged point that both have, and none that only one has, up to the end of the shorter; and kept models."""
    name, measure = stored.config.name, stored.config.measure
    far = f"up to {anew.samples:,} samples"
    then, now = (folder.status() or Status("running") for folder in (stored, anew.folder))
    if (now.state == "diverged") != (then.state == "diverged" and then.samples <= now.samples):
        which = "computed anew" if now.state == "diverged" else "stored"
        return Verdict("different", name, f"{far}: only the run {which} diverged, the other was at {now.samples:,}")
    ours, theirs = _curve(anew.folder), _curve(stored)
    end = max(ours.index.get_level_values("samples"), default=0)
    theirs = theirs[theirs.index.get_level_values("samples") <= max(end, anew.samples)]
    if _reach(stored) > end and not ends_on_grid(stored.config, ours.index.get_level_values("samples")):
        ours = ours[ours.index.get_level_values("samples") != end]  # what goes farther has no point at that end
    if odd_columns := sorted({*ours.columns} ^ {*theirs.columns}):
        which = "computed anew" if odd_columns[0] in ours.columns else "stored"
        return Verdict("different", name, f"{far}: only the curve {which} has a column {odd_columns[0]}")
    if not ours.index.equals(theirs.index):
        odd = ours.index.symmetric_difference(theirs.index)[0]
        which = "computed anew" if odd in ours.index else "stored"
        return Verdict("different", name, f"{far}: only the curve {which} has {odd[1]} at {odd[0]:,} samples")
    if not _is_whole(stored):
        return _different(name, f"{far}: the file was changed after it was written", ours, theirs, measure)
    computed, here = stored.environments(), anew.folder.environments()[-1]
    alike = _alike(computed, here)
    if ours.equals(theirs):
        if alike and (changed := _changed_model(stored, anew.folder)):
            return Verdict("different", name, f"{far}: the model kept after {changed:,} samples, not the curve")
        return Verdict("identical", name, f"{len(ours)} values {far}")
    if alike:
        return _different(name, f"{far}, on the same processor, packages and code", ours, theirs, measure)
    difference = (ours[measure] - theirs[measure]).abs()
    narrow, wide = (tolerances(ours[measure], share) for share in (NARROW, WIDE))
    errors = (theirs["standard_error"] / ours["standard_error"]).dropna()
    near = bool((difference <= wide).all()) and (difference > narrow).mean() <= 0.5 and errors.between(0.5, 2).all()
    if not (near and ours.isna().equals(theirs.isna())):
        return _different(name, f"{far}, {_other_than(computed, here)}", ours, theirs, measure)
    samples, split = most = list(difference.index)[int(difference.to_numpy().argmax())]
    return Verdict(
        "within tolerance",
        name,
        f"{len(ours)} values {far}: off by at most {difference[most]:.2g} nats ({split} at {samples:,} samples); "
        f"{(difference / wide).max():.2f} of the wider tolerance, {(difference / narrow).median():.2f} of the narrower",
    )


def _changed_model(stored: RunFolder, anew: RunFolder) -> int:
    """Samples of the first kept model of both that is another; 0 where none is. Published ones are in float16."""
    for samples in sorted({*stored.model_samples()} & {*anew.model_samples()}):
        theirs, ours = load_saved(stored.model(samples)), load_saved(anew.model(samples))
        for network in ("model", "encoder"):
            for key, tensor in (theirs[network] or {}).items():
                if not torch.equal(tensor, ours[network][key].to(tensor.dtype)):
                    return samples
    return 0


def _different(name: str, why: str, ours: pd.DataFrame, theirs: pd.DataFrame, measure: str) -> Verdict:
    """Where first: the first value outside of the narrow tolerance, else the first that is not equal."""
    difference = (ours[measure] - theirs[measure]).abs()
    outside = ~(difference <= tolerances(ours[measure], NARROW))
    outside = outside if outside.any() else ((ours != theirs) & ~(ours.isna() & theirs.isna())).any(axis=1)
    if not outside.any():
        return Verdict("different", name, f"{why}, but not in its numbers")
    samples, split = first = list(outside.index)[int(outside.to_numpy().argmax())]
    return Verdict(
        "different",
        name,
        f"{why}: first at {samples:,} samples, {split}: stored {theirs[measure][first]:.6g}, computed anew "
        f"{ours[measure][first]:.6g} nats",
    )


def _alike(stored: Sequence[Mapping[str, Any]], here: Mapping[str, Any]) -> bool:
    """All that has computed the run is what computes it now; what a record does not say, is not known to be alike."""
    return bool(stored) and all(
        [then.get(name, "") for name in SAME] == [here.get(name, "") for name in SAME]
        and all(then.get("packages", {}).get(name, "") == here["packages"].get(name) for name in SAME_PACKAGES)
        for then in stored
    )


def _other_than(stored: Sequence[Mapping[str, Any]], here: Mapping[str, Any]) -> str:
    """What computes it now is other than what has computed it; the user's own code is named where a record tells."""
    now = here.get(OWN_CODE, {})
    changed = {place for then in stored for place, was in then.get(OWN_CODE, {}).items() if now.get(place) != was}
    if changed:
        return f"with another version of {', '.join(sorted(changed))}, code of yours that was changed since"
    return "with another processor, packages or code"


def tolerances(curve: pd.Series, share: float) -> pd.Series:
    """Of each value of a curve, nats; see `RULE`. The index has levels samples and split.

    Fifteen of figure 2's runs on MNIST up to 10⁵ samples, on an Intel processor and on one of AMD's, kept within 0.7 of
    both tolerances; all but those with 200 latents and one with 20 within a quarter.
    """
    steps = curve.groupby(level="split").diff().abs()
    beside = pd.concat([steps, steps.groupby(level="split").shift(-1)], axis=1).max(axis=1).fillna(0.0)
    return NATS + share * beside


def _curve(folder: RunFolder) -> pd.DataFrame:
    """All that is logged but the clock, by samples and split; what somebody changed in the file is there too."""
    table = read_table(folder.curve, "split", "samples", folder.config.measure, "seconds").drop(columns="seconds")
    return table.set_index(["samples", "split"]).sort_index()


def _is_whole(folder: RunFolder) -> bool:
    try:
        read_checked(folder.curve)
    except Damaged:
        return False
    return True


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
