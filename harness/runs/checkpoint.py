"""A run's checkpoint: all from which it goes on to the identical curve."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from aevb.errors import UserError
from harness.store.checksums import Damaged
from harness.store.files import remove
from harness.store.run_folder import RunFolder
from harness.store.tensors import load_saved

HOLDS = ("device", "learner", "evaluator", "tape", "generator", "progress")  # at least


def read_checkpoint(folder: RunFolder, run: str, device: torch.device, notes: list[str]) -> dict[str, Any]:
    """The last whole one of the run with this id, or {}; what is damaged is removed, lest it be kept, and noted.

    Raises:
        UserError: it is of another version, run or kind of device.
    """
    for path in (folder.checkpoint, folder.previous_checkpoint):
        try:
            state = load_saved(path, device)
        except FileNotFoundError:
            continue
        except Damaged:
            remove(path)
            notes.append(f"{path.name} was damaged")
            continue
        _check(state, path, run, device.type)
        if notes and path == folder.previous_checkpoint:
            notes.append(f"went on from the previous checkpoint, at {state['progress']['samples']:,} samples")
        return state
    return {}


def other_version(path: Path) -> UserError:
    """The error of a checkpoint from which this version cannot go on."""
    return UserError(
        f"a checkpoint must be of this version; {path} is of another one: compute the run anew with --force"
    )


def _check(state: Mapping[str, Any], path: Path, run: str, device: str) -> None:
    if not (isinstance(state, dict) and {*HOLDS} <= {*state} and isinstance(state["progress"], dict)):
        raise other_version(path)
    if (told := state.get("run", run)) != run:  # older ones do not say it
        raise UserError(
            f"a checkpoint must be of its run; {path} is of {told}, got {run}: put back that of the run, "
            "or compute it anew with --force"
        )
    if state["device"] != device:
        raise UserError(
            f"a run must end on the kind of device it began on; {path} is of {state['device']}, got "
            f"{device}: use --device {state['device']}, or compute the run anew with --force"
        )
