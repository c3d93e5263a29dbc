"""On a Dask cluster everything comes out as on one machine, whatever dies; nobody goes on when it is told to stop."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from distributed import Client

from harness.command import main as command_line
from harness.figures import show
from harness.runs.train import run
from harness.workers import cluster
from harness.workers.cluster import Cluster
from harness.workers.schedule import WorkerDied, in_parallel
from tests.dask_cluster import die_if_told, never_end, outcomes, run_with_a_diary, save_when_told, scheduler
from tests.support import ROOT, SMALL, curve, small_job, wait_until

LONG = 600_000  # samples of a run that is still at work when its worker is taken away


def test_figure_2_is_the_same_on_a_cluster_that_loses_a_worker(running, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(show.PLOTS, 2, lambda *_: [])  # the tables are enough
    smoke = ["--figure", "2", "--dataset", "mnist", "--samples", "6000", "--latent", "3", "5", "10"]
    runs = tmp_path / "cluster" / "runs"
    killed = []

    def kill_a_worker_in_mid_run():
        wait_until(lambda: len(ended()) > 2, 120)
        wait_until(lambda: any(kill(path) for path in {*runs.glob("*/checkpoint.pt")} - ended()))

    def kill(path):
        if (pid := running.owner(path.with_name(".lock"))) and path not in ended():
            os.kill(pid, signal.SIGKILL)
            killed.append(path.parent.name)
        return killed

    def ended():
        files = ((path, path.with_name("status.json")) for path in runs.glob("*/checkpoint.pt"))
        return {
            path for path, status in files if status.exists() and json.loads(status.read_text())["state"] == "finished"
        }

    killer = threading.Thread(target=kill_a_worker_in_mid_run, daemon=True)
    killer.start()
    assert command_line.main([*smoke, "--cluster", running.address, "--results", "cluster"]) == 0
    killer.join(30)
    assert killed
    assert command_line.main([*smoke, "--workers", "1", "--results", "local"]) == 0

    begun = {path.parent.name: times_begun(path) for path in runs.glob("*/environment.json")}
    assert begun == {path.name: 1 + (path.name in killed) for path in runs.iterdir()}
    folders = [tmp_path / where for where in ("cluster", "local")]
    compared = []
    for path in sorted(folders[0].rglob("*.csv")):
        if path.name == "runs.csv":  # rates, which are the clock's
            continue
        one, other = (without_clock(folder / path.relative_to(folders[0])) for folder in folders)
        assert one == other, path
        compared.append(f"{path.relative_to(folders[0])}: {len(one.splitlines()) - 1} rows")
    assert len(compared) == 9
    with capsys.disabled():
        print(f"\nkilled the worker of {killed[0]}; equal, the column `seconds` aside:", *compared, sep="\n  ")


def test_runs_that_grow_on_a_cluster_are_those_that_a_machine_computes_at_once(
    running, array, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    request = ["--figure", "2", "--dataset", "stripes.npy", "--protocol", SMALL, "--latent", "2"]
    for samples in ("333", "1000", "4444"):
        assert (
            command_line.main([*request, "--samples", samples, "--cluster", running.address, "--results", "grown"]) == 0
        )
    assert command_line.main([*request, "--samples", "4444", "--workers", "1", "--results", "whole"]) == 0
    steps = re.findall(r"([\d,]+) training steps computed", capsys.readouterr().err)
    assert steps == ["34", "66", "346", "446"], "of both methods; a step is 20 samples"
    for path in sorted(Path("grown").rglob("*.csv")):
        if path.name != "runs.csv":
            assert without_clock(path) == without_clock(Path("whole") / path.relative_to("grown"))


def times_begun(path):
    """How often a process has begun to work on a run, or gone on with it."""
    return sum(1 + len(environment.get("resumed", [])) for environment in json.loads(path.read_text()))


def without_clock(path):
    """A table's bytes but for the column of the clock."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return table.drop(columns="seconds", errors="ignore").to_csv(index=False)


def test_a_run_whose_worker_is_killed_goes_on_from_its_checkpoint(running, tmp_path, array):
    job = small_job(tmp_path, array, samples=LONG)
    local = replace(job, root=tmp_path / "local")
    job.root.mkdir()
    killed = []

    def kill_its_worker_once():
        status = job.folder.status()
        if not killed and status and status.samples > 15_000 and (pid := running.owner(job.folder.path / ".lock")):
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    place = Cluster(running.address, tmp_path, (array,))
    assert outcomes(run_with_a_diary, [job], place, look=kill_its_worker_once, saves=True) == {job: "finished"}
    assert killed
    first, again = map(int, (job.root / "diary").read_text().split())
    assert first == 0
    assert 15_000 < again < LONG
    run(local)
    pd.testing.assert_frame_equal(curve(job), curve(local), check_exact=True)


