"""What a reader's store lacks comes from the project's results, item by item, marked; and reading needs no data."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import aevb
from aevb import shipped, trained
from aevb.errors import DataError, UserError
from harness.claims.results import Results
from harness.claims.show import show_claims
from harness.command.main import main
from harness.experiments.paper import FIGURE2
from harness.experiments.paper_curves import read_published
from harness.figures.agreement import agreement
from harness.figures.compare import compare
from harness.figures.costs import method_costs
from harness.figures.summary import format_summary
from harness.report.parts import SHOWN
from harness.runs.job import Job
from harness.runs.train import run
from harness.store.collect import collect
from harness.store.shelves import Shelves
from harness.store.tensors import load_saved, save
from tests.support import ROOT, SMALL, small_config, small_job

LENGTH = 20_000
pytestmark = pytest.mark.usefixtures("nothing_published")


def figure(number, *more, samples=LENGTH):
    about = ("--dataset", "stripes.npy", "--protocol", SMALL, "--samples", str(samples))
    return ("--figure", str(number), *about, *more)


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def published(array, tmp_path):
    """AEVB of two seeds, in the project's results; the array's file is there no more."""
    jobs = []
    for seed in (0, 1):
        job = Job(
            small_config(array, seed=seed, evaluation_points=10_000),
            LENGTH,
            tmp_path / "project" / "runs",
            array,
            "cpu",
        )
        run(job)
        job.folder.checkpoint.unlink()
        jobs.append(job)
    return jobs


def own(published, samples=LENGTH, **changes):
    """The reader's run like the first published one."""
    config = small_config(published[0].data, **{"seed": 0, "evaluation_points": 10_000, **changes})
    return replace(published[0], config=config, samples=samples, root=Path("results/runs"))


def test_an_empty_store_shows_what_is_published_and_says_so(published, array, tmp_path, capsys):
    array.unlink()
    before = files(shipped.RESULTS)
    shown = ["--figure", "2", "--protocol", SMALL, "--plot-only"]
    assert main(shown) == 0
    table = pd.read_csv("results/figure2/figure2.csv")
    assert {*table["published"]} == {True}
    assert {*table["seed"]} == {0, 1}
    assert files(shipped.RESULTS) == before, "what is published is only read"


def test_a_curve_that_the_reader_has_is_the_readers_alone(published):
    mine = own(published, samples=2_000)
    run(mine)
    folders = Shelves(Path("results")).curves(FIGURE2, SMALL, {})
    assert [folder.published for folder in folders] == [False]
    other = own(published, method="wake_sleep", samples=2_000)
    run(other)
    shutil.rmtree(mine.folder.path)
    folders = Shelves(Path("results")).curves(FIGURE2, SMALL, {})
    assert sorted((f.config.method, f.config.seed, f.published) for f in folders) == [
        ("aevb", 0, True), ("aevb", 1, True), ("wake_sleep", 0, False),
    ]  # fmt: skip


def test_published_curves_that_reach_farther_than_the_readers_own_are_told(published, capsys):
    def told():
        capsys.readouterr()
        assert main(["--figure", "2", "--protocol", SMALL, "--plot-only"]) == 0
        figure = " ".join(capsys.readouterr().out.split())
        show_claims(Shelves(Path("results")), SMALL, [])
        return figure, " ".join(capsys.readouterr().out.split())

    farther = (
        "your own runs stand for 1 published curve(s) that reach farther, 20,000 samples; the published ones alone"
    )
    assert all(farther not in text for text in told()), "there are none of the reader's own"
    run(own(published, samples=2_000))
    assert all(farther in text for text in told())
    run(own(published))
    assert all(farther not in text for text in told())


def test_published_curves_have_a_star_beside_the_readers_own(published):
    def table():
        folders = Shelves(Path("results")).curves(FIGURE2, SMALL, {})
        curves, _ = collect(folders, FIGURE2.key, FIGURE2.measure)
        paper = read_published(2)
        return format_summary(compare(curves, paper, at=[1e4]), agreement(curves, paper, {}))

    run(own(published, method="wake_sleep"))
    mixed = table()
    rows = [line for line in mixed.splitlines() if line.startswith("stripes.npy")]
    assert ["*" in row for row in rows] == ["AEVB" in row for row in rows]
    assert mixed.endswith("* published with the project, not computed here")
    shutil.rmtree("results/runs")
    alone = table()
    assert alone.splitlines()[0].endswith("; published with the project, not computed here")
    assert "*" not in alone


