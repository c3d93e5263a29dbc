"""What a folder of runs holds, as tables."""

from collections.abc import Iterable, Sequence

import pandas as pd

from aevb.errors import UserError
from harness.store.notices import tell_once
from harness.store.run_folder import RunFolder
from harness.store.status import Status

LAST = ("device", "published")  # columns of a table of curves, whatever else was measured


def collect(folders: Iterable[RunFolder], key: Sequence[str], measure: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Curves of these runs as one tidy table, and one line for each run with its status.

    Columns: protocol and `key`, then split, seed, samples, `measure` and what else was measured; in the second table
    seed, status (finished, diverged, failed or unfinished), from the run's status samples, step_size,
    samples_per_second, evaluation_seconds and message, and device_type, that of `RunFolder`; in both the device's name,
    whose clock the seconds are, and whether the run is published, not the reader's own.
    """
    outcomes = ("samples", "step_size", "samples_per_second", "evaluation_seconds", "message")
    front = ["split", "seed", "samples", measure, "standard_error"]
    curves, runs = [pd.DataFrame(columns=["protocol", *key, *front, "seconds", "device", "published"])], []
    for folder in folders:
        config = folder.config
        names = {column: getattr(config, column) for column in ("protocol", *key)}
        try:
            status, curve = folder.status(), folder.read_curve()
        except UserError as error:
            status, curve = Status("failed", message=str(error)), pd.DataFrame()
            tell_once(str(error))
        if status is None:
            continue
        if len(curve):
            taken = (*names, *front, "seed", *LAST)  # a learner's diagnostics may have any names
            others = [column for column in curve.columns if column not in taken]
            curve = curve.assign(**names, seed=config.seed, device=folder.devices(), published=folder.published)
            curve = curve[[*names, *front, *others, "device", "published"]]
            curves = [*curves, curve] if len(curves[0]) else [curve]
        state = status.state if status.final or status.state == "failed" else "unfinished"
        told = {name: getattr(status, name) for name in outcomes}
        told |= {"device": folder.devices(), "device_type": folder.device_type()}
        runs.append({**names, "seed": config.seed, "status": state, **told, "published": folder.published})
    table = pd.concat(curves, ignore_index=True)
    table = table[[column for column in table.columns if column not in LAST] + [*LAST]]
    last = ["device", "device_type", "published"]
    return table, pd.DataFrame(runs, columns=["protocol", *key, "seed", "status", *outcomes, *last])
