"""A stored run beside the same one computed anew: equal in every digit, within a tolerance, or different."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
import torch

from harness.runs.curve import ends_on_grid
from harness.runs.job import Job
from harness.store.checksums import Damaged, read_checked
from harness.store.own_code import NAME as OWN_CODE
from harness.store.records import with_unknown
from harness.store.run_folder import RunFolder
from harness.store.status import Status
from harness.store.tables import read_table
from harness.store.tensors import load_saved

NATS, NARROW, WIDE = 0.05, 0.2, 2.0
SAME = ("arithmetic", "device", "device_type", "instructions", "threads", "engine", "products", "kernels", OWN_CODE)
SAME_PACKAGES = ("torch", "numpy", "scipy")


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


def reach(folder: RunFolder) -> int:
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
    if reach(stored) > end and not ends_on_grid(stored.config, ours.index.get_level_values("samples")):
        ours = ours[ours.index.get_level_values("samples") != end]  # what goes farther has no point at that end
    both = len(ours) and len(theirs)
    if both and (odd_columns := sorted({*ours.columns} ^ {*theirs.columns})):
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
        found = (
            f"{len(ours)} values {far}" if len(ours) else f"diverges again at {now.samples:,} samples, without a value"
        )
        return Verdict("identical", name, found)
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
    """Of each value of a curve, nats: this share of how much the curve changes to the points beside, and `NATS`.

    On another processor rounding moves a run along its axis, most where a latent variable comes into use. So each value
    may be off by `WIDE` of that change, and half of all values by `NARROW` of it. The index has levels samples and
    split.

    Fifteen of figure 2's runs on MNIST up to 10⁵ samples, on an Intel processor and on one of AMD's, kept within 0.7 of
    both tolerances; all but those with 200 latents and one with 20 within a quarter.
    """
    steps = curve.groupby(level="split").diff().abs()
    beside = pd.concat([steps, steps.groupby(level="split").shift(-1)], axis=1).max(axis=1).fillna(0.0)
    return NATS + share * beside


def _curve(folder: RunFolder) -> pd.DataFrame:
    """All that is logged but the clock, by samples and split; what somebody changed in the file is there too.

    Without rows where there is no file, as of a run that diverged before its first point.
    """
    columns = ["split", "samples", folder.config.measure, "standard_error", "seconds"]
    table = read_table(folder.curve, *columns) if folder.curve.exists() else pd.DataFrame(columns=columns)
    return with_unknown(table).drop(columns="seconds").set_index(["samples", "split"]).sort_index()


def _is_whole(folder: RunFolder) -> bool:
    """The curve, where there is one, is what was written."""
    try:
        read_checked(folder.curve)
    except FileNotFoundError:
        return True
    except Damaged:
        return False
    return True
