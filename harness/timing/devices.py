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

# What is no case of the table: a list of its own in a device's file, and the suite that measures it.
ROOFS, STEPS, CONTESTS = "roofs", "steps", "contests"
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
        content = {"environment": environment, "measured": cases, **apart}
        write_text(json_path, json.dumps(content, indent=1, sort_keys=True))
        paths.append(json_path)
        if cases:
            write_text(csv_path, tabulate(cases).to_csv(index=False))
            paths.append(csv_path)
    return paths


def read(folder: Path) -> pd.DataFrame:
    """All cases of all devices that the folder knows, a row for each."""
    tables = _of_devices(folder, "measured", tabulate)
    if not tables:
        raise UserError(f"there must be benchmarks to show; {folder} has none: time some, without --plot-only")
    return pd.concat(tables, ignore_index=True)


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


def _of_devices(
    folder: Path, name: str, tabulated: Callable[[list[dict[str, Any]]], pd.DataFrame]
) -> list[pd.DataFrame]:
    """A table for each device whose file has records by this name; older files have cases alone."""
    tables = []
    for path in sorted(folder.glob("*.json")):
        stored = read_json(path, dict)
        with reading(path):
            if records := stored.get(name):
                tables.append(tabulated(records).assign(device=title(stored["environment"])))
    return tables
