"""The page's section on speed: charts and tables of every device, time to a target, and rates commit by commit."""

from dataclasses import dataclass
from pathlib import Path

from harness.report.charts import benchmarks
from harness.report.charts.chart import Group
from harness.report.charts.roofline import roofline_group
from harness.report.charts.step import step_group
from harness.report.source import Source, benchmark_source, folder_source, table_of
from harness.report.table import Table, benchmark_table, text_table
from harness.timing import race, step
from harness.timing.devices import read_cases, read_device, read_roofs, read_steps
from harness.timing.history import compare_commits, read_history
from harness.timing.roofline import format_roofs


@dataclass(frozen=True)
class Speed:
    """What the section shows."""

    charts: list[Group]
    tables: list[Table]
    sources: list[Source]


def speed(folder: Path) -> Speed:
    """What the folder of benchmarks has; the charts' origin is all of its devices."""
    devices = sorted(folder.glob("*.json"))
    origins = [benchmark_source(f"benchmarks-{path.stem}", path) for path in devices]
    ids = [origin.id for origin in origins]
    charts, tables = list[Group](), list[Table]()
    times = table_of(folder / "time_to_bound.csv")
    if times is not None and len(times) and "aevb_samples" in times:  # older ones have seconds by the clock
        origins.append(folder_source("benchmarks-time", "time to a bound", folder))
        charts += benchmarks.time_group(times, origins[-1].id)
    if devices:
        measured, roofs, steps = read_cases(folder), read_roofs(folder), read_steps(folder)
        charts += benchmarks.speed_groups(measured, ids)
        charts += [*roofline_group(measured, roofs, ids), *step_group(steps, ids)]
        cases = map(read_device, devices)
        tables += [benchmark_table(rows, name) for rows, name in zip(cases, ids, strict=True) if len(rows)]
        whole = ids[0]
        tables += [text_table(str(device), format_roofs(rows), whole, "benchmarks.roofs")
                   for device, rows in roofs.groupby("device", sort=False)]  # fmt: skip
        tables += [text_table(str(device), step.cells(rows), whole, "benchmarks.steps")
                   for device, rows in steps.groupby("device", sort=False)]  # fmt: skip
    if (runs := table_of(folder / "to_target.csv")) is not None and len(runs):
        origins.append(folder_source("benchmarks-target", "time to a target", folder))
        tables += [text_table(str(device), race.cells(rows), origins[-1].id, "benchmarks.target")
                   for device, rows in runs.groupby("device", sort=False)]  # fmt: skip
    if len(changes := compare_commits(read_history(folder))):
        origins.append(folder_source("benchmarks-history", "rates by commit", folder))
        tables.append(text_table("", changes, origins[-1].id, "benchmarks.history"))
    return Speed(charts, tables, origins)
