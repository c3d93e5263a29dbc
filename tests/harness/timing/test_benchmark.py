"""The command that runs the benchmarks; what they time is asserted by themselves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from benchmarks.cores import bound, one_core
from harness.command.main import main
from harness.figures.costs import METHODS_FOLDER
from harness.timing.journal import NAME, read_journal
from tests import head_start
from tests.bad_input import check_refusal, run
from tests.support import ROOT, environment, reproduce, wait_until


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system binds nobody to a core")
def test_what_is_timed_has_one_core_and_so_have_all_threads_but_a_gpus_case_has_all_cores():
    before, found, go = os.sched_getaffinity(0), [], threading.Event()

    def look() -> None:
        go.wait(60)
        found.append(os.sched_getaffinity(0))

    def looked(*threads: threading.Thread) -> list[set[int]]:
        found.clear()
        go.set()
        for thread in threads:
            thread.join()
        go.clear()
        return [os.sched_getaffinity(0), *found]

    older, oldest = threading.Thread(target=look), threading.Thread(target=look)
    older.start()
    oldest.start()
    with one_core() as cores:
        assert cores == before
        younger = threading.Thread(target=look)
        younger.start()
        with bound(cores):
            assert [os.sched_getaffinity(thread.native_id) for thread in (older, younger)] == [before] * 2
        assert [len(each) for each in looked(older, oldest, younger)] == [1] * 4
    assert os.sched_getaffinity(0) == before


def test_what_is_stored_is_drawn_anew_without_timing_anything(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("harness.timing.suite.subprocess.Popen", None)
    shutil.copytree(ROOT / "results" / "reference" / "benchmarks", tmp_path / "benchmarks")
    before = {path.name: path.read_text() for path in (tmp_path / "benchmarks").glob("*.json")}
    (tmp_path / "benchmarks" / "throughput.png").unlink()
    assert main(["--benchmark", "--plot-only", "--results", str(tmp_path)]) == 0
    assert f"wrote {tmp_path}/benchmarks/throughput.png" in capsys.readouterr().out
    assert (tmp_path / "benchmarks" / "throughput.png").is_file()
    assert before == {path.name: path.read_text() for path in (tmp_path / "benchmarks").glob("*.json")}


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_gpu_the_command_says_so_and_completes_the_cpu_part_also_where_it_was_stopped(tmp_path):
    arguments, chosen = ("--benchmark", "--device", "cpu", "cuda"), {"PYTEST_ADDOPTS": "-k 'test_tape and 100-'"}
    env = environment(XDG_CACHE_HOME=str(tmp_path / "cache"), **chosen)
    process = head_start.start([str(ROOT / "reproduce.py"), *arguments], tmp_path, env)
    journal = tmp_path / "results" / "benchmarks" / NAME
    wait_until(lambda: read_journal(journal)[1], 100)
    os.kill(process.pid, signal.SIGTERM)
    _, complained = process.communicate(timeout=100)
    heading, before = read_journal(journal)
    assert process.returncode == 130
    assert complained.splitlines()[-2:] == [
        f"{len(before)} of 4 cases are done",
        "interrupted; the same command resumes",
    ]
    assert len(before) < 4
    with journal.open("ab") as file:
        file.write(b'{"case": "benchmarks/te')  # as a power cut may leave it

    done = reproduce(*arguments, cwd=tmp_path, **chosen)
    assert done.returncode == 0, done.stderr
    assert "no CUDA device" in done.stdout
    assert f"\n{len(before)} of 4 cases are done\n[{len(before) + 1}/4] " in done.stdout
    assert not journal.exists()
    (path,) = (tmp_path / "results" / "benchmarks").glob("*.json")
    stored = json.loads(path.read_text())
    assert {"commit", "packages", "threads", "pytest-benchmark"} <= set(stored["environment"])
    assert stored["environment"]["command"] == "python reproduce.py --benchmark --device cpu cuda"
    names = [f"test_tape[cpu-100-{case}-{pixels}]" for case in ("aevb", "wake_sleep") for pixels in ("none", "dynamic")]
    assert [case["test"] for case in stored["measured"]] == names
    assert [f"benchmarks/test_data.py::{name}" for name in names] == heading["cases"]
    kept = [{name: value for name, value in line["record"].items() if name != "environment"} for line in before]
    assert stored["measured"][: len(kept)] == kept
    for case in stored["measured"]:
        assert case["samples_per_second"] == pytest.approx(case["samples"] / case["seconds"])
        assert case["peak_memory_bytes"] > 1e7
        assert case["rounds"] >= 10
        assert case["seconds_low"] <= case["seconds"] <= case["seconds_high"]
        assert case["warm_up_seconds"] > 0
    assert {"model", "caches", "cores", "megahertz", "virtual"} == set(stored["environment"]["machine"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_cases_are_skipped_and_say_why():
    command = [
        sys.executable,
        "-m",
        "pytest",
        "benchmarks/test_chains.py",
        "-m",
        "cuda",
        "-rs",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=100)
    assert done.returncode == 0
    assert "no CUDA device" in done.stdout
    assert "4 skipped" in done.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_alone_without_a_gpu_is_refused(tmp_path):
    done = reproduce("--benchmark", "--device", "cuda", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("reproduce.py: error: --device cuda needs a CUDA device")
    assert not any(Path(tmp_path).glob("results/benchmarks/*.json"))


def test_a_strangers_learner_is_timed_beside_ours(own_files, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k '100/3 and (Beta or aevb)'")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # with it nothing would be timed
    status, printed, complained = run(["--benchmark", "--method", "beta:Beta", "--device", "cpu"])
    assert status == 0, complained
    (path,) = (own_files / "results" / "benchmarks" / METHODS_FOLDER).glob("*-Beta.json")
    rows = {each["method"]: each for each in json.loads(path.read_text())["measured"]}
    assert {name: row["engine"] for name, row in rows.items()} == {"beta:Beta": "reference", "aevb": "fast"}
    assert "flops" not in rows["beta:Beta"]  # which nobody has counted
    for name, row in rows.items():
        assert name.rpartition(":")[2] in printed.rpartition("wrote ")[2]
        assert row["samples_per_second"] > 1000


def test_a_learner_that_fails_at_its_first_step_is_refused_before_anything_is_timed(own_files):
    failing = "\n\nclass Fails(Beta):\n    def step(self, batch, generator, noise=None):\n        raise KeyError('x')\n"
    (own_files / "mine.py").write_text((own_files / "beta.py").read_text() + failing)
    status, printed, complained = run(["--benchmark", "--method", "mine:Fails", "--device", "cpu"])
    check_refusal(status, printed, complained)
    assert "'mine:Fails' raised KeyError" in complained
    assert not (own_files / "results").exists()


def test_what_is_no_learner_is_not_timed(own_files):
    status, printed, complained = run(["--benchmark", "--method", "beta:Gamma"])
    check_refusal(status, printed, complained)
    assert "cannot be imported (AttributeError" in complained
