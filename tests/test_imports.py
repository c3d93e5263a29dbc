"""Imports run one way, between packages and between the rooms of harness/; what only reads never loads torch."""

import ast
import json
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.support import ROOT

PACKAGES = ("aevb", "baselines", "harness")
ALLOWED = {"aevb": {"aevb"}, "baselines": {"aevb", "baselines"}, "harness": {*PACKAGES}}
# From the ground up: a room of harness/ imports from itself and from those before it.
ROOMS = (
    *("experiments", "store", "workers", "runs", "figures", "pictures"),
    *("studies", "timing", "claims", "check", "report", "command"),
)
# Names that a reader could take for each other: not side by side in a folder.
SYNONYMS = (
    {"train", "trainer", "trained", "training"},
    {"store", "stored", "saved", "storage", "save"},
    {"figure", "picture", "pictures", "panel", "scene", "image", "images"},
    {"run", "runs", "running"},
    {"table", "tables", "tabulate"},
    {"plot", "plots", "draw"},
)


@cache
def modules() -> dict[str, Path]:
    """Those of all packages by their full name."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    named = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}
    return {name.removesuffix(".__init__"): path for name, path in named.items()}


@cache
def imports(name: str) -> frozenset[str]:
    """The modules that a module names, also where only a type checker follows."""
    found = set()
    for node in ast.walk(ast.parse(modules()[name].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & {*modules()}
            found |= inner or {str(node.module)}
    return frozenset(found)


def room(name: str) -> str:
    """The room of a module of harness/."""
    return name.split(".")[1]


def inside() -> list[str]:
    """The modules of harness/."""
    return [name for name in modules() if name.startswith("harness.")]


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_between_packages_run_one_way(package):
    ours = {*PACKAGES, "reproduce", "tests", "benchmarks"}
    names = [name for name in modules() if name.partition(".")[0] == package]
    assert names
    for name in names:
        assert {other.partition(".")[0] for other in imports(name)} & ours <= ALLOWED[package], name


def test_every_module_of_the_harness_is_in_a_room_and_every_room_says_what_lives_there():
    assert {room(name) for name in inside()} == {*ROOMS}
    for name in ROOMS:
        sentence = ast.get_docstring(ast.parse((ROOT / "harness" / name / "__init__.py").read_text()))
        assert (sentence or "").endswith("."), name


def test_imports_between_rooms_run_down_the_list_only():
    for name in inside():
        allowed = ROOMS[: ROOMS.index(room(name)) + 1]
        assert {room(other) for other in imports(name) if other.startswith("harness.")} <= {*allowed}, name


def test_no_module_imports_itself_by_way_of_others(capsys):
    graph = {name: imports(name) & {*modules()} for name in modules()}
    order = [*TopologicalSorter(graph).static_order()]  # raises where there is a circle
    storeys: dict[str, int] = {}
    for name in order:
        storeys[name] = 1 + max((storeys[other] for other in graph[name]), default=0)
    of_harness = {name: {other for other in graph[name] if other.startswith("harness.")} for name in inside()}
    chain: dict[str, int] = {}
    for name in order:
        if name in of_harness:
            chain[name] = 1 + max((chain[other] for other in of_harness[name]), default=0)
    arrows = {(room(name), room(other)) for name in of_harness for other in of_harness[name]}
    with capsys.disabled():
        print(
            f"\nharness/: {len(ROOMS)} rooms, {sum(a != b for a, b in arrows)} arrows between them, longest chain of "
            f"imports {max(chain.values())} modules of {len(chain)}"
        )


@pytest.mark.parametrize("folder", sorted({str(path.parent.relative_to(ROOT)) for path in modules().values()}))
def test_no_module_has_a_near_synonym_beside_it(folder):
    names = {path.stem for path in (ROOT / folder).glob("*.py")}
    for alike in SYNONYMS:
        assert len(names & alike) <= 1, names & alike
    assert not {name for name in names if f"{name}s" in names}


@pytest.mark.parametrize(
    "module",
    [
        *("harness.figures.compare", "harness.figures.plot2", "harness.figures.plot3", "harness.pictures.plot"),
        *("harness.studies.marginal.plot", "harness.studies.reparameterization.plot"),
        *("harness.store.run_folder", "harness.store.collect", "harness.store.shelves", "harness.experiments.config"),
        *("harness.report.page", "harness.timing.tables", "harness.timing.plot", "harness.claims.show"),
    ],
)
def test_what_reads_the_store_never_loads_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_no_import_draws_from_torchs_own_generator():
    code = f"""
import importlib, json, torch
drawing, before = [], torch.get_rng_state()
for name in {[*modules()]}:
    importlib.import_module(name)
    if not torch.equal(torch.get_rng_state(), before):
        drawing.append(name)
        torch.set_rng_state(before)
print(json.dumps(drawing))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == []
