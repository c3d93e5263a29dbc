"""The wheel holds all that an installed copy needs and nothing else, and that copy works away from any checkout."""

import shutil
import site
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import ROOT, environment

PACKAGES = ("aevb", "baselines", "harness")
RESULTS = ("results/published", "results/reference")
WEIGHTS = "results/reference/runs/mnist/models/1000.pt"
# What a reader's work leaves in a checkout.
OWN = (
    *("results/quick/figure2/figure2.csv", "results/reference/quick/.checksums.lock", "results/reference/.lock"),
    *("aevb/model.pt", "aevb/__pycache__/model.cpython-311.pyc", "harness/.mypy_cache/a.json"),
)


def files(folder: Path) -> set[str]:
    """Those below it, without what Python leaves."""
    paths = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(folder).as_posix() for path in paths}


def build(source: Path, folder: Path, kind: str) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, stdout=subprocess.DEVNULL)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """What a reader may have: the project, weights that are published, and things of their own."""
    folder = tmp_path_factory.mktemp("sources")
    for name in (*PACKAGES, *RESULTS, "benchmarks", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore", "reproduce.py"):
        shutil.copy(ROOT / name, folder)
    for name in (WEIGHTS, *OWN):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("…")
    return folder


@pytest.fixture(scope="module")
def wheel(sources, tmp_path_factory) -> Path:
    return build(sources, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def bin_folder(wheel, tmp_path_factory) -> Path:
    """Of an environment that has the wheel and this one's packages, but not its checkout: .pth files count once."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    programs = folder / "bin"
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python")]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text("\n".join(site.getsitepackages()))
    return programs


@pytest.fixture
def call(bin_folder, tmp_path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A program of that environment in an empty folder."""

    def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        env = environment(XDG_CACHE_HOME=str(bin_folder.parent / "cache"))
        env.pop("PYTHONPATH", None)
        command = [str(bin_folder / program), *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)

    return run


def test_the_wheel_has_the_packages_the_papers_curves_and_the_published_results_and_nothing_else(wheel):
    expected = {f"{package}/{name}" for package in PACKAGES for name in files(ROOT / package)}
    for results in RESULTS:
        expected |= {f"aevb/{results}/{name}" for name in files(ROOT / results) if not name.endswith(".lock")}
    with zipfile.ZipFile(wheel) as content:
        names = {name for name in content.namelist() if ".dist-info/" not in name}
        described = {name.partition(".dist-info/")[2] for name in content.namelist()} - {""}
    assert names == expected | {f"aevb/{WEIGHTS}"}
    assert described == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    # Pixels come as arrays, and MNIST's alone may travel.
    assert {Path(name).suffix for name in names if "/results/" not in name} == {
        ".py",
        ".html",
        ".css",
        ".js",
        ".toml",
        ".gz",
        *(".woff", ".txt"),  # the math font and its licence
    }
    assert {Path(name).suffix for name in names} & {".mat", ".npy", ".npz", ".pkl", ".lock", ".pyc"} == set()


def test_a_wheel_of_the_source_distribution_is_the_same_byte_for_byte(sources, wheel, tmp_path):
    with tarfile.open(build(sources, tmp_path / "sdist", "sdist")) as content:
        content.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.glob("aevb-*")
    assert not {*OWN} & files(unpacked)
    again = build(unpacked, tmp_path / "wheel", "wheel")
    assert (again.name, again.read_bytes()) == (wheel.name, wheel.read_bytes())


def test_an_installed_copy_loads_its_own_data_and_results(call, bin_folder):
    code = """
import aevb, baselines, harness, pathlib, sys
from importlib.util import find_spec
from aevb.data import load_dataset
from harness.experiments.paper_curves import read_published
from harness.store.environment import describe
import torch
print(*{pathlib.Path(package.__file__).parents[1] for package in (aevb, baselines, harness)})
print(find_spec("tests"), find_spec("reproduce"), find_spec("benchmarks"))
print(*load_dataset("mnist").train.shape, *(read_published(figure)["method"].nunique() for figure in (2, 3)))
print(repr(describe(torch.device("cpu"))["commit"]))
model, encoder, origin = aevb.load("mnist", n_latent=2)
print(*model.pixel_mean(encoder(load_dataset("mnist").test[:3]).mean).shape, origin["method"])
"""
    done = call("python", "-c", code)
    (packages,) = bin_folder.parent.glob("lib/python*/site-packages")
    said = [str(packages), "None None None", "50000 784 2 3", "''", "3 784 aevb"]
    assert done.stdout.splitlines() == said, done.stderr


def test_the_installed_command_says_its_own_name(call):
    done = call("aevb", "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: aevb ")
    assert "  aevb --figure 2\n" in done.stdout
    assert "reproduce.py" not in done.stdout


def test_the_installed_command_computes_and_draws_a_curve(call, tmp_path):
    panel = ("--figure", 2, "--dataset", "mnist", "--latent", 3, "--method", "aevb", "--samples", 300)
    done = call("aevb", *panel, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert "1/1" in done.stderr
    folder = tmp_path / "results" / "figure2"
    assert {"figure2.csv", "comparison.csv", "figure2.png"} <= files(folder)
    assert "paper" in (folder / "comparison.csv").read_text()


def test_the_installed_command_lists_what_there_is_and_what_it_costs(call):
    listed = call("aevb", "--list")
    assert listed.returncode == 0, listed.stderr
    hours = [line.split()[-1] for line in listed.stdout.splitlines() if "figure 2" in line]
    assert hours
    assert all(float(text) > 0 for text in hours), "the published runs tell the cost"


@pytest.mark.parametrize("task", ["--benchmark", "--check --update-reference"])
def test_what_needs_a_checkout_says_so_and_leaves_nothing(task, call, tmp_path):
    done = call("aevb", *task.split())
    assert (done.returncode, done.stdout) == (2, "")
    (error,) = done.stderr.splitlines()[1:]  # after the sign of life
    assert error.startswith(f"aevb: error: {task} must run in a checkout of the project; ")
    assert error.endswith(f"call `python reproduce.py {task}` there")
    assert not files(tmp_path)
