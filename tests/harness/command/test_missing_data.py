"""Whatever keeps a dataset away that nobody named, the others are planned; remedies work, and a folder must be one."""

import hashlib
import os

import numpy as np
import pytest
import torch

from aevb.data import frey_face, frey_frames, load_dataset, mnist
from harness.command.subject import from_run
from tests.bad_input import check_refusal, run
from tests.tally import tally

FILE = "frey_rawface.mat"
RUN = "frey_face-nz2-aevb-seed0-6f9ca3cb5a43"  # published


def nothing(folder):
    """Neither a file nor a network."""


def damaged(folder):
    (folder / FILE).write_bytes(b"MATLAB 5.0 MAT-file, or is it")


def a_folder(folder):
    (folder / FILE).mkdir()


def a_pipe(folder):
    os.mkfifo(folder / FILE)


def a_loop(folder):
    (folder / FILE).symlink_to(FILE)


def empty(folder):
    (folder / FILE).write_bytes(b"")


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(frey_face, "URLS", ())
    monkeypatch.delenv("AEVB_DATA_DIR", raising=False)
    return tmp_path / "data"


@pytest.mark.parametrize("named", ["--data", "AEVB_DATA_DIR"])
@pytest.mark.parametrize("prepare", [nothing, damaged, a_folder, a_pipe, a_loop, empty], ids=lambda each: each.__name__)
def test_frey_face_that_cannot_be_had_keeps_no_other_dataset_away(prepare, named, place, monkeypatch):
    prepare(place)
    monkeypatch.setenv("AEVB_DATA_DIR", str(place) if named != "--data" else "")
    line = ["--figure", "2", "--dry-run", *(["--data", str(place)] if named == "--data" else [])]
    status, printed, complained = run(line)
    assert (status, complained) == (0, "")
    assert printed.count("mnist N_z=") == 10
    assert ": the frey_face panels. " in printed
    check_refusal(*run([*line, "--dataset", "frey_face"]))
    tally("missing datasets")


@pytest.fixture
def frames(place, monkeypatch):
    """Frames that pass for Frey Face, in the folder of data."""
    frames = np.random.default_rng(0).integers(0, 256, frey_frames.SHAPE, dtype=np.uint8)
    monkeypatch.setattr(frey_frames, "SHA256", hashlib.sha256(frames.tobytes()).hexdigest())
    (place / FILE).write_bytes(frey_frames.mat_from_frames(frames))
    return frames


@pytest.mark.parametrize("folder", ["nowhere", "data/x", "~nobody/x"])
def test_a_variable_that_names_no_folder_keeps_no_other_dataset_away(folder, place, monkeypatch):
    monkeypatch.setenv("AEVB_DATA_DIR", folder)
    status, printed, _ = run(["--figure", "2", "--dry-run"])
    assert status == 0
    assert ": the frey_face panels. " in printed
    assert "AEVB_DATA_DIR" in printed
    tally("missing datasets")


def test_mnist_that_is_damaged_is_told_where_nothing_else_is_asked_for(place, monkeypatch, tmp_path):
    monkeypatch.setattr(mnist, "FOLDER", tmp_path / "no MNIST")
    status, printed, complained = run(["--figure", "3", "--dry-run"])
    check_refusal(status, printed, complained)
    assert "MNIST's files come with the package" in complained


def test_mnist_that_is_damaged_keeps_frey_face_from_nobody(frames, place, monkeypatch, tmp_path):
    monkeypatch.setattr(mnist, "FOLDER", tmp_path / "no MNIST")
    status, printed, complained = run(["--figure", "2", "--dry-run", "--data", str(place)])
    assert (status, complained) == (0, "")
    assert printed.count("frey_face N_z=") == 8
    assert ": the mnist panels. " in printed
    assert "MNIST's files come with the package" in printed
    tally("missing datasets")


def test_a_run_on_frey_face_is_evaluated_with_the_folder_that_its_refusal_asks_for(frames, place, evaluated):
    (place / FILE).rename(place.parent / FILE)
    status, _, complained = evaluated(RUN)
    assert (status, "pass --data DIR or set AEVB_DATA_DIR=DIR" in complained) == (2, True), complained
    (place.parent / FILE).rename(place / FILE)
    _, _, x = from_run(RUN, str(place), 3, place.parent)
    wanted = load_dataset("frey_face", data_dir=place).test[:3]
    assert torch.equal(x, wanted)


def test_where_frey_face_is_named_as_a_dataset_its_remedy_names_the_variable_alone(place, evaluated):
    status, _, complained = evaluated("mnist-nz2-aevb-seed0", "--data", "frey_face")
    assert status == 2
    assert complained.endswith(f"put {FILE} in a folder DIR and set AEVB_DATA_DIR=DIR\n")
    assert complained.count("--data") == 0


TASKS = [
    "--figure 2", "--figure 2 --dataset mnist", "--figure 2 --plot-only", "--figure 2 --dry-run", "--figure 4",
    "--report",
    "--list", "--demo generate", "--demo generate --dataset x.npy", "--verify mnist-nz3-aevb-seed0", "--publish",
]  # fmt: skip


@pytest.mark.parametrize("folder", ["nowhere", "file", "nul\0"])
@pytest.mark.parametrize("task", TASKS)
def test_data_that_are_to_be_in_no_folder_are_an_error_of_every_task(task, folder, place):
    (place.parent / "file").write_text("")
    check_refusal(*run([*task.split(), "--data", folder]))
    tally("bad inputs")
