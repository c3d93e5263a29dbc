"""A command that is stopped or killed, whole, leaves no process and goes on to the identical table."""

import os
import random
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from tests import head_start
from tests.support import ROOT, SMALL, environment, reproduce, write_array
from tests.tally import tally


def stoppable(array, results):
    arguments = ["--figure", 2, "--dataset", array.name, "--protocol", SMALL, "--latent", 2, "--samples", "3e5"]
    return [str(argument) for argument in (*arguments, "--workers", 2, "--results", results)]


def figure2_table(folder):
    return pd.read_csv(folder / "figure2" / "figure2.csv").drop(columns="seconds")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert reproduce(*stoppable(write_array(folder), "whole"), cwd=folder).returncode == 0
    return figure2_table(folder / "whole")


@pytest.mark.parametrize(
    ("name", "to_all"),
    [("SIGINT", False), ("SIGINT", True), ("SIGHUP", True), ("SIGKILL", False)],
    ids=["interrupted", "Ctrl-C in a terminal", "a terminal that closes", "killed"],
)
def test_a_stopped_command_leaves_no_process_and_resumes_to_the_identical_table(
    name, to_all, uninterrupted, array, tmp_path
):
    if name == "SIGHUP" and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        pytest.skip("these tests run under nohup, and so do the commands that they start")
    arguments = stoppable(array, "stopped")
    env = environment(XDG_CACHE_HOME=str(tmp_path / "cache"))
    process = head_start.start([str(ROOT / "reproduce.py"), *arguments], tmp_path, env)
    runs = tmp_path / "stopped" / "runs"
    deadline = time.monotonic() + 60
    while not list(runs.glob("*/curve.csv")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(random.Random(f"{name} {to_all}").uniform(0, 0.5))
    (os.killpg if to_all else os.kill)(process.pid, getattr(signal, name))
    _, stderr = process.communicate(timeout=60)
    if name != "SIGKILL":
        assert process.returncode == 130
        assert stderr.splitlines()[-1] == "interrupted; the same command resumes"
    while _members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _members(process.pid), "a worker outlived its parent"
    assert reproduce(*arguments, cwd=tmp_path).returncode == 0
    pd.testing.assert_frame_equal(figure2_table(tmp_path / "stopped"), uninterrupted, check_exact=True)
    tally("whole commands stopped")


def test_a_reader_of_progress_who_leaves_ends_the_command_as_one_of_its_tables_does(uninterrupted, array, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, str(ROOT / "reproduce.py"), *(arguments := stoppable(array, "left"))]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), stderr=writer, stdout=subprocess.PIPE, timeout=120)
    os.close(writer)
    assert (done.returncode, done.stdout) == (128 + signal.SIGPIPE, b"")
    assert reproduce(*arguments, cwd=tmp_path).returncode == 0
    pd.testing.assert_frame_equal(figure2_table(tmp_path / "left"), uninterrupted, check_exact=True)


def _members(group):
    """Living processes of a process group."""
    listing = subprocess.run(["ps", "-eo", "pid,pgid,stat"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listing.splitlines()[1:]]
    return [pid for pid, pgid, state in rows if pgid == str(group) and not state.startswith("Z")]
