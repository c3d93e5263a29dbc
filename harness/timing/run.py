"""The suite in `benchmarks/`: run, kept under the device's name, tabulated and drawn."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from aevb import shipped
from aevb.errors import UserError
from aevb.places import short_name
from harness.experiments.methods import method_of
from harness.figures.plan import choose_device
from harness.runs.learners import learner_class
from harness.store.columns import fold, format_table
from harness.store.files import check_writable, write_text
from harness.store.shelves import Shelves
from harness.store.tables import read_table
from harness.timing.devices import keep, read, read_roofs, read_steps
from harness.timing.history import compare_commits, format_changes, read_history, remember
from harness.timing.plot import plot_benchmarks
from harness.timing.roofline import format_roofs, plot_roofline
from harness.timing.step import format_steps, plot_steps
from harness.timing.tables import METHODS_FOLDER, compact, format_benchmarks, format_times, tabulate, time_to_bound
from harness.workers.progress import duration

ROOT = Path(__file__).resolve().parents[2]
TEST_LINE = re.compile(r"::(?P<name>.+?) (?P<outcome>[A-Z]+)(?P<why> \(.*\))? +\[ *(?P<percent>\d+)%\]")


def show_benchmarks(devices: Sequence[str], results: Path, methods: Sequence[str] = ()) -> bool:
    """Run the suite, then write JSON, tables and figures to the folder `benchmarks` of the results; print the tables.

    Where methods are named, their steps alone are timed, beside those of the paper's methods, and go to the folder
    `methods` there.

    Returns:
        All that was timed is right.

    Raises:
        UserError: CUDA alone was asked for and is not there, or the suite cannot be run.
    """
    shipped.need_checkout("--benchmark")
    for name in methods:  # what cannot be a learner is told now
        learner_class(method_of(name).learner)
    kinds = _kinds(devices)
    folder = results / "benchmarks"
    if methods:
        return _show_methods(methods, kinds, folder / METHODS_FOLDER)
    check_writable(folder)
    report, right = run_suite(kinds)
    remember(folder)  # what is written over now
    for path in keep(report, folder):
        print(f"wrote {path}")
    remember(folder)
    table, roofs, steps = read(folder), read_roofs(folder), read_steps(folder)
    curves, source = _figure2(results)
    times = time_to_bound(curves)
    print(format_benchmarks(table))
    for device, rows in roofs.groupby("device", sort=False):
        print(f"\nwhat bounds {device}\n{format_table(format_roofs(rows))}")
    for device, rows in steps.groupby("device", sort=False):
        print("\n" + fold(f"where a step's time goes: {device}") + f"\n{format_steps(rows)}")
    if len(changes := compare_commits(read_history(folder))):
        print(f"\nsamples a second over commits\n{format_changes(changes)}")
    print(f"\ntraining seconds to a bound ({source})\n{format_times(times)}")
    write_text(folder / "time_to_bound.csv", times.to_csv(index=False))
    drawn = plot_benchmarks(table, times, source, folder)
    for path in [*drawn, *plot_roofline(table, roofs, folder), *plot_steps(steps, folder)]:
        print(f"wrote {path}")
    return right


def _show_methods(methods: Sequence[str], kinds: Sequence[str], folder: Path) -> bool:
    check_writable(folder)
    report, right = run_suite(kinds, methods)
    for path in keep(report, folder, "-".join(map(short_name, methods))):
        print(f"wrote {path}")
    table = tabulate(compact(report))
    print(format_benchmarks(table.assign(method=table["method"].map(short_name))))
    return right


def _kinds(devices: Sequence[str]) -> list[str]:
    """ "cpu", "cuda" or both; where several are asked for, a CUDA device may be missing."""
    if list(devices) == ["cuda"]:
        return [choose_device("cuda")]
    wanted = ["cpu", "cuda"] if "auto" in devices else sorted({*devices})
    if "cuda" in wanted and not torch.cuda.is_available():
        print("no CUDA device: the CPU's benchmarks only", flush=True)
        wanted.remove("cuda")
    return wanted


def run_suite(kinds: Sequence[str], methods: Sequence[str] = ()) -> tuple[dict[str, Any], bool]:
    """pytest-benchmark's report, and whether all assertions held; a line for each case as it is done.

    Raises:
        UserError: pytest is missing, or there was nothing to run.
    """
    if missing := [name for name in ("pytest", "pytest_benchmark") if find_spec(name) is None]:
        raise UserError(f"--benchmark needs {' and '.join(missing)}: pip install -c constraints.txt -e '.[test]'")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", "benchmarks", "-v", "-p", "no:cacheprovider", "--color=no"]
        command += ["-m", " or ".join(kinds), f"--benchmark-json={path}", "--benchmark-columns=min"]
        command += [f"--methods={' '.join(methods)}"] if methods else []
        status, output = _follow(command)
        if not path.exists() or not path.stat().st_size:
            last = next((line for line in reversed(output) if line.strip()), "no output")
            raise UserError(f"the benchmarks must run; pytest ended with status {status}: {last.strip('= ')}")
        report: dict[str, Any] = json.loads(path.read_text())
    if status:
        begin = next((n for n, line in enumerate(output) if re.match("=+ (FAILURES|ERRORS)", line)), 0)
        print("".join(output[begin:]), file=sys.stderr)
    return report, status == 0


def _follow(command: Sequence[str]) -> tuple[int, list[str]]:
    """Exit status and output of pytest, whose tests are counted as they go by."""
    output: list[str] = []
    first: tuple[float, int] | None = None
    paths = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))  # learners lie there
    wide = os.environ | {"COLUMNS": "250", "PYTHONPATH": paths}  # so wide that no reason is cut short
    with subprocess.Popen(
        command, cwd=ROOT, env=wide, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                output.append(line)
                if match := TEST_LINE.search(line):
                    now, percent = time.monotonic(), int(match["percent"])
                    began, start = first = first or (now, percent)
                    left = (now - began) * (100 - percent) / (percent - start) if percent > start else None
                    outcome = match["outcome"].lower() + (match["why"] or "")
                    print(f"[{percent}%] {match['name']}: {outcome}; about {duration(left)} left", flush=True)
        except BaseException:
            process.terminate()
            raise
    return process.returncode, output


def _figure2(results: Path) -> tuple[pd.DataFrame, str]:
    """Figure 2 of the store, or the project's own, and where that is; protocol "author"."""
    place = Shelves(results).place("figure2", "figure2.csv")
    if place is None:
        raise UserError(f"there must be a figure 2; {results} has none, nor has the project: compute one")
    curves = read_table(place, "protocol")
    name = place.parent.relative_to(ROOT) if place.is_relative_to(ROOT) else place.parent
    return curves[curves["protocol"] == "author"], str(name)
