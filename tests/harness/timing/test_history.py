"""Earlier measurements are kept by commit, and compared on one and the same machine only."""

import json

import pytest

from harness.timing.history import compare_commits, format_changes, read_history, remember

MACHINE = {"model": "6/1/1", "caches": {"L2": 2**20}, "cores": 2, "megahertz": 2000, "virtual": True}


def write(folder, commit, rate, *, day=1, machine=MACHINE, name="cpu", control=None, **changes):
    case = {
        "suite": "learner", "method": "aevb", "engine": "fast", "device_type": "cpu", "precision": "float32",
        "hidden": [500], "n_latent": 20, "batch_size": 100, "n_samples": 1, "samples": 1000,
        "samples_per_second": rate, "seconds": 1000 / rate, "seconds_low": 990 / rate, "seconds_high": 1010 / rate,
    }  # fmt: skip
    environment = {"device": "A CPU", "device_type": "cpu", "commit": commit, "started": f"2026-01-0{day}"}
    others = [case | {"batch_size": 10}, case | {"engine": "reference"}, case | {"suite": "data"}]
    if control:
        seconds = {name: case[name] * rate / control for name in ("seconds", "seconds_low", "seconds_high")}
        others.append(case | {"engine": "plain PyTorch", "samples_per_second": control} | seconds)
    content = {"environment": environment | {"machine": machine}, "measured": [case | changes, *others]}
    (folder / f"{name}.json").write_text(json.dumps(content))


def test_each_measurement_is_kept_once_and_what_is_written_over_stays(tmp_path):
    for commit, rate, day in (("a", 100.0, 1), ("b", 120.0, 2)):
        write(tmp_path, commit, rate, day=day)
        remember(tmp_path)
        remember(tmp_path)
    history = read_history(tmp_path)
    assert history["commit"].tolist() == ["a", "b"]
    assert history["case"].unique().tolist() == ["AEVB 500/20"]
    assert history["samples_per_second"].tolist() == [100.0, 120.0]
    assert (history["low"] < history["samples_per_second"]).all()
    assert (history["high"] > history["samples_per_second"]).all()


def test_the_ratio_of_two_commits_has_both_intervals_and_the_control_beside_it(tmp_path):
    write(tmp_path, "a", 100.0, control=50.0)
    remember(tmp_path)
    write(tmp_path, "b", 120.0, day=2, machine=MACHINE | {"megahertz": 2001}, control=40.0)
    remember(tmp_path)
    changes = compare_commits(read_history(tmp_path))
    ours, control = changes.to_dict("records")
    assert (ours["before"], ours["now"], ours["case"], ours["ratio"]) == ("a", "b", "AEVB 500/20", "1.200")
    low, high = map(float, ours["95 % interval"].split("–"))
    assert (low, high) == pytest.approx((1.2 * 0.99 / 1.01, 1.2 * 1.01 / 0.99), abs=1e-3)
    assert (control["case"], control["ratio"]) == ("plain PyTorch 500/20", "0.800")
    text = format_changes(changes)
    assert all(said in text for said in ("a to b", "AEVB 500/20", "1.200", "plain PyTorch 500/20"))
    assert all(len(line) <= 80 for line in text.splitlines()), text


def test_another_machine_and_a_single_commit_are_not_compared(tmp_path):
    write(tmp_path, "a", 100.0)
    remember(tmp_path)
    write(tmp_path, "b", 50.0, day=2, machine=MACHINE | {"caches": {"L2": 2**21}})
    remember(tmp_path)
    write(tmp_path, "b", 51.0, day=3, machine=MACHINE | {"caches": {"L2": 2**21}})
    remember(tmp_path)
    assert compare_commits(read_history(tmp_path)).empty
    assert compare_commits(read_history(tmp_path / "nowhere")).empty


def test_an_older_file_without_intervals_is_remembered(tmp_path):
    for day, commit in enumerate("ab", 1):
        write(tmp_path, commit, 100.0 + day, day=day)
        stored = json.loads((tmp_path / "cpu.json").read_text())
        for row in stored["measured"]:
            del row["seconds_low"], row["seconds_high"]
        (tmp_path / "cpu.json").write_text(json.dumps(stored))
        remember(tmp_path)
    (row,) = compare_commits(read_history(tmp_path)).to_dict("records")
    assert (row["ratio"], row["95 % interval"]) == ("1.010", "–")
