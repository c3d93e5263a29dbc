"""What was measured on each device, in files: cases, and beside them its roofs, steps taken apart and contests."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from aevb.errors import UserError
from harness.store.files import write_text
from harness.store.invocation import command_line
from harness.store.machine import title
from harness.store.tables import read_json, reading
from harness.timing.contest import tabulate_contests
from harness.timing.roofline import tabulate_roofs
from harness.timing.step import tabulate_steps
from harness.timing.tables import tabulate

# Lists in a device's file. What is no case of the table has one of its own, and a suite that measures it.
CASES, ROOFS, STEPS, CONTESTS = "measured", "roofs", "steps", "contests"
APART = {ROOFS: "roof", STEPS: "step", CONTESTS: "contest"}


def stem_of(name: str) -> str:
    """A device's name as that of files."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-")


def keep(found: Sequence[Mapping[str, Any]], folder: Path, ending: str = "") -> list[Path]:
    """Write what was measured, a JSON and a CSV file for each device, their names with this ending; the paths."""
    by_device: dict[str, list[Mapping[str, Any]]] = {}
    for record in found:
        by_device.setdefault(title(record["environment"]), []).append(record)
    paths = []
    for device, records in by_device.items():
        asked = {"command": command_line()}  # of this process; pytest noted its own
        environment = records[0]["environment"] | asked | {"pytest-benchmark": version("pytest-benchmark")}
        measured = [{name: value for name, value in record.items() if name != "environment"} for record in records]
        cases = [each for each in measured if each["suite"] not in APART.values()]
        apart = {name: [each for each in measured if each["suite"] == suite] for name, suite in APART.items()}
        stem = folder / "-".join(filter(None, [stem_of(device), ending]))
        json_path, csv_path = (stem.with_name(f"{stem.name}.{kind}") for kind in ("json", "csv"))
        content = {"environment": environment, CASES: cases, **apart}
        write_text(json_path, json.dumps(content, indent=1, sort_keys=True))
        paths.append(json_path)
        if cases:
            write_text(csv_path, tabulate(cases).to_csv(index=False))
            paths.append(csv_path)
    return paths


def read(folder: Path) -> pd.DataFrame:
    """All cases of all devices that the folder knows, a row for each.

    Raises:
        UserError: there are none.
    """
    table = read_cases(folder)
    if table.empty:
        raise UserError(f"there must be benchmarks to show; {folder} has none: time some, without --plot-only")
    return table


def read_cases(folder: Path) -> pd.DataFrame:
    """What `tabulate` makes of all devices that have cases, and their names in `device`."""
    found = _of_devices(folder, CASES, tabulate)
    return pd.concat(found, ignore_index=True) if found else tabulate([]).assign(device="")


def read_device(path: Path) -> pd.DataFrame:
    """The same of one device's file; no rows where it has roofs, steps or contests alone."""
    found = _of_device(path, CASES, tabulate)
    return tabulate([]).assign(device="") if found is None else found


def read_roofs(folder: Path) -> pd.DataFrame:
    """What `tabulate_roofs` makes of all devices that have roofs, and their names in `device`."""
    found = _of_devices(folder, ROOFS, tabulate_roofs)
    return pd.concat(found, ignore_index=True) if found else tabulate_roofs([]).assign(device="")


def read_steps(folder: Path) -> pd.DataFrame:
    """What `tabulate_steps` makes of all devices whose steps were taken apart, and their names in `device`."""
    found = _of_devices(folder, STEPS, tabulate_steps)
    return pd.concat(found, ignore_index=True) if found else tabulate_steps([]).assign(device="")


def read_contests(folder: Path) -> pd.DataFrame:
    """What `tabulate_contests` makes of all devices whose learners took turns, and their names in `device`."""
    found = _of_devices(folder, CONTESTS, tabulate_contests)
    return pd.concat(found, ignore_index=True) if found else tabulate_contests([]).assign(device="")


Tabulate = Callable[[list[dict[str, Any]]], pd.DataFrame]


def _of_devices(folder: Path, name: str, tabulated: Tabulate) -> list[pd.DataFrame]:
    """A table for each device whose file has records by this name."""
    tables = [_of_device(path, name, tabulated) for path in sorted(folder.glob("*.json"))]
    return [table for table in tables if table is not None]


def _of_device(path: Path, name: str, tabulated: Tabulate) -> pd.DataFrame | None:
    """Its records by this name; older files have cases alone."""
    stored = read_json(path, dict)
    with reading(path):
        records = stored.get(name)
        return tabulated(records).assign(device=title(stored["environment"])) if records else None
