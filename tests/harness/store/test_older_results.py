"""A folder of results from another version is migrated, or refused with the remedy; never silently left out."""

import json
from dataclasses import replace

import pytest

from aevb.errors import UserError
from harness.runs.job import Job
from harness.runs.train import Interrupted, run
from harness.store import notices
from harness.store.collect import collect
from harness.store.run_folder import RunFolder
from harness.store.scan import stored_configs
from harness.store.tensors import load_saved, save
from tests.support import ROOT, curve, small_job
from tests.tally import tally

REFERENCE = ROOT / "results" / "reference" / "runs"


@pytest.fixture
def job(tmp_path, array) -> Job:
    job = small_job(tmp_path, array, samples=4_000)
    run(job)
    return job


@pytest.fixture(autouse=True)
def _nothing_told_yet(monkeypatch):
    monkeypatch.setattr(notices, "_told", set())


def change(path, **values):
    content = {k: v for k, v in (json.loads(path.read_text()) | values).items() if v is not None}
    path.write_text(json.dumps(content))


def without_checksums(job):
    (job.folder.path / "checksums.json").unlink()


def test_runs_without_checksums_are_taken_as_they_are(job):
    without_checksums(job)
    before = curve(job)
    assert job.is_done()
    assert stored_configs(job.root) == [job.config]
    assert curve(job).equals(before)


def test_a_record_that_does_not_say_how_many_runs_shared_a_stack_is_read_and_gone_on_from(job):
    path = job.folder.path / "environment.json"
    (environment,) = json.loads(path.read_text())
    assert environment.pop("runs_in_stack") == 1
    path.write_text(json.dumps([environment]))
    without_checksums(job)
    assert job.is_done()
    assert run(replace(job, samples=8_000)).state == "finished"
    older, now = job.folder.environments()
    assert older == environment
    assert now["runs_in_stack"] == 1


def test_the_published_runs_can_be_read_and_none_is_left_out(capsys):
    configs = stored_configs(REFERENCE)
    assert len(configs) == len(list(REFERENCE.iterdir())) > 0
    for measure in ("lower_bound", "marginal_log_likelihood"):
        folders = [RunFolder(REFERENCE, config) for config in configs if config.measure == measure]
        curves, runs = collect(folders, ("dataset",), measure)
        assert {*runs["status"]} == {"finished"}
        assert len(curves)
    assert capsys.readouterr().err == ""


def test_a_config_without_a_later_field_is_read_as_what_was_done_before(job):
    without_checksums(job)
    change(job.folder.path / "config.json", posterior_jitter=None, precision=None)
    assert stored_configs(job.root) == [job.config]
    assert job.is_done()


@pytest.mark.parametrize("content", ['{"warmup": 3}', "[]", "3", "{", '{"hidden": 3}'])
def test_a_config_of_another_version_is_told_and_computed_anew(content, job, capsys):
    without_checksums(job)
    path = job.folder.path / "config.json"
    whole = path.read_text()
    path.write_text(
        content if content[0] != "{" or content == "{" else json.dumps(json.loads(whole) | json.loads(content))
    )
    for _ in range(2):
        assert stored_configs(job.root) == []
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"left out: 1 run(s) in {job.root} whose config.json is damaged or of another version")
    assert "the command that computed them mends or renews them" in said
    assert not job.is_done()
    run(job)
    assert path.read_text() == whole
    assert stored_configs(job.root) == [job.config]
    tally("folders of another version")


def test_a_status_with_other_fields_is_understood(job):
    without_checksums(job)
    status = job.folder.status()
    path, later = (
        job.folder.path / "status.json",
        dict.fromkeys(("evaluation_seconds", "message", "completed", "steps")),
    )
    change(path, **later, host="elsewhere")
    assert job.is_done()
    assert job.folder.status().bound == status.bound
    change(path, state="done")
    assert not job.is_done()
    assert run(job).samples == status.samples
    tally("folders of another version", 2)


@pytest.mark.parametrize(
    "lacks", ["tape", "learner", "weights", "progress field", "progress", "generator", "rows", "all"]
)
def test_a_checkpoint_of_another_layout_is_refused_with_the_remedy(lacks, tmp_path, array):
    job = small_job(tmp_path, array, samples=4_000)
    with pytest.raises(Interrupted):
        run(job, should_stop=lambda: True)
    state = load_saved(job.folder.checkpoint)
    if lacks == "weights":
        state["learner"]["model"].popitem()
    elif lacks == "progress field":
        state["progress"]["other"] = 3
    elif lacks == "rows":
        state["progress"]["rows"] = 3
    elif lacks == "all":
        state = ["nothing"]
    else:
        del state[lacks]
    save(state, job.folder.checkpoint)
    content = job.folder.checkpoint.read_bytes()
    with pytest.raises(UserError, match=r"a checkpoint must be of this version; .*checkpoint.pt .* with --force"):
        run(job)
    assert job.folder.checkpoint.read_bytes() == content
    job.folder.mark_stale()
    assert run(job).state == "finished"
    tally("folders of another version")


def test_a_checkpoint_that_keeps_no_environments_or_notes_is_gone_on_from(tmp_path, array):
    whole, job = (small_job(tmp_path / name, array, samples=4_000) for name in ("whole", "older"))
    run(whole)
    with pytest.raises(Interrupted):
        run(job, should_stop=lambda: True)
    state = load_saved(job.folder.checkpoint)
    del state["environments"], state["progress"]["notes"]
    save(state, job.folder.checkpoint)
    without_checksums(job)
    run(job)
    assert curve(job).equals(curve(whole))
    tally("folders of another version")
