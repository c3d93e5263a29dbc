"""What a run's model was before: published beside the run, and the reader's own in its place."""

import json
import shutil

import pytest

from aevb import shipped
from aevb.errors import UserError
from harness.command import main as command_line
from harness.experiments.paper import FIGURE4
from harness.pictures.models import load_trained
from harness.report import make
from harness.report.earlier import publish_earlier, published_file, times, write_earlier
from harness.report.weights import view_of
from harness.store.run_folder import RunFolder
from harness.store.shelves import KeptModel, Shelves
from tests.report_store import EARLIER, SAMPLES, random_model
from tests.support import ROOT

RESULTS = ROOT / "results" / "reference"
(MNIST,) = FIGURE4.configs("author", ["mnist"], [0], methods=["aevb"])
PUBLISHED = RunFolder(RESULTS / "runs", MNIST, published=True)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The published run of MNIST, with none of its earlier models, as all that comes with the project."""
    monkeypatch.setattr(shipped, "RESULTS", tmp_path / "project")
    folder = RunFolder(shipped.RESULTS / "runs", MNIST, published=True)
    shutil.copytree(PUBLISHED.path, folder.path, ignore=shutil.ignore_patterns("earlier"))
    return folder


@pytest.fixture
def shelves(tmp_path, project):
    """A store with another model of the same run, at two times."""
    shelves = Shelves(tmp_path / "results")
    shutil.copytree(project.path, shelves.own_run(MNIST).path)
    for samples in (EARLIER, SAMPLES):
        random_model(shelves, MNIST, samples)
    return shelves


@pytest.mark.parametrize("dataset", ["mnist", "frey_face"])
def test_what_is_published_of_earlier_is_of_the_published_run_and_its_curve(dataset):
    (config,) = FIGURE4.configs("author", [dataset], [0], methods=["aevb"])
    folder = RunFolder(RESULTS / "runs", config, published=True)
    last = load_trained(KeptModel(folder, folder.model_samples()[-1]))
    curve = folder.read_curve()
    assert len(times(last)) >= 2
    for samples in times(last):
        content = json.loads(published_file(folder, samples).read_text())
        assert content["run"] == folder.path.name
        assert content["published"] is True
        assert content["samples"] == samples
        logged = curve[(curve["split"] == "test") & (curve["samples"] == samples)]["lower_bound"].item()
        assert content["testBound"] == pytest.approx(logged)
        assert (*content["view"]["centre"], content["view"]["half"]) == (*view_of(last).centre, view_of(last).half)


def test_publishing_adds_the_models_that_the_published_one_was(project, shelves, tmp_path):
    assert times(load_trained(KeptModel(project, project.model_samples()[-1]))) == []
    lines = [*publish_earlier(shelves)]
    assert [line[: len("published: 2 earlier models of mnist")] for line in lines] == [
        "published: 2 earlier models of mnist"
    ]
    last = load_trained(KeptModel(project, project.model_samples()[-1]))
    assert times(last) == [EARLIER, SAMPLES]
    names = [path.name for path in write_earlier(last, tmp_path / "mnist-2.json")]
    assert names == [f"mnist-2@{EARLIER}.json", f"mnist-2@{SAMPLES}.json"]
    assert (tmp_path / names[0]).read_bytes() == published_file(project, EARLIER).read_bytes()


def test_a_store_that_lacks_a_time_that_is_published_takes_none_away(project, shelves):
    assert len([*publish_earlier(shelves)]) == 1
    before = published_file(project, EARLIER).read_bytes()
    shelves.own_run(MNIST).model(EARLIER).unlink()
    (line,) = publish_earlier(shelves)
    assert line.startswith("left: earlier models of mnist")
    assert line.endswith("the store has 1, published are 2")
    assert published_file(project, EARLIER).read_bytes() == before
    with pytest.raises(UserError, match="choose another --results DIR"):
        next(publish_earlier(Shelves(shipped.RESULTS)))


def test_the_readers_own_earlier_models_are_shown_before_published_ones(project, shelves, tmp_path, monkeypatch):
    assert len([*publish_earlier(shelves)]) == 1
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(make, "render", lambda *_: "")  # the models are enough

    def shown() -> list[tuple[int, bool]]:
        assert command_line.main(["--report", "--plot-only"]) == 0
        found = sorted((tmp_path / "results" / "models").glob("mnist-2@*.json"))
        contents = [json.loads(path.read_text()) for path in found]
        return [(content["samples"], content["published"]) for content in contents]

    assert shown() == [(EARLIER, False)], "its last model is the one that the published run had as an earlier one"
    shutil.rmtree(shelves.own_run(MNIST).path)
    assert shown() == [(EARLIER, True), (SAMPLES, True)]
