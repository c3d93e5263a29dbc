"""Results of a version in which a run had one length are brought over, and what could not be is told."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from aevb.errors import UserError
from harness.command.main import main
from harness.runs.job import Job
from harness.runs.train import run
from harness.store import notices
from harness.store.checksums import write_checked
from harness.store.shelves import Shelves
from harness.store.tensors import is_whole, load_saved, save
from tests.support import curve, small_job

FIELDS = ("completed", "steps")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(notices, "_told", set())


def older(array, samples, scale, *, figure="figure2/runs", **changes) -> tuple[Path, Job]:
    """A finished run as an older version left it, and the job that goes on from it."""
    job = small_job(Path("made"), array, samples=samples, first_point=100, **changes)
    run(job)
    folder = Path("results") / scale / figure / job.folder.path.name.replace(job.config.id, f"{samples:012x}")
    shutil.copytree(job.folder.path, folder)
    shutil.rmtree(folder / "models")
    config = json.loads((folder / "config.json").read_text()) | {"samples": samples}
    del config["paper_points"]
    write_checked(folder / "config.json", json.dumps(config))
    status = {k: v for k, v in json.loads((folder / "status.json").read_text()).items() if k not in FIELDS}
    write_checked(folder / "status.json", json.dumps(status))
    saved = load_saved(folder / "checkpoint.pt")
    del saved["progress"]["kept"], saved["progress"]["library"]
    saved["evaluator"].pop("pointwise", None)
    save(saved, folder / "checkpoint.pt")
    shutil.rmtree("made")
    return folder, replace(job, root=Path("results/runs"))


@pytest.mark.parametrize("method", ["aevb", "mcem"])
def test_a_run_that_ended_on_its_grid_goes_on_to_the_curve_it_would_have_had(method, array, capsys):
    more = {"measure": "marginal_log_likelihood", "batch_size": 0, "warm_up": 0} if method == "mcem" else {}
    samples = 3_600 if method == "mcem" else 1_000
    _, job = older(array, samples, "quick", method=method, evaluation_points=30, **more)
    assert main(["--migrate"]) == 0
    assert f"brought over: {job.config.name}, {samples:,} samples" in capsys.readouterr().out
    assert job.is_done()
    multiplied = job.folder.environments()[-1]["products"]
    assert load_saved(job.folder.checkpoint)["progress"]["library"] == multiplied, "it goes on with what it began with"
    assert job.folder.model_samples() == [samples]
    longer = replace(job, samples=4 * samples)
    assert run(longer).steps > 0
    whole = replace(longer, root=Path("whole"))
    run(whole)
    pd.testing.assert_frame_equal(curve(longer), curve(whole), check_exact=True)


def test_one_that_ended_off_its_grid_keeps_curve_and_model_and_goes_farther_with_force_alone(array, capsys):
    folder, job = older(array, 1_100, "quick-1100")
    before = pd.read_csv(folder / "curve.csv")
    assert main(["--migrate"]) == 0
    assert "--force" in capsys.readouterr().out
    assert job.is_done()
    pd.testing.assert_frame_equal(pd.read_csv(job.folder.curve), before)
    assert is_whole(job.folder.model(1_100))
    assert not job.folder.checkpoint.exists()
    longer = replace(job, samples=2_000)
    with pytest.raises(UserError, match="has 1,100 samples and none: compute it anew with --force"):
        run(longer)
    assert job.is_done(), "what there is stays"
    job.folder.mark_stale()
    assert run(longer).steps == 100
    assert 1_100 not in {*curve(longer)["samples"]}


def test_of_several_lengths_the_longest_is_kept_and_all_are_put_aside(array, capsys):
    short, job = older(array, 400, "smoke")
    longer, _ = older(array, 1_000, "quick", figure="models/runs")
    other, _ = older(array, 400, "quick", n_latent=3)
    (other / "config.json").write_text("{")
    content = {path.relative_to("results"): path.read_bytes() for path in Path("results").rglob("*.csv")}
    assert main(["--migrate"]) == 0
    said = capsys.readouterr().out
    assert f"left, as there is a longer one: {short}" in said
    assert f"left: {other}: " in said
    assert len([*Path("results/runs").iterdir()]) == 1
    assert replace(job, samples=1_000).is_done()
    aside = Path("results/before-migration")
    assert {path.relative_to(aside): path.read_bytes() for path in aside.rglob("*.csv")} == content
    assert main(["--migrate"]) == 0
    assert "nothing of an older version" in capsys.readouterr().out
    assert longer.parent.parent.name == "models"


def test_studies_come_along_and_tables_of_the_usual_size_come_first(array):
    for scale in ("quick", "smoke"):
        parts = Path("results") / scale / "marginal" / "parts" / scale
        parts.mkdir(parents=True)
        (parts / "part.csv").write_text(scale)
        (parts.parent.parent / "marginal.csv").write_text(scale)
    assert main(["--migrate"]) == 0
    study = Path("results/studies/marginal")
    assert (study / "marginal.csv").read_text() == "quick"
    assert sorted(path.name for path in (study / "parts").iterdir()) == ["quick", "smoke"]


def test_older_results_are_spoken_of_until_they_are_brought_over(array, capsys):
    older(array, 400, "quick")
    shelves = Shelves(Path("results"))
    assert shelves.own_runs() == []
    assert "1 run(s) of an older version in results; --migrate brings them over" in capsys.readouterr().err
    assert main(["--migrate"]) == 0
    capsys.readouterr()
    assert len(shelves.own_runs()) == 1
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("content", ["{", "[]", "[" * 100_000, '{"samples": 5, "dataset": 3}'])
def test_what_is_no_run_is_left_and_told(content, array, capsys):
    folder, _ = older(array, 400, "quick")
    (folder / "checksums.json").unlink()
    (folder / "config.json").write_text(content)
    assert main(["--migrate"]) == 0
    assert f"left: {folder}: " in capsys.readouterr().out


@pytest.mark.parametrize("blocked", ["results/studies", "results/before-migration"])
def test_a_file_in_the_place_of_a_folder_is_told_and_nothing_goes(blocked, capsys):
    part = Path("results/quick/marginal/parts/a/part.csv")
    part.parent.mkdir(parents=True)
    part.write_text("a part")
    Path(blocked).write_text("mine")
    assert main(["--migrate"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert blocked in said
    assert "move away what is in its place" in said
    assert (part.read_text(), Path(blocked).read_text()) == ("a part", "mine")
