"""Stored runs computed anew: identical where all is the same, different where somebody changed a number."""

import json
import re
import shutil
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from aevb import shipped
from aevb.errors import UserError
from harness.command.main import main
from harness.runs.curve import points
from harness.runs.train import run
from harness.runs.verdict import tolerances
from harness.runs.verify import find_runs
from harness.store.checksums import write_checked
from harness.store.shelves import Shelves
from tests.support import ROOT, small_job

SAMPLES = 8_000


@pytest.fixture(autouse=True)
def _in_this_process(request, monkeypatch):
    """No process for each run, which takes seconds to start; but where a test asks for them."""

    def one_by_one(function, tasks, place, done, **_):
        for task in tasks:
            future = Future()
            future.set_result(function(task))
            done(task, future)

    if "processes" not in request.keywords:
        monkeypatch.setattr("harness.runs.verify.in_parallel", one_by_one)


@pytest.fixture
def stored(array, tmp_path, monkeypatch):
    """A run in the reader's store; the working folder has the array too."""
    monkeypatch.chdir(tmp_path)
    job = replace(small_job(tmp_path, array, samples=SAMPLES, first_point=500), root=Path("results/runs"))
    run(job)
    return job


def verify(*runs, more=()):
    return main(["--verify", *map(str, runs), "--dataset", "stripes.npy", "--workers", "1", *more])


def change(job, row, column, by, *, checksum=False):
    table = pd.read_csv(job.folder.curve)
    table.loc[row, column] += by
    if checksum:
        write_checked(job.folder.curve, table.to_csv(index=False))
    else:
        job.folder.curve.write_text(table.to_csv(index=False))
    return table.loc[row]


def of_another_processor(job):
    path = job.folder.path / "environment.json"
    content = json.loads(path.read_text())
    write_checked(path, json.dumps([{**environment, "device": "another"} for environment in content]))


def test_a_run_that_others_shared_a_stack_with_or_of_which_that_is_unknown_is_verified_alone(stored, capsys):
    path = stored.folder.path / "environment.json"
    for said in ({"runs_in_stack": 3}, {}):
        content = [{**environment, **said} for environment in json.loads(path.read_text())]
        if not said:
            del content[0]["runs_in_stack"]
        write_checked(path, json.dumps(content))
        assert verify(stored.folder.path) == 0
        assert "identical" in capsys.readouterr().out


@pytest.mark.parametrize("how", ["path", "name", "id", "short id", "short name"])
def test_a_run_that_is_as_it_was_computed_is_identical(how, stored, capsys):
    name = stored.folder.path.name
    run(replace(stored, config=replace(stored.config, seed=10), samples=20))
    run_id = stored.config.id
    named = {"path": stored.folder.path, "name": name, "id": run_id, "short id": run_id[:8]}
    assert verify(named.get(how, name.removesuffix(f"0-{run_id}") + "0")) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == f"identical: {stored.config.name}, 21 values up to 8,000 samples"


def test_a_run_can_be_verified_as_far_as_one_likes(stored, capsys):
    for samples, far in ((1_000, "1,000"), (1_500, "1,500"), (10**6, "8,000")):
        assert verify(stored.config.id, more=["--samples", str(samples)]) == 0
        assert f"up to {far} samples" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize("row", [0, 7, 19])
@pytest.mark.parametrize("by", [0.5, -0.5, 1e-12])
@pytest.mark.parametrize("checksum", [True, False])
def test_a_value_that_was_changed_is_found_and_named(row, by, checksum, stored, capsys):
    changed = change(stored, row, "lower_bound", by, checksum=checksum)
    if pd.read_csv(stored.folder.curve).loc[row, "lower_bound"] == changed["lower_bound"] - by:
        pytest.skip("so little is nothing beside this value")
    assert verify(stored.config.id) == 1
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith(f"different: {stored.config.name}")
    assert f"first at {changed['samples']:,} samples, {changed['split']}: stored {changed['lower_bound']:.6g}" in said
    assert ("changed after it was written" in said) == (not checksum)


def test_on_another_processor_a_little_is_within_tolerance_and_a_whole_curve_that_is_off_is_not(stored, capsys):
    of_another_processor(stored)
    whole = stored.folder.curve.read_text()
    assert verify(stored.config.id) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("identical")
    change(stored, 10, "lower_bound", 0.04, checksum=True)
    assert verify(stored.config.id) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert re.search(r"^within tolerance: .* off by at most 0\.04 nats", said)
    write_checked(stored.folder.curve, whole)
    change(stored, slice(None), "lower_bound", 0.5, checksum=True)
    assert verify(stored.config.id) == 1
    assert "with another processor, packages or code: first at" in capsys.readouterr().out.splitlines()[-1]


