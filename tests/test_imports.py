"""Imports run one way, and what only reads results never loads torch."""

import ast
import subprocess
import sys

import pytest

from tests.support import ROOT

ROOMS = ("aevb", "baselines", "harness")
ALLOWED = {"aevb": {"aevb"}, "baselines": {"aevb", "baselines"}, "harness": set(ROOMS)}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room):
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    ours = {*ROOMS, "reproduce", "tests", "benchmarks"}
    for path in files:
        assert {name for name in imported(path) if name in ours} <= ALLOWED[room], path


@pytest.mark.parametrize(
    "module",
    [
        *("harness.compare", "harness.plot_figure2", "harness.plot_figure3", "harness.plot_images"),
        "harness.plot_reparameterization",
        *("harness.store", "harness.collect", "harness.config", "harness.find", "harness.report.page"),
        *("harness.benchmark_tables", "harness.plot_benchmarks"),
    ],
)
def test_what_reads_the_store_never_loads_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
