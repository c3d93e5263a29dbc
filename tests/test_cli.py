import os
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

import reproduce as command_line
from tests.support import ROOT, SMALL, environment, reproduce, write_array

FIGURE2_COLUMNS = "protocol,dataset,n_latent,method,split,seed,samples,lower_bound,standard_error,seconds"


def small(array, *more):
    return ("--figure", 2, "--dataset", array.name, "--protocol", SMALL, "--latent", 2, "--samples", "2e4", *more)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("", "required"),
        ("--figure 7", "choose from 2, 3"),
        ("--figure two", "invalid int value: 'two'"),
        ("--figure 2 --list", "not allowed with"),
        ("--figure 2 --dataset cifar", "one of mnist, frey_face"),
        ("--figure 2 --dataset nowhere.npy", "No such file"),
        ("--figure 2 --dataset mnist --latent 0", "at least 1"),
        ("--figure 2 --latent 2.5", "whole number"),
        ("--figure 2 --latent 7", "no panel with n_latent 7"),
        ("--figure 2 --latent 2", "frey_face: frey_rawface.mat must be on this machine"),
        ("--figure 2 --method mcem", "has the methods aevb, wake_sleep"),
        ("--figure 2 --scale huge", "smoke"),
        ("--figure 2 --samples 0", "at least 1"),
        ("--figure 2 --samples inf", "whole number"),
        ("--figure 2 --samples many", "whole number"),
        ("--figure 2 --protocol mine", "one of author, paper"),
        ("--figure 2 --protocol author+eta=1", "with a field of"),
        ("--figure 2 --protocol author+step_size=0", "positive number"),
        ("--figure 2 --dataset mnist --protocol author+pixel_scale=100", "must lie in [0, 1]"),
        ("--figure 2 --dataset mnist --protocol author+pixel_scale=0", "a finite number >= 255"),
        ("--figure 2 --seed -1", "at least 0"),
        ("--figure 2 --seed one", "whole number"),
        ("--figure 2 --device tpu", "cuda"),
        ("--figure 2 --workers 0", "at least 1"),
        ("--figure 2 --workers two", "whole number"),
        ("--figure 2 --results", "expected one argument"),
        ("--figure 2 --plot-only --results empty --dataset mnist", "without --plot-only"),
        ("--figure 2 --plot-only --force", "no use for --force"),
        ("--figure 2 --plot-only=yes", "ignored explicit argument"),
        ("--figure 2 --force=1", "ignored explicit argument"),
        ("--figure 2 --dry-run=1", "ignored explicit argument"),
        ("--figure 2 --data nowhere --dataset frey_face", "an existing folder"),
        ("--figure 2 --dataset mnist --results file", "results must be writable"),
        ("--figure 2 --fast", "unrecognized"),
        ("--figure 2 --dataset a/stripes.npy b/stripes.npy", "must have different file names"),
        ("--figure 2 --dataset a/stripes.npy --protocol author+pixel_scale=255", "an array holds values in [0, 1]"),
        ("--figure 2 --train 1000", "no use for --train"),
        ("--figure 2 --re-estimate", "no use for --re-estimate"),
        ("--figure 3 --latent 5", "no use for --latent"),
        ("--figure 3 --train 0", "at least 1"),
        ("--figure 3 --train 5", "no panel with n_train 5"),
        ("--figure 3 --dataset mnist --train 60000", "at most the 50000 training points"),
        ("--figure 3 --plot-only --re-estimate", "no use for --re-estimate"),
        ("--figure 4 --latent 3", "no use for --latent"),
        ("--figure 4 --method aevb", "no use for --method"),
        ("--figure 4 --points 1 2", "no use for --points"),
        ("--figure 4 --plot-only", "trained models to draw"),
        ("--figure 4 --dataset frey_face", "frey_face: frey_rawface.mat must be on this machine"),
        ("--figure 5 --train 5", "no use for --train"),
        ("--figure 5 --latent 7", "no panel with n_latent 7"),
        ("--demo dance", "generate"),
        ("--demo generate --figure 4", "not allowed with"),
        ("--demo generate --points 1 2", "no use for --points"),
        ("--demo generate --plot-only", "no use for --plot-only"),
        ("--demo generate --method aevb", "no use for --method"),
        ("--demo generate --dataset mnist a/stripes.npy", "give --dataset one value"),
        ("--demo generate --latent 2 3", "give --latent one value"),
        ("--demo generate --seed 0 1", "give --seed one value"),
        ("--demo generate --dataset cifar", "one of mnist, frey_face"),
        ("--demo denoise --dataset nowhere.npy", "No such file"),
        ("--demo interpolate --points 1", "expected 2 arguments"),
        ("--demo interpolate --points -1 2", "at least 0"),
        ("--demo interpolate --points 0 10000", "below 10000"),
        ("--demo interpolate --points 5 5", "two different test images"),
        ("--demo reconstruct --dataset frey_face", "frey_face: frey_rawface.mat must be on this machine"),
        ("--study everything", "marginal"),
        ("--study marginal --samples 9", "no use for --samples"),
        ("--study marginal --seed 1", "no use for --seed"),
        ("--study reparameterization --latent 5", "no use for --latent"),
        ("--list --dataset mnist", "no use for --dataset"),
        ("--report --dataset mnist", "no use for --dataset"),
        ("--report --seed 1", "no use for --seed"),
        ("--report --figure 2", "not allowed with"),
        ("--report --protocol mine", "one of author, paper"),
        ("--benchmark --scale smoke", "no use for --scale"),
        ("--benchmark --workers 2", "no use for --workers"),
        ("--figure 2 --device cpu cuda", "for --benchmark alone"),
    ],
)
def test_a_wrong_request_is_one_clear_line_and_status_2(arguments, says, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("AEVB_DATA_DIR", str(tmp_path))
    for proxy in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    (tmp_path / "file").write_text("")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_array(tmp_path / folder)
    try:
        status = command_line.main(arguments.split())
    except SystemExit as leaving:
        status = leaving.code
    printed = capsys.readouterr()
    assert status == 2
    assert printed.out == ""
    assert printed.err.startswith("reproduce.py: error: ")
    assert says in printed.err
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_figure_2_leaves_the_tables_and_pictures_it_promises(array, tmp_path):
    done = reproduce(*small(array, "--seed", 0, 1), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "quick-20000" / "figure2"
    assert {path.name for path in folder.iterdir()} >= {
        "figure2.csv", "runs.csv", "comparison.csv", f"figure2-{SMALL}.png", f"figure2-{SMALL}.svg", "runs",
    }  # fmt: skip
    assert (folder / "figure2.csv").read_text().splitlines()[0] == FIGURE2_COLUMNS
    table = pd.read_csv(folder / "figure2.csv")
    assert {*table["split"]} == {"train", "train_eval", "test"}
    assert {*table["seed"]} == {0, 1}
    assert {*table["method"]} == {"aevb", "wake_sleep"}
    for run in (folder / "runs").iterdir():
        assert {path.name for path in run.iterdir()} >= {"config.json", "environment.json", "status.json", "curve.csv"}

    before = (folder / "figure2.csv").read_bytes()
    again = reproduce(*small(array, "--seed", 0, 1), cwd=tmp_path)
    assert again.returncode == 0
    assert "samples/s" not in again.stderr, "a finished run was computed again"
    assert (folder / "figure2.csv").read_bytes() == before

    picture = folder / f"figure2-{SMALL}.png"
    picture.unlink()
    assert reproduce(*small(array, "--plot-only"), cwd=tmp_path).returncode == 0
    assert picture.exists()

    forced = reproduce(*small(array, "--force", "--method", "aevb"), cwd=tmp_path)
    assert forced.stderr.count("finished") == 1
    columns = [name for name in table if name != "seconds"]
    pd.testing.assert_frame_equal(pd.read_csv(folder / "figure2.csv")[columns], table[columns], check_exact=True)


def test_the_number_of_workers_changes_no_curve(array, tmp_path):
    tables = []
    for workers in (1, 3):
        done = reproduce(*small(array, "--workers", workers, "--results", f"r{workers}"), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        table = pd.read_csv(tmp_path / f"r{workers}" / "quick-20000" / "figure2" / "figure2.csv")
        tables.append(table.drop(columns="seconds"))
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_a_dry_run_computes_nothing(array, tmp_path):
    done = reproduce(*small(array, "--dry-run"), cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.count("to compute") == 2
    assert not (tmp_path / "results").exists()


def test_the_list_counts_what_is_done(tmp_path):
    before = reproduce("--list", cwd=tmp_path)
    assert before.returncode == 0
    assert "core_hours" in before.stdout
    done = reproduce(
        "--figure", 2, "--dataset", "mnist", "--latent", 3, "--method", "aevb", "--scale", "smoke", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in reproduce("--list", cwd=tmp_path).stdout.splitlines()]
    smoke = [line for line in lines if "smoke" in line]
    counts = [
        "figure 2 smoke 20,000 mnist 10 1 ",
        "figure 2 smoke 20,000 frey_face 8 0 ",
        "figure 3 smoke 60,000 mnist 6 0 ",
        "figure 4 smoke 20,000 frey_face 1 0 ",
        "figure 4 smoke 20,000 mnist 1 0 ",
        "figure 5 smoke 20,000 mnist 4 0 ",
        "study marginal smoke – mnist, simulated 4 0 ",
        "study reparameterization smoke – mnist 11 0 ",
    ]
    assert all(line.startswith(start) for line, start in zip(smoke, counts, strict=True))
    assert all(0 < float(line.split()[-1]) < 1 for line in smoke[:3]), "the published runs tell the cost"


def test_without_network_and_frey_face_mnist_completes_and_says_what_is_missing(tmp_path):
    began = time.monotonic()
    done = reproduce("--figure", 2, "--scale", "smoke", "--samples", 300, "--workers", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    assert "frey_face" in last
    assert "AEVB_DATA_DIR" in last
    table = pd.read_csv(tmp_path / "results" / "smoke-300" / "figure2" / "figure2.csv")
    assert {*table["dataset"]} == {"mnist"}
    assert {*table["n_latent"]} == {3, 5, 10, 20, 200}
    svg = (tmp_path / "results" / "smoke-300" / "figure2" / "figure2.svg").read_text()
    assert "data missing" in svg
    assert time.monotonic() - began < 120


def test_frey_face_by_name_without_it_is_an_error(tmp_path):
    done = reproduce("--figure", 2, "--dataset", "frey_face", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "AEVB_DATA_DIR" in done.stderr


def stoppable(array, results):
    arguments = ["--figure", 2, "--dataset", array.name, "--protocol", SMALL, "--latent", 2, "--samples", "3e5"]
    return [str(argument) for argument in (*arguments, "--workers", 2, "--results", results)]


def figure2_table(folder):
    return pd.read_csv(folder / "quick-300000" / "figure2" / "figure2.csv").drop(columns="seconds")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert reproduce(*stoppable(write_array(folder), "whole"), cwd=folder).returncode == 0
    return figure2_table(folder / "whole")


@pytest.mark.parametrize(
    ("name", "to_all"),
    [("SIGINT", False), ("SIGINT", True), ("SIGKILL", False)],
    ids=["interrupted", "Ctrl-C in a terminal", "killed"],
)
def test_a_stopped_command_leaves_no_process_and_resumes_to_the_identical_table(
    name, to_all, uninterrupted, array, tmp_path
):
    arguments = stoppable(array, "stopped")
    env = environment(XDG_CACHE_HOME=str(tmp_path / "cache"))
    command = [sys.executable, str(ROOT / "reproduce.py"), *arguments]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    runs = tmp_path / "stopped" / "quick-300000" / "figure2" / "runs"
    deadline = time.monotonic() + 60
    while not list(runs.glob("*/curve.csv")) and time.monotonic() < deadline:
        time.sleep(0.01)
    (os.killpg if to_all else os.kill)(process.pid, getattr(signal, name))
    _, stderr = process.communicate(timeout=60)
    if name == "SIGINT":
        assert process.returncode == 130
        assert stderr.splitlines()[-1] == "interrupted; the same command resumes"
    while _members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _members(process.pid), "a worker outlived its parent"
    assert reproduce(*arguments, cwd=tmp_path).returncode == 0
    pd.testing.assert_frame_equal(figure2_table(tmp_path / "stopped"), uninterrupted, check_exact=True)


def _members(group):
    """Living processes of a process group."""
    listing = subprocess.run(["ps", "-eo", "pid,pgid,stat"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listing.splitlines()[1:]]
    return [pid for pid, pgid, state in rows if pgid == str(group) and not state.startswith("Z")]


def test_a_run_that_fails_leaves_the_others_whole(array, tmp_path):
    assert reproduce(*small(array), cwd=tmp_path).returncode == 0
    runs = tmp_path / "results" / "quick-20000" / "figure2" / "runs"
    shutil.rmtree(next(runs.glob("*wake_sleep*")))
    victim = next(runs.glob("*aevb*"))
    (victim / "status.json").unlink()
    (victim / "checkpoint.pt").write_bytes(b"damaged")
    done = reproduce(*small(array), cwd=tmp_path)
    assert done.returncode == 1
    assert "checkpoint must be whole" in done.stderr
    assert "Traceback" not in done.stderr
    assert "wake_sleep seed 0: finished" in done.stderr
    assert (runs.parent / f"figure2-{SMALL}.png").exists()


def test_force_mends_a_damaged_status(array, tmp_path):
    assert reproduce(*small(array, "--method", "aevb"), cwd=tmp_path).returncode == 0
    (path,) = (tmp_path / "results").glob("*/figure2/runs/*/status.json")
    path.write_text("{")
    done = reproduce(*small(array, "--method", "aevb"), cwd=tmp_path)
    assert done.returncode == 2
    assert "compute it anew with --force" in done.stderr
    assert reproduce(*small(array, "--method", "aevb", "--force"), cwd=tmp_path).returncode == 0