def test_on_another_processor_one_value_far_off_or_no_number_is_different(stored, capsys):
    of_another_processor(stored)
    whole = stored.folder.curve.read_text()
    for row, column, by in ((12, "lower_bound", 1_000), (12, "lower_bound", float("nan")), (9, "standard_error", 5)):
        change(stored, row, column, by, checksum=True)
        assert verify(stored.config.id) == 1
        assert capsys.readouterr().out.splitlines()[-1].startswith("different")
        write_checked(stored.folder.curve, whole)


def test_an_error_of_one_minibatch_that_an_older_version_wrote_as_none_is_no_change(
    array, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    job = replace(small_job(tmp_path, array, batch_size=0, samples=1000, first_point=1), root=Path("results/runs"))
    run(job)
    assert verify(job.folder.path) == 0
    table = pd.read_csv(job.folder.curve)
    assert table["standard_error"].isna().any()
    write_checked(job.folder.curve, table.fillna({"standard_error": 0.0}).to_csv(index=False))
    assert verify(job.folder.path) == 0
    assert capsys.readouterr().out.count("identical") == 2


def test_a_model_that_is_another_is_found(stored, capsys):
    shutil.copy(stored.folder.model(1_000), stored.folder.model(SAMPLES))
    assert verify(stored.config.id) == 1
    assert "the model kept after 8,000 samples, not the curve" in capsys.readouterr().out


@pytest.fixture
def diverged(array, tmp_path, monkeypatch):
    """A run of so many samples with this first point, which has diverged."""

    def diverge(samples, first_point):
        monkeypatch.chdir(tmp_path)
        job = small_job(tmp_path, array, samples=samples, first_point=first_point, decoder="gaussian", step_size=1e5)
        job = replace(job, root=Path("results/runs"))
        assert run(job).state == "diverged"
        return job

    return diverge


def test_a_run_that_diverged_is_verified_as_one_and_one_that_only_claims_to_have_ended_is_not(diverged, capsys):
    job = diverged(2_000, 100)
    assert verify(job.config.id) == 0
    job.folder.write_status(replace(job.folder.status(), state="finished", samples=2_000, completed=2_000))
    assert verify(job.config.id) == 1
    assert "only the run computed anew diverged" in capsys.readouterr().out


def test_a_run_that_diverged_before_its_first_value_is_verified_and_one_that_lost_its_values_is_not(diverged, capsys):
    job = diverged(8_000, 2_000)
    assert not job.folder.curve.exists()
    assert verify(job.config.id) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert (
        said
        == f"identical: {job.config.name}, diverges again at {job.folder.status().samples:,} samples, without a value"
    )
    rows = {"split": "test", "samples": 20, "lower_bound": -1.0, "standard_error": 0.1, "seconds": 1.0}
    write_checked(job.folder.curve, pd.DataFrame([rows]).to_csv(index=False))
    assert verify(job.config.id) == 1
    assert "only the curve stored has test at 20" in capsys.readouterr().out


def test_a_curve_that_is_lost_is_told_with_its_first_value(stored, capsys):
    stored.folder.curve.unlink()
    assert verify(stored.config.id) == 1
    assert "only the curve computed anew has" in capsys.readouterr().out


def test_the_last_point_may_not_be_lacking(stored, capsys):
    table = pd.read_csv(stored.folder.curve)
    for lacking in (table.index[-1:], table.index[-3:]):
        write_checked(stored.folder.curve, table.drop(index=lacking).to_csv(index=False))
        assert verify(stored.config.id) == 1
        assert "only the curve computed anew has" in capsys.readouterr().out


def test_another_kind_of_device_is_refused(stored, capsys):
    path = stored.folder.path / "environment.json"
    content = json.loads(path.read_text())
    write_checked(path, json.dumps([{**environment, "device_type": "cuda"} for environment in content]))
    assert verify(stored.config.id) == 2
    assert "must be verified on the kind of device that computed it" in capsys.readouterr().err


def test_rows_that_are_lacking_or_too_many_are_named(stored, capsys):
    table = pd.read_csv(stored.folder.curve)
    write_checked(stored.folder.curve, table.drop(index=5).to_csv(index=False))
    assert verify(stored.config.id) == 1
    row = table.loc[5]
    assert f"only the curve computed anew has {row['split']} at {row['samples']:,}" in capsys.readouterr().out
    extra = pd.concat([table, table.tail(1).assign(samples=7_000)])
    write_checked(stored.folder.curve, extra.to_csv(index=False))
    assert verify(stored.config.id) == 1
    assert "only the curve stored has" in capsys.readouterr().out


@pytest.mark.processes
def test_several_runs_are_verified_and_the_store_is_left_as_it_is(stored, array, capsys):
    other = replace(stored, config=replace(stored.config, seed=1))
    run(other)
    change(other, 3, "lower_bound", 0.5)
    before = {path: path.stat().st_mtime_ns for path in Path("results").rglob("*")}
    with pytest.raises(UserError, match="name one of these"):
        find_runs(Shelves(Path("results")), [stored.folder.path.name[:8]])
    assert verify(stored.config.id, other.config.id) == 1
    said = capsys.readouterr().out
    assert said.count("identical: ") == said.count("different: ") == 1
    assert {path: path.stat().st_mtime_ns for path in Path("results").rglob("*")} == before


def test_what_is_no_run_or_has_no_data_is_told_with_the_remedy(stored, capsys):
    assert main(["--verify", "nothing"]) == 2
    assert "which is none in results/runs" in capsys.readouterr().err
    assert main(["--verify", stored.config.id]) == 2
    assert "name it with --dataset stripes.npy" in capsys.readouterr().err
    with pytest.raises(UserError, match="which is none"):
        find_runs(Shelves(Path("results")), ["zzz"])
    shutil.rmtree(stored.folder.path)
    assert main(["--verify", stored.config.id]) == 2


def test_what_no_run_is_of_is_refused_beside_it(stored, array, tmp_path, capsys):
    (tmp_path / "copy").mkdir()
    shutil.copy(array, tmp_path / "copy" / "stripes.npy")
    for more, says in (
        (
            "nosuch.npy stripes.npy",
            "--dataset must name what a run to be verified is of, stripes.npy, got nosuch.npy: ",
        ),
        ("stripes.npy mnist", "--dataset must name what a run to be verified is of, stripes.npy, got mnist: leave it"),
        ("copy/stripes.npy stripes.npy", "different file names, got two of stripes.npy: leave one out"),
        (
            "stripes.npy --method aevb mine:Mid",
            "--method must name what a run to be verified is of, aevb, got mine:Mid",
        ),
        ("stripes.npy --method wake_sleep", "--method must name what a run to be verified is of, aevb, got wake_sleep"),
    ):
        assert main(["--verify", stored.config.id, "--workers", "1", "--dataset", *more.split()]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert says in said.err
    assert verify(stored.config.id, more=["--method", "aevb", "--samples", "700"]) == 0


def test_a_count_up_to_which_nothing_is_logged_is_refused(stored, capsys):
    first = next(points(stored.config))
    for too_few in (5, first - 1):
        assert verify(stored.config.id, more=["--samples", str(too_few)]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert f"which is at {first:,} for {stored.config.name}, got {too_few:,}: " in said.err
    assert verify(stored.config.id, more=["--samples", str(first)]) == 0
    assert re.search(r"identical: .*, [1-9]\d* values up to", capsys.readouterr().out)


def test_the_tolerance_grows_with_the_change_to_the_points_beside():
    index = pd.MultiIndex.from_product([[1, 2, 4], ["test", "train"]], names=["samples", "split"])
    curve = pd.Series([-9.0, -8.0, -5.0, -7.5, -4.0, -7.4], index=index)
    np.testing.assert_allclose(tolerances(curve, 0.1), 0.05 + 0.1 * np.array([4, 0.5, 4, 0.5, 1, 0.1]))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_run_of_a_gpu_is_not_verified_without_one_and_runs_of_a_cpu_are_named(stored, capsys):
    other = replace(stored, config=replace(stored.config, seed=7), samples=1_000)
    run(other)
    computed = [each | {"device_type": "cuda", "device": "Some GPU"} for each in stored.folder.environments()]
    write_checked(stored.folder.path / "environment.json", json.dumps(computed))
    for more, told in (
        ([], "torch finds no such device here: choose a machine that has one"),
        (["--device", "cpu"], "got --device cpu: leave --device out"),
    ):
        assert verify(stored.config.id, more=more) == 2
        said = capsys.readouterr().err
        assert "is of cuda (Some GPU)" in said
        assert told in said
        assert f"verify a run of cpu, as {other.folder.path.name.rpartition('-')[0]}\n" in said


@pytest.mark.parametrize("page", ["faq", "commands", "results", "ko/faq", "ko/commands", "ko/results"])
def test_the_pages_verify_a_run_that_a_cpu_has_computed(page):
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    named = re.findall(r"--verify (\S+-seed\d+) --samples (\S+)", text)
    assert named
    for run_name, samples in named:
        (folder,) = find_runs(Shelves(shipped.RESULTS), [run_name])
        assert folder.device_type() == "cpu"
        assert folder.status().completed >= float(samples)


def test_verifying_takes_the_engine_that_computed_the_run(array, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    job = small_job(tmp_path, array, samples=1_000, first_point=500)
    job = replace(job, root=Path("results/runs"), engine="reference")
    run(job)
    assert verify(job.config.id) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("identical")


def test_a_folder_of_another_store_is_told_with_its_store(stored, tmp_path):
    elsewhere = tmp_path / "elsewhere" / "runs" / stored.folder.path.name
    elsewhere.mkdir(parents=True)
    with pytest.raises(
        UserError, match=rf"which is none .*: where it is one, name its store with --results {tmp_path}"
    ):
        find_runs(Shelves(Path("results")), [str(elsewhere)])
