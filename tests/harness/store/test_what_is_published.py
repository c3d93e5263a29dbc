"""What is published of a store: whole runs without checkpoints, models in half precision, and nobody's places."""

import json
from pathlib import Path

import pytest
import torch

import aevb
from aevb import shipped, trained
from aevb.errors import UserError
from aevb.estimators import evaluate_lower_bound
from harness.runs.build import evaluation_generator, load, prepare
from harness.runs.job import Job
from harness.runs.publish import publish_runs, without_places
from harness.runs.train import run
from harness.store.checksums import write_checked
from harness.store.shelves import Shelves
from harness.store.tensors import load_saved
from tests.support import ROOT, SMALL, curve, small_config

pytestmark = pytest.mark.usefixtures("nothing_published")


@pytest.mark.parametrize("most", [1.0, -1.0])
def test_runs_are_published_without_checkpoints_and_with_a_model_in_half_precision_if_it_can_be(array, tmp_path, most):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.runs.publish.MOST_NATS", most)
        patch.setattr("harness.runs.publish.MOST_SHARE", most)
        config = small_config(array, evaluation_points=10_000)
        patch.setattr("harness.runs.publish._configs", lambda experiment: [config])
        patch.setattr(shipped, "__file__", str(tmp_path / "elsewhere" / "shipped.py"))
        job = Job(config, 2_000, Path("results/runs"), array, "cpu")
        run(job)
        (nothing,) = publish_runs(Shelves(Path("results")), array)  # of another protocol than its own
        lines = [*publish_runs(Shelves(Path("results")), array, SMALL)]
    assert nothing.startswith("published: 0 models")
    assert [line.partition(":")[0] for line in lines] == ["published", "published"]
    folder = Shelves(Path("results")).model(job.config, 10**9).folder
    assert not folder.published
    there = shipped.RESULTS / "runs" / folder.path.name
    assert {path.name for path in there.iterdir()} == {
        "config.json", "environment.json", "curve.csv", "status.json", "checksums.json", "models",
    }  # fmt: skip
    found = aevb.load("stripes.npy", n_latent=2)
    assert found.origin["samples"] == 2_000
    data = prepare(job.config, load(job.config, array), torch.device("cpu"))
    bound = evaluate_lower_bound(found.model, found.encoder, data.test_points, evaluation_generator("cpu"))
    logged = curve(job).query("split == 'test'")["lower_bound"].iloc[-1]
    assert float(bound.mean()) == pytest.approx(logged, abs=0.01)
    assert ("stays in float32" in lines[0]) == (most < 0)
    kind = torch.float16 if most > 0 else torch.float32
    assert {tensor.dtype for tensor in load_saved(there / "models" / "2000.pt")["model"].values()} == {kind}


def test_better_estimates_that_come_after_a_run_was_published_follow_it_and_those_of_another_curve_do_not(
    array, tmp_path, monkeypatch
):
    config = small_config(array, evaluation_points=10_000)
    monkeypatch.setattr("harness.runs.publish._configs", lambda experiment: [config])
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "elsewhere" / "shipped.py"))
    job = Job(config, 2_000, Path("results/runs"), array, "cpu")
    run(job)

    def publish():
        line, _ = publish_runs(Shelves(Path("results")), array, SMALL)
        return line

    publish()
    there = shipped.RESULTS / "runs" / job.folder.path.name
    write_checked(job.folder.estimates(2_000), "samples\n2000\n")
    assert publish() == f"published: {config.name}, better estimates of it"
    assert (there / "models" / "2000.csv").read_text() == "samples\n2000\n"
    assert publish().endswith("no farther than what is published")
    write_checked(job.folder.estimates(1_000), "samples\n1000\n")
    write_checked(job.folder.curve, job.folder.curve.read_text().replace("test,2000,-", "test,2000,-1"))
    assert publish().endswith("no farther than what is published")
    assert not (there / "models" / "1000.csv").exists()


