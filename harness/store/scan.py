"""Folders of runs, looked through: the configs in them, what an older version left, and whose arrays they are of."""

import os
from collections.abc import Iterable
from pathlib import Path

from aevb.errors import UserError
from harness.experiments.config import Config
from harness.store.checksums import read_checked
from harness.store.files import unusable
from harness.store.notices import tell_once
from harness.store.run_folder import RunFolder


def stored_configs(root: Path) -> list[Config]:
    """Configs of all runs in a folder of runs; it is told which are left out, damaged or of another version."""
    configs, left_out = [], []
    for path in sorted(root.glob("*/config.json")):
        try:
            config = Config.from_json(read_checked(path))
            if RunFolder(root, config).path != path.parent:
                raise ValueError("not the config that the folder is named for")
            configs.append(config)
        except FileNotFoundError:  # it is being computed anew
            continue
        except (UserError, ValueError, TypeError) as error:
            left_out.append(f"{path.parent.name}: {str(error).splitlines()[0].removeprefix(f'{path}: ')}")
    for path in _children(root):
        if _lacks_config(path):
            left_out.append(f"{path.name}: it has none")
        elif path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
            left_out.append(f"{path.name}: it may not be read")
    if left_out:
        tell_once(
            f"left out: {len(left_out)} run(s) in {root} whose config.json is damaged or of another version "
            f"({left_out[0]}); the command that computed them mends or renews them"
        )
    return configs


def _children(root: Path) -> list[Path]:
    """All in a folder; nothing where it is not there."""
    try:
        return sorted(root.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:  # which globbing takes for an empty folder
        raise unusable(error) from error


def _lacks_config(path: Path) -> bool:
    """A folder of a run that was copied in part, say; one that is being computed anew has no curve, or is stale."""
    there = {name for name in ("config.json", "curve.csv", "stale") if os.path.lexists(path / name)}
    return there == {"curve.csv"} or ("config.json" in there and not (path / "config.json").exists())


def older_runs(results: Path) -> list[Path]:
    """Folders of runs of a version in which each scale had a folder."""
    patterns = ("*/figure[23]/runs/*/config.json", "*/models/runs/*/config.json")
    return sorted(path.parent for pattern in patterns for path in results.glob(pattern))


def newest_array(folders: Iterable[RunFolder]) -> dict[str, str]:
    """SHA-256 of each user's array by its name; of several with one name the one that was worked on last.

    When that was, a run's record of its environments tells: files have other times where they were copied.
    """
    arrays = [folder for folder in folders if folder.config.data_sha256]
    arrays.sort(key=_last_started)
    return {folder.config.dataset: folder.config.data_sha256 for folder in arrays}


def _last_started(folder: RunFolder) -> str:
    try:
        environments = folder.environments()
    except UserError:  # damaged, and told of where the run is shown
        return ""
    return max(
        (date for each in environments for date in (each.get("started", ""), *each.get("resumed", []))), default=""
    )
