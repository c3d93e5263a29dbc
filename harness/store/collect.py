"""What a folder of runs holds, as tables."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from aevb.errors import UserError
from harness.experiments.config import Config
from harness.store.checksums import read_checked
from harness.store.notices import tell_once
from harness.store.run_folder import RunFolder
from harness.store.status import Status


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
    if left_out:
        tell_once(
            f"left out: {len(left_out)} run(s) in {root} whose config.json is damaged or of another version "
            f"({left_out[0]}); the command that computed them mends or renews them"
        )
    return configs


def collect(
    root: Path, configs: Iterable[Config], key: Sequence[str], measure: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Curves of these runs as one tidy table, and one line for each run with its status.

    Columns: protocol and `key`, then split, seed, samples, `measure` and what else was measured; in the second table
    seed, status (finished, diverged, failed or unfinished), and from the run's status samples, step_size,
    samples_per_second, evaluation_seconds and message.
    """
    outcomes = ("samples", "step_size", "samples_per_second", "evaluation_seconds", "message")
    front = ["split", "seed", "samples", measure, "standard_error"]
    curves, runs = [pd.DataFrame(columns=["protocol", *key, *front, "seconds"])], []
    for config in configs:
        folder = RunFolder(root, config)
        names = {column: getattr(config, column) for column in ("protocol", *key)}
        try:
            status, curve = folder.status(), folder.read_curve()
        except UserError as error:
            status, curve = Status("failed", message=str(error)), pd.DataFrame()
            tell_once(str(error))
        if status is None:
            continue
        if len(curve):
            others = [column for column in curve.columns if column not in front]
            curve = curve.assign(**names, seed=config.seed)[[*names, *front, *others]]
            curves = [*curves, curve] if len(curves[0]) else [curve]
        state = status.state if status.final or status.state == "failed" else "unfinished"
        runs.append(
            {**names, "seed": config.seed, "status": state, **{name: getattr(status, name) for name in outcomes}}
        )
    table = pd.concat(curves, ignore_index=True)
    return table, pd.DataFrame(runs, columns=["protocol", *key, "seed", "status", *outcomes])