def test_the_model_that_is_far_enough_is_found_first_the_readers_then_the_published_one(published):
    shelves, config = Shelves(Path("results")), published[0].config
    assert shelves.model(config, LENGTH).folder.published
    run(own(published, samples=1_000))
    assert shelves.model(config, LENGTH).folder.published, "the reader's is too short"
    near = shelves.model(config, 1_000)
    assert (near.folder.published, near.samples) == (False, 1_000)
    far = shelves.model(config, 10**9)
    assert (far.folder.published, far.samples) == (True, LENGTH), "none is far enough: the last one"
    run(own(published, samples=LENGTH))
    assert shelves.model(config, 5_000, latest=True).samples == LENGTH
    assert shelves.model(config, 5_000, latest=False).samples == 10_000
    assert shelves.model(replace(config, n_latent=3), 1) is None


@pytest.mark.parametrize("demo", ["generate", "reconstruct"])
def test_a_demo_takes_a_published_model_and_trains_one_with_force(demo, published, capsys):
    arguments = ["--demo", demo, *figure(0, "--latent", "2", "--workers", "1")[2:]]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert "training steps computed" not in printed.err
    assert "published with the project" in printed.out
    provenance = json.loads(Path(f"results/demos/stripes.npy-{demo}-nz2-{SMALL}/provenance.json").read_text())
    assert provenance["runs"][0]["published"] is True
    assert provenance["runs"][0]["samples"] == LENGTH
    assert main([*arguments, "--force"]) == 0
    printed = capsys.readouterr()
    assert "1,000 training steps computed, in 1 of 1 runs" in printed.err
    assert "published" not in printed.out


def test_figures_4_and_2_and_a_demo_compute_nothing_twice(array, capsys):
    steps = []
    for arguments in (
        figure(2, "--latent", "2", "--method", "aevb"),
        figure(4),
        ("--demo", "generate", *figure(0, "--latent", "2")[2:]),
        figure(5, "--latent", "2"),
    ):
        assert main([*arguments, "--workers", "1"]) == 0
        steps += re.findall(r"([\d,]+) training steps computed", capsys.readouterr().err)
    assert steps == ["1,000", "0", "0", "0"]


def test_a_longer_request_goes_on_and_says_how_much_there_was_to_do(array, capsys):
    for samples, steps in ((LENGTH, "1,000"), (2 * LENGTH, "1,000"), (LENGTH, "0")):
        assert main(figure(2, "--latent", "2", "--method", "aevb", "--workers", "1", samples=samples)) == 0
        assert f"{steps} training steps computed" in capsys.readouterr().err
    assert pd.read_csv("results/figure2/figure2.csv")["samples"].max() == 2 * LENGTH


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_what_reads_a_moved_store_needs_neither_the_array_nor_a_network(number, array, tmp_path, monkeypatch, capsys):
    more = ("--latent", "2") if number in (2, 5) else ()
    arguments = figure(number, *more, samples=4_000)
    assert main([*arguments, "--workers", "2"]) == 0
    if number in (2, 3):
        arguments = [text for text in arguments if text not in ("--samples", "4000")]
    folder = Path(f"results/figure{number}")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".png", ".csv")}
    shutil.rmtree(folder)
    array.unlink()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    shutil.move("results", moved / "results")
    monkeypatch.chdir(moved)

    def no_data(*_, **__):
        raise AssertionError("data were looked for")

    for name in ("harness.figures.plan.load_dataset", "harness.runs.build.load_dataset"):
        monkeypatch.setattr(name, no_data)
    assert main([*arguments, "--plot-only"]) == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name in before} == before
    assert main(["--list"]) == 0
    assert "stripes.npy" in capsys.readouterr().out


def test_tables_hold_the_readers_runs_on_all_datasets(array, tmp_path):
    run(replace(small_job(tmp_path, array, samples=2_000, evaluation_points=10_000), root=Path("results/runs")))
    (mnist,) = FIGURE2.configs(SMALL, ["mnist"], [0], sizes=[3], methods=["aevb"])
    run(Job(mnist, 100, Path("results/runs"), None, "cpu"))
    array.unlink()
    assert main(["--figure", "2", "--dataset", "mnist", "--protocol", SMALL, "--plot-only"]) == 0
    for table in ("figure2.csv", "runs.csv"):
        assert {*pd.read_csv(f"results/figure2/{table}")["dataset"]} == {"mnist", "stripes.npy"}