def test_a_published_model_stays_until_the_one_that_reaches_farther_is_there(array, tmp_path, monkeypatch):
    config = small_config(array, evaluation_points=10_000)
    monkeypatch.setattr("harness.runs.publish._configs", lambda experiment: [config])
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "elsewhere" / "shipped.py"))
    run(Job(config, 2_000, Path("results/runs"), array, "cpu"))
    [*publish_runs(Shelves(Path("results")), array, SMALL)]
    job = Job(config, 4_000, Path("results/runs"), array, "cpu")
    models = shipped.RESULTS / "runs" / job.folder.path.name / "models"
    write_checked(models / "2000.csv", "samples\n2000\n")
    run(job)

    def full(content, path):
        raise UserError("no room")

    with monkeypatch.context() as patch:
        patch.setattr("harness.runs.publish.save", full)
        with pytest.raises(UserError, match="no room"):
            [*publish_runs(Shelves(Path("results")), array, SMALL)]
    assert aevb.load("stripes.npy", n_latent=2).origin["samples"] == 2_000
    [*publish_runs(Shelves(Path("results")), array, SMALL)]
    assert aevb.load("stripes.npy", n_latent=2).origin["samples"] == 4_000
    assert {path.name for path in models.iterdir()} - {"checksums.json"} == {"4000.pt"}


def test_half_precision_keeps_what_does_not_fit():
    content = {"model": {"w": torch.tensor([1.0, 2e5])}, "encoder": None}
    assert trained.halved(content)["model"]["w"].dtype == torch.float32
    content["model"]["w"][1] = 2.0
    assert trained.halved(content)["model"]["w"].dtype == torch.float16


def test_what_a_device_was_timed_at_is_published_without_its_places(array, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "elsewhere" / "shipped.py"))
    mine = Path("results/benchmarks")
    mine.mkdir(parents=True)
    (mine / "GPU.json").write_text(
        json.dumps({"environment": {"command": "reproduce.py --results /r"}, "measured": []})
    )
    (mine / "GPU.csv").write_text("a\n1\n")
    (mine / "history.csv").write_text("not a device's")
    (mine / "Roofs alone.json").write_text((mine / "GPU.json").read_text())
    *lines, _ = publish_runs(Shelves(Path("results")), array)
    assert [line[:36] for line in lines] == [
        "published: the benchmarks of GPU, wi",
        "published: the benchmarks of Roofs a",
    ]
    there = shipped.RESULTS / "benchmarks"
    assert {path.name for path in there.iterdir()} == {"GPU.csv", "GPU.json", "Roofs alone.json"}
    assert json.loads((there / "GPU.json").read_text())["environment"]["command"] == "reproduce.py --results DIR"


def test_a_store_that_is_not_there_is_not_published():
    with pytest.raises(UserError, match=r"--publish copies a store, and there is none at nowhere: .* --results DIR"):
        [*publish_runs(Shelves(Path("nowhere")), None)]


def published(command, **others):
    return json.loads(without_places(json.dumps([{"command": command} | others])))[0]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("--results '/home/me/my runs' --data=/data --workers 2", "--results DIR --data=DIR --workers 2"),
        ("'--results=/home/me/my runs' --figure 5", "--results=DIR --figure 5"),
        ("""--data '/home/me/it'"'"'s here' --figure 2""", "--data DIR --figure 2"),
        ("--data /home/me/with\\ blanks --figure 2", "--data DIR --figure 2"),
        ("--dataset mnist '/home/me/my faces.npy' loaders:faces", "--dataset mnist 'my faces.npy' loaders:faces"),
        ("--dataset=/home/me/faces.npy --latent 2", "--dataset=faces.npy --latent 2"),
        ("--check --junit /home/me/check.xml", "--check --junit FILE"),
        ("--verify /home/me/runs/a results/runs/b c", "--verify a b c"),
        ("--protocol 'author+hidden=[8]' --results here", "--protocol 'author+hidden=[8]' --results DIR"),
    ],
)
def test_published_commands_tell_no_places(typed, told):
    assert published(f"python reproduce.py {typed}")["command"] == f"python reproduce.py {told}"


def test_nothing_else_of_an_environment_is_taken_for_a_command():
    others = {"diff": """+f("--results '", "it's --data 'x', y='")\n""", "device": "it's"}
    assert published("python reproduce.py --results here", **others) == others | {
        "command": "python reproduce.py --results DIR"
    }


def test_a_command_that_no_shell_takes_is_not_published():
    with pytest.raises(UserError, match=r"one that a shell takes, got .*No closing quotation.*: mend it"):
        published("python reproduce.py --results '/home/me")


def test_the_published_commands_are_as_they_would_be_published_again():
    texts = [path.read_text() for path in (ROOT / "results" / "reference").rglob("*.json")]
    texts = [text.replace("--results results/reference", "--results DIR") for text in texts if '"command"' in text]
    assert len(texts) > 100
    assert not [text for text in texts if json.loads(without_places(text)) != json.loads(text)]
