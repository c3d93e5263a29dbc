"""Out of memory in a worker: that run fails by name, the rest complete."""

import os
import signal
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from harness.experiments.config import Config
from harness.runs.job import Job
from harness.runs.train import run
from tests import head_start
from tests.support import ROOT, SMALL, curve, environment
from tests.tally import tally

HUGE = 1_000_000  # latents, whose noise for a minibatch of 20 with L = 20 is half of LIMIT, and is not alone
LIMIT = 3 * 2**30  # bytes of address space
# The command and its workers, which have no more.
LIMITED = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({LIMIT}, resource.RLIM_INFINITY))
sys.path[0] = {str(ROOT)!r}
from harness.command.start import start
from tests import forking
forking.fork_workers()
sys.exit(start())
"""
# The command, and workers that wait after each checkpoint of the smaller run, so that they are found at it.
WAITING = f"""
import sys, time
sys.path[0] = {str(ROOT)!r}
from harness.command.start import start
from harness.runs.run import Run
from tests import forking
save = Run.save
Run.save = lambda run: (save(run), time.sleep(60 * (run.config.n_latent == 2)))
forking.fork_workers()
sys.exit(start())
"""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and processes are looked at as on Linux")


def command(array, *more, protocol=SMALL):
    arguments = ["--figure", "2", "--dataset", str(array), "--method", "aevb", "--protocol", protocol, "--workers", "2"]
    return [str(ROOT / "reproduce.py"), *arguments, *map(str, more)]


def test_a_run_that_does_not_fit_into_memory_fails_by_name_and_the_rest_complete(array, tmp_path):
    _, *options = command(array, "--latent", 2, HUGE, "--samples", "2e4", protocol=f"{SMALL}+n_samples=20")
    done = head_start.run(["-c", LIMITED, *options], tmp_path, environment())
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    (failed,) = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert f"N_z={HUGE} aevb seed 0" in failed
    assert "allocate" in failed
    assert done.stderr.count("finished") == 1
    figure = tmp_path / "results" / "figure2"
    runs = pd.read_csv(figure / "runs.csv").set_index("n_latent")
    assert runs["status"].to_dict() == {2: "finished", HUGE: "failed"}
    assert "allocate" in runs.loc[HUGE, "message"]
    tally("runs out of memory")


def holder(folder: Path) -> int | None:
    """The process that holds a run's lock."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            links = [link.readlink() for link in (process / "fd").iterdir()]
        except OSError:  # it has ended meanwhile
            continue
        if folder / ".lock" in links and int(process.name) != os.getpid():
            return int(process.name)
    return None


def test_a_worker_that_is_killed_for_want_of_memory_fails_its_run_by_name_and_no_other(array, tmp_path):
    _, *options = command(array, "--latent", 2, 3, "--samples", "2e5")
    process = head_start.start(["-c", WAITING, *options], tmp_path, environment())
    runs = tmp_path / "results" / "runs"
    killed = set()
    while process.poll() is None:  # as the kernel does: whoever works on this run grows too large
        for folder in runs.glob("*-nz2-*"):
            if (pid := holder(folder)) and (folder / "checkpoint.pt").exists():
                killed.add(pid)
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    said = process.communicate()[1]
    assert len(killed) == 2, "it is tried once more"
    assert process.returncode == 1
    (failed,) = [line for line in said.splitlines() if line.startswith("failed: ")]
    assert "N_z=2 aevb seed 0" in failed
    assert "the same command resumes" in failed
    assert "N_z=3 aevb seed 0: finished" in said
    for folder in runs.iterdir():
        config = Config.from_json((folder / "config.json").read_text())
        alone, stored = (Job(config, 200_000, root, array, "cpu") for root in (tmp_path / "alone", runs))
        for job in (alone, stored):
            assert run(job).message == ""
        pd.testing.assert_frame_equal(curve(stored), curve(alone), check_exact=True)
    tally("workers killed", len(killed))