def test_panels_that_the_store_has_are_not_called_missing_for_want_of_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AEVB_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("aevb.data.frey_face.URLS", ())
    protocol = f"{SMALL}+decoder=gaussian"
    request = ["--figure", "4", "--protocol", protocol, "--samples", "100", "--workers", "1"]
    assert main(request) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("missing: the frey_face panels.")
    frey = FIGURE2.configs(protocol, ["frey_face"], [0], sizes=[2], methods=["aevb"])[0]
    (mnist,) = Path("results/runs").glob("mnist-*")
    target = Shelves(Path("results")).own_run(frey)
    shutil.copytree(mnist, target.path)  # its curve and model are taken for Frey Face's
    (target.path / "checksums.json").unlink()
    (target.path / "config.json").write_text(frey.to_json())
    model = target.model(100)
    save(load_saved(model) | {"run": frey.id}, model)
    assert main(request) == 0
    assert "missing" not in capsys.readouterr().out


def test_a_published_model_that_was_changed_or_is_none_is_refused(published):
    entry = {"dataset": "d", "n_latent": 2, "method": "aevb", "seed": 0, "samples": 5, "file": "model.pt"}
    content = b"not a model"
    (shipped.RESULTS / "model.pt").write_bytes(content)
    known = entry | {"sha256": hashlib.sha256(content + b".").hexdigest()}
    (shipped.RESULTS / trained.INDEX).write_text(json.dumps([known]))
    with pytest.raises(DataError, match="must have SHA-256"):
        aevb.load("d", n_latent=2)
    with pytest.raises(UserError, match=r"dataset d, n_latent 2, method aevb, seed 0.*got dataset d, n_latent 3"):
        aevb.load("d", n_latent=3)
    with pytest.raises(UserError, match=r"one that you trained is read by aevb\.trained\.build.*models/SAMPLES\.pt$"):
        aevb.load("faces.npy", n_latent=2)
    (shipped.RESULTS / "model.pt").unlink()
    with pytest.raises(DataError, match="install the project again"):
        aevb.load("d", n_latent=2)


def test_a_published_study_is_shown_and_marked_and_one_that_nobody_has_is_asked_for(capsys, monkeypatch):
    request = ["--study", "marginal", "--plot-only"]
    assert main(request) == 2
    assert "there must be a study to show; results/studies/marginal has none" in capsys.readouterr().err
    shutil.copytree(ROOT / "results" / "reference" / "studies", shipped.RESULTS / "studies")
    before = files(shipped.RESULTS)
    assert main(request) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "published with the project, not computed here"
    assert files(shipped.RESULTS) == before
    shutil.copytree(shipped.RESULTS / "studies", "results/studies")
    assert main(request) == 0
    out = capsys.readouterr().out
    assert "published" not in out
    assert "wrote results/studies/marginal/marginal.png" in out


@pytest.mark.parametrize("left", [None, ".lock", ".unfinished.jsonl", "to_target.csv"])
def test_a_folder_of_the_readers_without_the_files_that_are_wanted_hides_nothing_published(left, monkeypatch):
    monkeypatch.setattr(shipped, "RESULTS", ROOT / "results" / "reference")

    def found():
        shelves = Shelves(Path("results"))
        results = Results(shelves)
        return len(results.benchmarks), len(results.contests), method_costs(shelves)

    published = found()
    assert all(published)
    for folder in (Path("results/benchmarks/against"), Path("results/benchmarks/methods")):
        folder.mkdir(parents=True)
        if left is not None:
            (folder.parent / left).touch()
            (folder / left).touch()
    assert found() == published
    Path("results/benchmarks/mine.json").touch()
    assert Shelves(Path("results")).folder("benchmarks", kinds=[".json"]) == Path("results/benchmarks")


def test_the_page_shows_what_the_reader_has_measured_and_else_what_is_published():
    published = shipped.RESULTS / "benchmarks" / "machine.json"
    published.parent.mkdir(parents=True)
    published.touch()
    shelves, own = Shelves(Path("results")), Path("results/benchmarks")
    own.mkdir(parents=True)
    (own / ".lock").touch()
    assert shelves.folder("benchmarks", kinds=SHOWN) == published.parent
    (own / "to_target.csv").touch()
    assert shelves.folder("benchmarks", kinds=SHOWN) == own


def test_importing_the_package_loads_no_torch():
    code = "import sys, aevb; sys.exit('torch' in sys.modules or not callable(aevb.load))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
