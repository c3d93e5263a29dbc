import os
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from aevb.trained import published_models
from harness.store.tensors import save
from tests import head_start
from tests.support import ROOT, SMALL, environment, reproduce
from tests.tally import tally

FIGURE2_COLUMNS = (
    "protocol,dataset,n_latent,method,split,seed,samples,lower_bound,standard_error,seconds,device,published"
)


def small(array, *more):
    samples = () if "--plot-only" in more else ("--samples", "2e4")
    return ("--figure", 2, "--dataset", array.name, "--protocol", SMALL, "--latent", 2, *samples, *more)


def test_figure_2_leaves_the_tables_and_pictures_it_promises(array, tmp_path):
    done = reproduce(*small(array, "--seed", 0, 1), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no table yet: its first row is at 10⁶ samples, which no run has reached\n" in done.stdout
    folder = tmp_path / "results" / "figure2"
    assert {path.name for path in folder.iterdir()} >= {
        "figure2.csv", "runs.csv", "comparison.csv", f"figure2-{SMALL}.png", f"figure2-{SMALL}.svg",
    }  # fmt: skip
    assert (folder / "figure2.csv").read_text().splitlines()[0] == FIGURE2_COLUMNS
    table = pd.read_csv(folder / "figure2.csv")
    assert {*table["split"]} == {"train", "train_eval", "test"}
    assert {*table["seed"]} == {0, 1}
    assert {*table["method"]} == {"aevb", "wake_sleep"}
    for run in (folder.parent / "runs").iterdir():
        assert {path.name for path in run.iterdir()} >= {"config.json", "environment.json", "status.json", "curve.csv"}

    before = (folder / "figure2.csv").read_bytes()
    again = reproduce(*small(array, "--seed", 0, 1), cwd=tmp_path)
    assert again.returncode == 0
    assert "0 training steps computed, in 0 of 0 runs; 4 were there already" in again.stderr
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
        table = pd.read_csv(tmp_path / f"r{workers}" / "figure2" / "figure2.csv")
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
    published = len(published_models())
    counts = [
        "figure 2 smoke 20,000 mnist 10 1 ",
        "figure 2 smoke 20,000 frey_face 8 0 ",
        "figure 3 smoke 60,000 mnist 6 0 ",
        "figure 4 smoke 20,000 frey_face 1 0 ",
        "figure 4 smoke 20,000 mnist 1 0 ",
        "figure 5 smoke 20,000 mnist 4 0 ",
        "study choices smoke mnist 78 1 ",  # it shares that run
        "study choices smoke frey_face 134 0 ",
        "study marginal smoke mnist, simulated 4 0 ",
        f"study gaps smoke mnist, frey_face {published + 2} 0 ",  # it looks into all that the run has kept
        f"study models smoke mnist, frey_face {published + 1} 0 ",
        "study reparameterization smoke mnist 10 0 ",
        "study step-sizes smoke mnist, frey_face 66 0 ",
    ]
    assert all(line.startswith(start) for line, start in zip(smoke, counts, strict=True))
    assert all(0 < float(line.split()[-1]) < 1 for line in smoke[:3]), "the published runs tell the cost"


def test_without_network_and_frey_face_mnist_completes_and_the_rest_is_the_published_one_and_says_so(tmp_path):
    began = time.monotonic()
    done = reproduce("--figure", 2, "--samples", 300, "--workers", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    assert last.startswith("not computed here, but published with the project: the frey_face panels.")
    assert "AEVB_DATA_DIR" in last
    table = pd.read_csv(tmp_path / "results" / "figure2" / "figure2.csv")
    own, others = (table[table["published"] == published] for published in (False, True))
    assert {*zip(own["dataset"], own["n_latent"], strict=True)} == {("mnist", n) for n in (3, 5, 10, 20, 200)}
    assert {("frey_face", n) for n in (2, 5, 10, 20)} <= {*zip(others["dataset"], others["n_latent"], strict=True)}
    svg = (tmp_path / "results" / "figure2" / "figure2.svg").read_text()
    assert svg.count("published") == 4, "in each panel of Frey Face"
    assert time.monotonic() - began < 120


def test_without_frey_face_panels_that_nobody_has_are_missing(tmp_path):
    protocol = "author+hidden=[8]"
    request = ("--figure", 2, "--protocol", protocol, "--samples", 300, "--latent", 20, "--method", "aevb")
    done = reproduce(*request, "--workers", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    assert last.startswith("missing: the frey_face panels.")
    assert "AEVB_DATA_DIR" in last
    assert "data missing" in (tmp_path / "results" / "figure2" / f"figure2-{protocol}.svg").read_text()


def test_frey_face_by_name_without_it_is_an_error(tmp_path):
    done = reproduce("--figure", 2, "--dataset", "frey_face", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    (error,) = done.stderr.splitlines()[1:]  # after the sign of life
    assert "AEVB_DATA_DIR" in error


def test_a_run_that_fails_leaves_the_others_whole(array, tmp_path):
    assert reproduce(*small(array), cwd=tmp_path).returncode == 0
    runs = tmp_path / "results" / "runs"
    shutil.rmtree(next(runs.glob("*wake_sleep*")))
    victim = next(runs.glob("*aevb*"))
    (victim / "status.json").unlink()
    save({"model": "as an old version kept it"}, victim / "checkpoint.pt")
    done = reproduce(*small(array), cwd=tmp_path)
    assert done.returncode == 1
    assert "checkpoint must be of this version" in done.stderr
    assert "Traceback" not in done.stderr
    assert "wake_sleep seed 0: finished" in done.stderr
    assert (runs.parent / "figure2" / f"figure2-{SMALL}.png").exists()


def test_the_same_command_mends_damaged_files_and_says_so(array, tmp_path):
    assert reproduce(*small(array, "--method", "aevb"), cwd=tmp_path).returncode == 0
    (run,) = (tmp_path / "results" / "runs").iterdir()
    table = tmp_path / "results" / "figure2" / "figure2.csv"
    before = table.read_bytes()
    (run / "status.json").write_text("{")
    (run / "curve.csv").write_bytes((run / "curve.csv").read_bytes()[:-20])
    shown = reproduce(*small(array, "--plot-only"), cwd=tmp_path)
    assert "Traceback" not in shown.stderr
    (row,) = pd.read_csv(table.with_name("runs.csv")).itertuples()
    assert row.status == "failed"
    assert "curve.csv: its checksum is another; the command that computes the run mends it" in row.message
    done = reproduce(*small(array, "--method", "aevb"), cwd=tmp_path)
    assert done.returncode == 0
    assert "status.json was damaged and is mended; curve.csv was damaged and is mended" in " ".join(done.stderr.split())
    assert table.read_bytes() == before
    tally("damaged files", 2)


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_what_cannot_be_printed_is_one_line_and_a_reader_who_leaves_is_none(tmp_path):
    command = [str(ROOT / "reproduce.py"), "--list", "--results", "none"]
    with open("/dev/full", "w") as full:
        done = head_start.run(command, tmp_path, environment(), stdout=full.fileno())
    said = "reproduce.py: error: what it prints cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, said)
    reader, writer = os.pipe()
    os.close(reader)
    done = head_start.run(command, tmp_path, environment(), stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


@pytest.mark.parametrize("seconds", [0.3, 1.5])
def test_a_command_that_is_stopped_as_it_begins_says_nothing_odd(seconds, tmp_path):
    command = [sys.executable, str(ROOT / "reproduce.py"), "--study", "marginal"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