def test_a_worker_whose_time_is_up_saves_and_another_goes_on(tmp_path, array):
    """As where a queue ends a job, and `--lifetime` a worker before that."""
    job = small_job(tmp_path, array, samples=LONG)
    local = replace(job, root=tmp_path / "local")
    job.root.mkdir()
    retired = []

    def retire_its_worker_once():
        status = job.folder.status()
        if not retired and status and status.samples > 15_000:
            with Client(queue.address, set_as_default=False) as client:
                retired.extend(worker for worker, tasks in client.processing().items() if tasks)
                client.retire_workers(retired)

    with scheduler(tmp_path, 2) as queue:
        place = Cluster(queue.address, tmp_path, (array,))
        found = outcomes(run_with_a_diary, [job], place, look=retire_its_worker_once, saves=True)
        assert found == {job: "finished"}
    assert len(retired) == 1
    first, again = map(int, (job.root / "diary").read_text().split())
    assert first == 0
    assert 15_000 < again < LONG
    run(local)
    pd.testing.assert_frame_equal(curve(job), curve(local), check_exact=True)


@contextmanager
def deaths_forgiven(running, n):
    """What Dask's setting `allowed-failures` would do."""

    def change(n, dask_scheduler):
        before, dask_scheduler.allowed_failures = dask_scheduler.allowed_failures, n
        return before

    with Client(running.address, set_as_default=False) as client:
        before = client.run_on_scheduler(change, n)
        yield
        client.run_on_scheduler(change, before)


def test_a_task_that_kills_every_worker_is_given_up_and_takes_no_other_down(running, tmp_path):
    with deaths_forgiven(running, 0):  # three by default, which would take long
        found = outcomes(die_if_told, ["kills", "a", "b", "c"], Cluster(running.address, tmp_path))
    assert isinstance(found.pop("kills"), WorkerDied)
    assert found == {name: name for name in "abc"}


@pytest.mark.parametrize(("function", "saves"), [(save_when_told, True), (never_end, False)])
def test_left_early_it_waits_for_what_is_saved_and_nothing_goes_on(function, saves, running, tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]

    def interrupt_once_both_began():
        if all(path.with_suffix(".began").exists() for path in paths):
            raise KeyboardInterrupt

    place = Cluster(running.address, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        in_parallel(function, paths, place, lambda *_: None, look=interrupt_once_both_began, saves=saves)
    assert all((path if saves else path.with_suffix(".ended")).exists() for path in paths)
    assert not list(tmp_path.glob(".cluster-*"))


def test_a_client_that_is_killed_leaves_nothing_running(running, tmp_path):
    code = (
        "import sys; from pathlib import Path; from harness.workers.cluster import Cluster; "
        "from harness.workers.schedule import in_parallel; from tests.dask_cluster import save_when_told; "
        "folder = Path(sys.argv[2]); place = Cluster(sys.argv[1], folder); "
        "in_parallel(save_when_told, [folder / 'a', folder / 'b'], place, lambda *_: None, saves=True)"
    )
    client = subprocess.Popen([sys.executable, "-c", code, running.address, str(tmp_path)], cwd=ROOT)
    wait_until(lambda: len(list(tmp_path.glob("*.began"))) == 2)
    client.kill()
    client.wait()
    wait_until(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists(), 10)


def test_a_scheduler_that_dies_is_a_clear_failure_and_all_is_saved(tmp_path):
    with scheduler(tmp_path, 1, "--no-nanny") as doomed:
        path = tmp_path / "a"

        def kill_the_scheduler_once_it_began():
            if path.with_suffix(".began").exists():
                doomed.process.kill()

        place = Cluster(doomed.address, tmp_path)
        with pytest.raises(WorkerDied, match=f"the scheduler at {doomed.address} is gone"):
            in_parallel(
                save_when_told, [path], place, lambda *_: None, look=kill_the_scheduler_once_it_began, saves=True
            )
        wait_until(path.exists)


def test_what_a_killed_client_left_is_removed_and_what_a_living_one_holds_stays(running, tmp_path):
    left = tmp_path / ".cluster-left"
    left.touch()
    with cluster._token(tmp_path) as other:
        assert not left.exists()
        assert outcomes(die_if_told, ["a"], Cluster(running.address, tmp_path)) == {"a": "a"}
        assert other.exists()
    assert not list(tmp_path.glob(".cluster-*"))
