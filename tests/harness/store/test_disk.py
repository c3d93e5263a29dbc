"""A full disk and folders that cannot be written: one clear line, and what stood still stands."""

import contextlib
import ctypes
import os
import re
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from aevb.errors import UserError
from harness.command import main as command_line
from harness.runs import train
from harness.runs.train import Interrupted, run
from harness.store.files import scratch, write_text
from harness.store.tensors import is_whole
from tests import forked
from tests.support import SMALL, curve, reproduce, small_job
from tests.tally import tally

REFUSED = 3


def run_with_little_room(job, most, out):
    """No file may have more bytes than that: the kernel refuses as a full disk does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    run_until_refused(job, out)


def run_until_refused(job, out):
    try:
        forked.run_with_frequent_saves(job)
    except UserError as error:
        with contextlib.suppress(OSError):
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        out.write_text(str(error))
        os._exit(REFUSED)


def halfway(job, monkeypatch):
    monkeypatch.setattr(train, "SECONDS_OF_A_BURST", 0.0)
    looks = iter(range(60))
    with pytest.raises(Interrupted):
        run(job, should_stop=lambda: next(looks, None) is None)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_full_disk_stops_a_run_that_goes_on_when_there_is_room(share, tmp_path, array, monkeypatch):
    whole, job = (small_job(tmp_path / name, array, samples=4_000, first_point=100) for name in ("whole", "full"))
    run(whole)
    halfway(job, monkeypatch)
    before = job.folder.checkpoint.read_bytes()
    out = tmp_path / "says"
    process = forked.start(run_with_little_room, job, int(share * len(before)), out)
    assert forked.finish(process) == REFUSED
    assert "results must be writable; " in out.read_text()
    assert "File too large; make room, or choose a folder with --results DIR" in out.read_text()
    assert job.folder.checkpoint.read_bytes() == before
    assert job.folder.damaged() == []
    assert [path.name for path in job.folder.path.iterdir() if path.name.startswith(".")] == [".lock"]
    assert run(job).message == ""
    pd.testing.assert_frame_equal(curve(job), curve(whole), check_exact=True)
    tally("full disks")


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of its own, where this machine lets us have one."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = os.geteuid() == 0 and sys.platform == "linux"
    if mounted:
        command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    if not mounted:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_on_a_disk_that_fills_up_all_files_stay_whole(tiny_disk, tmp_path, array, monkeypatch):
    whole, job = (small_job(folder, array, samples=4_000, first_point=100) for folder in (tmp_path, tiny_disk))
    run(whole)
    halfway(job, monkeypatch)
    filler, content = tiny_disk / "filler", b"x" * 4096
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(content)
    out = tmp_path / "says"
    assert forked.finish(forked.start(run_until_refused, job, out)) == REFUSED
    assert "No space left on device; make room" in out.read_text()
    assert job.folder.damaged() == []
    assert is_whole(job.folder.checkpoint)
    filler.unlink()
    assert run(job).message == ""
    pd.testing.assert_frame_equal(curve(job), curve(whole), check_exact=True)
    tally("full disks")


def plot_with_little_room(arguments, out):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    with out.open("w") as sys.stderr:
        status = command_line.main(arguments)
    os._exit(status)


def test_a_full_disk_in_the_command_is_one_line_and_leaves_the_figure(array, tmp_path):
    arguments = ["--figure", 2, "--dataset", array, "--latent", 2, "--method", "aevb", "--protocol", SMALL]
    arguments = [str(argument) for argument in (*arguments, "--results", tmp_path / "results")]
    assert reproduce(*arguments, "--samples", "2e4", cwd=tmp_path).returncode == 0
    folder, out = tmp_path / "results", tmp_path / "says"
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {folder / "figure2" / name for name in ("figure2.csv", "runs.csv", "comparison.csv")} <= {*files}
    assert forked.finish(forked.start(plot_with_little_room, [*arguments, "--plot-only"], out)) == 2
    said = out.read_text()
    assert said.count("\n") == 1
    assert said.startswith("reproduce.py: error: results must be writable; ")
    assert "File too large; make room" in said
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == files
    tally("full disks")


def run_without_privileges(job, out):
    """As one whom permissions bind, even if the tests are root's."""
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert os.geteuid() or ctypes.CDLL(None).capset(header, none) == 0
    run_until_refused(job, out)


@pytest.mark.skipif(sys.platform != "linux", reason="privileges are dropped as on Linux")
def test_a_folder_without_permission_is_refused_and_what_it_holds_stays(tmp_path, array, monkeypatch):
    job, out = small_job(tmp_path, array, samples=4_000), tmp_path / "says"
    halfway(job, monkeypatch)
    before = job.folder.checkpoint.read_bytes()
    job.folder.path.chmod(0o500)
    try:
        assert forked.finish(forked.start(run_without_privileges, job, out)) == REFUSED
    finally:
        job.folder.path.chmod(0o700)
    assert re.match(r"results must be writable; .*: Permission denied; .*--results DIR$", out.read_text())
    assert job.folder.checkpoint.read_bytes() == before
    assert run(job).message == ""
    tally("unwritable folders")


@pytest.mark.parametrize("place", ["file/runs", "file"])
def test_a_file_where_the_folder_should_be_is_refused(place, tmp_path, array):
    (tmp_path / "file").write_text("stays")
    job = replace(small_job(tmp_path, array), root=tmp_path / place)
    with pytest.raises(UserError, match=r"results must be writable; .*file.*--results"):
        run(job)
    assert (tmp_path / "file").read_text() == "stays"
    tally("unwritable folders")


def test_a_folder_that_is_taken_away_is_told_and_can_be_put_back(tmp_path, array, monkeypatch):
    whole, job = (small_job(tmp_path / name, array, samples=4_000, first_point=100) for name in ("whole", "taken"))
    run(whole)
    halfway(job, monkeypatch)
    away = tmp_path / "away"
    job.root.rename(away)
    job.root.write_text("in its place")
    with pytest.raises(UserError, match="results must be writable"):
        run(job)
    job.root.unlink()
    Path(away).rename(job.root)
    run(job)
    pd.testing.assert_frame_equal(curve(job), curve(whole), check_exact=True)
    tally("unwritable folders")


def test_where_there_is_no_place_for_what_is_computed_for_a_while_that_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    said = r"for a while must be had; No such file .*: make room, or name one in TMPDIR"
    with pytest.raises(UserError, match=said), scratch():
        pass
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch("mine-") as folder:
        assert folder.parent == tmp_path
    assert not folder.exists()


def test_a_file_is_on_the_disk_before_it_has_its_name_and_the_name_before_it_counts(tmp_path, monkeypatch):
    done = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda n: (done.append(os.readlink(f"/proc/self/fd/{n}")), sync(n)))
    monkeypatch.setattr(Path, "replace", lambda one, other: (done.append("rename"), replace(one, other)))
    write_text(tmp_path / "a", "content")
    written, *then = done
    assert re.fullmatch(rf"{re.escape(str(tmp_path))}/\.a\.\d+", written)
    assert then == ["rename", str(tmp_path)]
    del done[:]
    write_text(tmp_path / "a", "content", durable=False)
    assert done == ["rename"]
