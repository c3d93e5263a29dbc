"""The benchmarks' counts, tables, figures and command; what they time is asserted by themselves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from aevb.learner import Batch
from benchmarks.cores import bound, one_core
from benchmarks.work import flops, step_bytes, step_products
from harness.command.main import main
from harness.experiments.config import Config
from harness.figures.costs import METHODS_FOLDER
from harness.runs.build import RunData, build_learner
from harness.timing.devices import keep, read
from harness.timing.journal import NAME, read_journal
from harness.timing.plot import plot_benchmarks
from harness.timing.tables import (
    UNTOLD,
    format_benchmarks,
    format_times,
    readable,
    tabulate,
    time_to_bound,
)
from tests import head_start
from tests.bad_input import check_refusal, run
from tests.support import ROOT, environment, reproduce, wait_until

PIXELS = 30


def config(**changes) -> Config:
    values = {"dataset": "x.npy", "method": "aevb", "n_latent": 4, "seed": 0, "protocol": "author"}
    return Config(**values | {"hidden": (11,), "batch_size": 7} | changes)


@pytest.mark.parametrize(
    ("method", "n_samples"), [("aevb", 1), ("aevb", 3), ("wake_sleep", 1), ("wake_sleep", 3), ("mcem", 1)]
)
@pytest.mark.parametrize("hidden", [(11,), (11, 6), ()], ids=str)
def test_the_products_are_those_that_torch_counts(method, hidden, n_samples, generator):
    settings = config(method=method, hidden=hidden, n_samples=n_samples, batch_size=0 if method == "mcem" else 7)
    x = torch.rand(7, PIXELS, generator=generator)
    learner = build_learner(settings, RunData(x, False, x, x), 0.01, "reference")
    batch = Batch(x, torch.arange(7))
    with FlopCounterMode(display=False) as counter:
        learner.step(batch, generator)
    assert flops(step_products(settings, PIXELS, n_train=7)) == counter.get_total_flops()


@pytest.mark.parametrize("method", ["aevb", "mcem"])
def test_bytes_are_those_of_parameters_accumulators_and_activations(method):
    settings = config(method=method)
    x = torch.rand(7, PIXELS)
    learner = build_learner(settings, RunData(x, False, x, x), 0.01)
    modules = [module for module in (learner.model, learner.encoder) if module is not None]
    parameters = sum(p.numel() for module in modules for p in module.parameters())
    activations = 7 * (PIXELS + 4 + 11 + PIXELS) + (7 * (11 + 8) if learner.encoder is not None else 0)
    assert step_bytes(settings, PIXELS, n_train=7) == 4 * (2 * parameters + activations)


def measured(**changes) -> dict:
    info = {
        "suite": "learner", "method": "aevb", "engine": "by hand", "device_type": "cpu", "precision": "float32",
        "hidden": [500], "n_latent": 20, "batch_size": 100, "n_samples": 1, "samples": 1000, "flops_per_second": 1e11,
        "samples_per_second": 50_000.0, "flop_share_of_gemm_peak": 0.8, "bytes_touched": 6_500_000,
        "seconds": 0.02, "seconds_low": 0.0196, "seconds_high": 0.0204,
        "environment": {"device": "Some CPU @ 2 GHz", "commit": "abc"},
    }  # fmt: skip
    return info | changes


def report(*cases: dict) -> list[dict]:
    return [{"test": f"test_{n}", **info} for n, info in enumerate(cases)]


def sweep(**changes) -> list[dict]:
    cases = [measured(batch_size=m, samples_per_second=20_000.0 * m**0.2, **changes) for m in (10, 100, 1000)]
    cases += [measured(n_latent=n, **changes) for n in (2, 200)] + [measured(hidden=[h], **changes) for h in (50, 1000)]
    cases += [measured(engine=name, samples_per_second=1e4, **changes) for name in ("reference", "plain PyTorch")]
    importance = {"suite": "log p(x)", "method": "importance sampling, network", "hidden": [100], "n_latent": 3}
    return cases + [measured(**importance | {"n_samples": k}, **changes) for k in (30, 300)]


def test_each_device_has_a_file_of_its_own_with_its_provenance(tmp_path):
    gpu = {"device_type": "cuda", "environment": {"device": "Some GPU", "commit": "abc"}}
    keep(report(*sweep(), *sweep(**gpu)), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "Some-CPU-2-GHz.json", "Some-CPU-2-GHz.csv", "Some-GPU.json", "Some-GPU.csv",
    }  # fmt: skip
    stored = json.loads((tmp_path / "Some-GPU.json").read_text())
    assert stored["environment"]["commit"] == "abc"
    table = read(tmp_path)
    assert set(table["device"]) == {"Some CPU @ 2 GHz", "Some GPU"}
    assert len(table) == 2 * len(sweep())
    # 50,000 samples/s are 20 s a million.
    row = table[(table["device"] == "Some GPU") & (table["n_latent"] == 200)].iloc[0]
    assert row["seconds_per_million"] == 20
    assert row["seconds"] == 0.02
    assert "100.0" in format_benchmarks(table)


def test_what_was_not_measured_is_a_dash():
    bare = {key: value for key, value in measured().items() if not key.startswith(("flop", "bytes"))}
    text = format_benchmarks(tabulate(report(bare)))
    assert text.split().count("–") == 3  # FLOP/s, their share and bytes
    assert "nan" not in text


def test_a_time_has_its_interval_and_one_that_is_not_stable_is_marked():
    stable, unstable = measured(), measured(seconds_low=0.018, engine="reference")
    text = format_benchmarks(tabulate(report(stable, unstable)))
    assert "2.0%" in text
    assert "6.0% !" in text
    assert "! unstable: more than 5%" in text
    assert "unstable" not in format_benchmarks(tabulate(report(stable)))


def test_where_jax_is_not_installed_its_row_says_so():
    plain, jax = (measured(engine=name) for name in ("plain PyTorch", "JAX scan"))
    table = tabulate(report(plain))
    row = readable(table).set_index("engine").loc["JAX scan: not installed"]
    assert (row["hidden"], row["N_z"], row["samples/s"], row["±"]) == ("500", "20", "–", "–")
    assert "pip install -c constraints.txt -e '.[test,jax]'" in format_benchmarks(table).replace("\n  ", " ")
    for cases in ((plain, jax), (measured(),)):
        assert "not installed" not in format_benchmarks(tabulate(report(*cases)))


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


def test_what_older_versions_published_is_read_under_its_present_name():
    table = read(ROOT / "results" / "reference" / "benchmarks")
    assert "plain PyTorch" in set(table["engine"])
    assert not table["engine"].str.contains("naive").any()
    older = table[table["seconds_low"].isna()]
    shown = readable(older)
    assert "plain PyTorch" in set(shown["engine"])
    assert set(shown["±"]) == {"–"}  # which they did not have


def curves(device: str = "Some CPU") -> pd.DataFrame:
    """AEVB rises a nat a second to −90, wake-sleep a nat in two seconds to −95."""
    rows = [
        {"dataset": "mnist", "n_latent": 3, "method": method, "split": "test", "seed": seed, "samples": 1000 * k,
         "lower_bound": -100.0 + 2 * k, "seconds": slowness * 2 * k, "device": device}
        for method, slowness, last in (("aevb", 1.0, 5), ("wake_sleep", 2.0, 2))
        for seed in (0, 1)
        for k in range(last + 1)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_the_bound_to_reach_is_where_the_last_method_ended():
    times = time_to_bound(curves()).set_index("method")
    assert (times["target"] == -96).all()
    assert times.loc["aevb", "seconds"] == 4
    assert times.loc["wake_sleep", "seconds"] == 8


def test_seconds_of_different_devices_are_not_compared():
    cpu, gpu = curves(), curves("Some GPU")
    gpu["seconds"] /= 10
    apart = time_to_bound(pd.concat([cpu, gpu])).set_index(["device", "method"])["seconds"]
    assert apart.to_dict() == {
        ("Some CPU", "aevb"): 4, ("Some CPU", "wake_sleep"): 8, ("Some GPU", "aevb"): 0.4,
        ("Some GPU", "wake_sleep"): 0.8,
    }  # fmt: skip
    one_of_each = pd.concat([cpu[cpu["method"] == "aevb"], gpu[gpu["method"] == "wake_sleep"]])
    assert time_to_bound(one_of_each).empty
    alone = cpu[cpu["method"] == "aevb"].assign(n_latent=77)  # nothing to compare it with
    assert 77 not in {*time_to_bound(pd.concat([cpu, alone]))["n_latent"]}
    assert {*time_to_bound(cpu.drop(columns="device"))["device"]} == {UNTOLD}


def test_each_device_has_a_panel_of_its_own_that_names_it(tmp_path):
    table = tabulate(report(*sweep())).assign(device="Some CPU")
    times = time_to_bound(pd.concat([curves("Twelve cores"), curves("Some GPU")]))
    paths = plot_benchmarks(table, times, "somewhere", tmp_path)
    (text,) = [path.read_text() for path in paths if path.name == "time_to_bound.svg"]
    assert "MNIST, Twelve cores" in text
    assert "MNIST, Some GPU" in text
    assert "Twelve cores" in format_times(times)


def test_what_is_stored_is_drawn_anew_without_timing_anything(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("harness.timing.suite.subprocess.Popen", None)
    shutil.copytree(ROOT / "results" / "reference" / "benchmarks", tmp_path / "benchmarks")
    before = {path.name: path.read_text() for path in (tmp_path / "benchmarks").glob("*.json")}
    (tmp_path / "benchmarks" / "throughput.png").unlink()
    assert main(["--benchmark", "--plot-only", "--results", str(tmp_path)]) == 0
    assert f"wrote {tmp_path}/benchmarks/throughput.png" in capsys.readouterr().out
    assert (tmp_path / "benchmarks" / "throughput.png").is_file()
    assert before == {path.name: path.read_text() for path in (tmp_path / "benchmarks").glob("*.json")}


def test_figures_show_every_device_and_the_paper(tmp_path):
    gpu = {"device_type": "cuda", "engine": "graph"}
    table = pd.concat(
        [
            tabulate(report(*sweep())).assign(device="Some CPU"),
            tabulate(report(*[case | gpu for case in sweep()])).assign(device="Some GPU"),
            tabulate(report(measured(engine="JAX vmap", device_type="cuda"))).assign(device="Some GPU"),
        ],
        ignore_index=True,
    )
    paths = plot_benchmarks(table, time_to_bound(curves()), "somewhere", tmp_path)
    text = {path.stem: path.read_text() for path in paths if path.suffix == ".svg"}
    assert set(text) == {"throughput", "cost", "time_to_bound"}
    for name in ("throughput", "cost"):
        assert "Some CPU" in text[name]
        assert "Some GPU" in text[name]
        assert "20–40 min" in text[name]
    assert "JAX vmap" in text["throughput"]
    assert "somewhere" in text["time_to_bound"]


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


def test_what_is_no_learner_is_not_timed(own_files):
    status, printed, complained = run(["--benchmark", "--method", "beta:Gamma"])
    check_refusal(status, printed, complained)
    assert "cannot be imported (AttributeError" in complained
