"""Damaged and truncated files are noticed, told, and mended from what is whole."""

import json
import os
import random
import threading
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from aevb.errors import UserError
from harness.pictures.models import load_trained
from harness.runs import train
from harness.runs.job import Job
from harness.runs.train import Interrupted, run
from harness.store import checksums
from harness.store.checksums import Damaged, read_checked, write_checked
from harness.store.collect import collect
from harness.store.shelves import KeptModel, Shelves
from harness.store.tensors import is_whole, load_saved, save
from tests.support import curve, small_job
from tests.tally import tally


def flipped(content, where=0.5):
    """One bit of it."""
    position = int(where * (len(content) - 1))
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


def speckled(content):
    """A bit of every fiftieth byte."""
    return bytes(byte ^ (n % 50 == 25) for n, byte in enumerate(content))


DAMAGES = {
    "truncated": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "garbled": lambda content: b"damaged",
    "bits flipped": speckled,
}
ANY = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)


@pytest.fixture
def whole(tmp_path, array) -> Job:
    job = small_job(tmp_path / "whole", array, samples=4_000, first_point=100)
    run(job)
    return job


@pytest.fixture
def stopped(tmp_path, array, monkeypatch) -> Job:
    """The same run half-way, with two checkpoints."""
    job = small_job(tmp_path / "stopped", array, samples=4_000, first_point=100)
    with monkeypatch.context() as patch:
        patch.setattr(train, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
        patch.setattr(train, "SECONDS_OF_A_BURST", 0.0)
        looks = iter(range(60))
        with pytest.raises(Interrupted):
            run(job, should_stop=lambda: next(looks, None) is None)
    assert job.folder.previous_checkpoint.exists()
    return job


def hurt(path, damage):
    path.write_bytes(damage(path.read_bytes()))
    tally("damaged files")


def beginnings(environments):
    """What has begun to work on a run or gone on with it, each time that it did."""
    return [
        {**each, "started": date, "resumed": []}
        for each in environments
        for date in (each["started"], *each.get("resumed", []))
    ]


def same_curves(one, other):
    pd.testing.assert_frame_equal(curve(one), curve(other), check_exact=True)


@ANY
def test_a_damaged_checkpoint_gives_way_to_the_previous_one(damage, stopped, whole):
    samples = load_saved(stopped.folder.previous_checkpoint)["progress"]["samples"]
    assert 0 < samples < load_saved(stopped.folder.checkpoint)["progress"]["samples"]
    hurt(stopped.folder.checkpoint, damage)
    said = f"checkpoint.pt was damaged; went on from the previous checkpoint, at {samples:,} samples"
    assert run(stopped).message == said
    same_curves(stopped, whole)


def test_a_damaged_checkpoint_never_becomes_the_previous_one(stopped, whole):
    hurt(stopped.folder.checkpoint, speckled)
    with pytest.raises(Interrupted):
        run(stopped, should_stop=lambda: True)
    assert is_whole(stopped.folder.previous_checkpoint)
    assert is_whole(stopped.folder.checkpoint)
    run(stopped)
    same_curves(stopped, whole)


def test_without_a_whole_checkpoint_a_run_begins_anew_and_says_so(stopped, whole):
    hurt(stopped.folder.checkpoint, speckled)
    hurt(stopped.folder.previous_checkpoint, DAMAGES["truncated"])
    assert run(stopped).message.endswith("was damaged; began anew, for want of a whole checkpoint")
    same_curves(stopped, whole)


def test_every_bit_of_a_checkpoint_that_matters_is_watched(tmp_path):
    path, bits = tmp_path / "a.pt", random.Random(0)
    state = {"weights": torch.randn(40, 30), "rows": [{"samples": 3, "lower_bound": -1.5}]}
    save(state, path)
    content, noticed = path.read_bytes(), 0
    for where in [bits.random() for _ in range(300)]:
        path.write_bytes(flipped(content, where))
        try:
            found = load_saved(path)
        except Damaged:
            noticed += 1
        else:
            assert torch.equal(found["weights"], state["weights"])
            assert found["rows"] == state["rows"]
    assert noticed > 200
    tally("damaged files", noticed)


@pytest.mark.parametrize("damage", [*DAMAGES.values(), flipped], ids=[*DAMAGES, "one bit flipped"])
@pytest.mark.parametrize("name", ["curve.csv", "status.json", "environment.json", "config.json"])
def test_a_finished_run_is_mended_without_computing_it_again(name, damage, whole):
    path = whole.folder.path / name
    before, status = path.read_bytes(), whole.folder.status()
    hurt(path, damage)
    assert whole.folder.damaged() == [name]
    assert not whole.is_done()
    mended = run(whole)
    assert mended.message == f"{name} was damaged and is mended"
    assert (mended.state, mended.samples, mended.bound) == ("finished", status.samples, status.bound)
    assert whole.is_done()
    if name in ("curve.csv", "config.json"):
        assert path.read_bytes() == before, "to the clock's column"
    if name == "environment.json":
        assert beginnings(whole.folder.environments())[:-1] == beginnings(json.loads(before))


def test_a_lost_curve_is_written_anew(whole):
    before = whole.folder.curve.read_bytes()
    whole.folder.curve.unlink()
    assert not whole.is_done()
    run(whole)
    assert whole.folder.curve.read_bytes() == before
    tally("damaged files")


def test_a_damaged_curve_of_an_unfinished_run_is_mended(stopped, whole):
    hurt(stopped.folder.curve, flipped)
    with pytest.raises(Interrupted):
        run(stopped, should_stop=lambda: True)
    assert stopped.folder.damaged() == []
    assert run(stopped).message == "curve.csv was damaged and is mended"
    same_curves(stopped, whole)


@ANY
@pytest.mark.parametrize("also_the_checkpoint", [False, True])
def test_a_damaged_model_of_a_finished_run_is_had_again_from_a_checkpoint(also_the_checkpoint, damage, whole):
    kept = KeptModel(whole.folder, whole.folder.model_samples()[-1])
    model = load_trained(kept).model.state_dict()
    hurt(kept.path, damage)
    if also_the_checkpoint:
        hurt(whole.folder.checkpoint, damage)
    assert whole.is_done(), "its curve is whole"
    with pytest.raises(UserError, match=rf"a kept model must be whole; .*{kept.samples}.pt"):
        load_trained(kept)
    wanted = replace(whole, for_model=True)
    assert not wanted.is_done()
    mended = run(wanted)
    assert ("went on from the previous checkpoint" in mended.message) == also_the_checkpoint
    assert (mended.steps > 0) == also_the_checkpoint
    assert f"the model at {kept.samples:,} samples was damaged" in mended.message
    assert wanted.is_done()
    for name, value in load_trained(kept).model.state_dict().items():
        assert torch.equal(value, model[name])


def test_a_damaged_model_on_the_way_goes_and_a_later_one_is_shown_in_its_place(whole):
    path, later = whole.folder.model(1_000), KeptModel(whole.folder, 4_000)
    hurt(path, speckled)
    wanted = replace(whole, samples=1_000, for_model=True)
    assert not wanted.is_done()
    assert "the model at 1,000 samples was damaged" in run(wanted).message
    assert wanted.is_done()
    assert not path.exists()
    assert Shelves(whole.root.parent).model(whole.config, 1_000, latest=False) == later
    load_trained(later)


def test_a_model_does_not_need_the_checkpoints(whole):
    kept = KeptModel(whole.folder, whole.folder.model_samples()[-1])
    for path in (whole.folder.checkpoint, whole.folder.previous_checkpoint):
        hurt(path, speckled)
    assert replace(whole, for_model=True).is_done()
    load_trained(kept)


@ANY
def test_what_is_damaged_is_shown_as_failed_and_left_alone(damage, whole, capsys):
    hurt(whole.folder.curve, damage)
    before = whole.folder.curve.read_bytes()
    curves, runs = collect([whole.folder], ("dataset",), "lower_bound")
    assert "the command that computes the run mends it" in capsys.readouterr().err
    assert runs["status"].tolist() == ["failed"]
    assert "the command that computes the run mends it" in runs["message"][0]
    assert curves.empty
    assert whole.folder.curve.read_bytes() == before


def test_a_pipe_in_the_place_of_a_file_is_damage_and_not_waited_for(whole):
    whole.folder.curve.unlink()
    os.mkfifo(whole.folder.curve)
    assert "curve.csv" in whole.folder.damaged()
    tally("damaged files")


def test_a_kill_between_checksum_and_file_is_no_damage(tmp_path, monkeypatch):
    path = tmp_path / "curve.csv"

    def killed(*_, **__):
        raise KeyboardInterrupt

    for text in ("one", "two"):
        write_checked(path, text)
        with monkeypatch.context() as patch:
            patch.setattr(checksums, "write_bytes", killed)
            for other in ("three", "four"):
                with pytest.raises(KeyboardInterrupt):
                    write_checked(path, other)
        assert read_checked(path) == text


def test_a_kill_while_a_file_is_removed_does_not_make_it_a_lost_one(stopped, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            stopped.folder.write_curve([])
    assert stopped.folder.damaged() == []
    stopped.folder.write_curve([])
    assert not stopped.folder.curve.exists()
    assert stopped.folder.damaged() == []


def test_damage_does_not_become_what_was_written(tmp_path, monkeypatch):
    path = tmp_path / "curve.csv"
    write_checked(path, "whole")
    path.write_text("damaged")
    monkeypatch.setattr(checksums, "write_bytes", lambda *_, **__: None)
    write_checked(path, "new")
    with pytest.raises(Damaged):
        read_checked(path)


def test_a_reader_never_takes_a_file_that_is_being_replaced_for_damaged(tmp_path):
    path, over = tmp_path / "status.json", threading.Event()
    write_checked(path, "0", durable=False)

    def write():
        for n in range(400):
            write_checked(path, str(n), durable=False)
        over.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not over.is_set():
        seen.add(int(read_checked(path)))
    writer.join()
    assert len(seen) > 20


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"curve.csv": 3}', b"\xff"])
def test_damaged_checksums_condemn_no_file_and_are_mended(content, whole):
    path = whole.folder.path / "checksums.json"
    path.write_bytes(content)
    before = curve(whole)
    assert whole.folder.damaged() == ["checksums.json"]
    assert not whole.is_done()
    assert run(whole).message == "checksums.json was damaged and is mended"
    assert whole.is_done()
    assert json.loads(path.read_text()).keys() == {"config.json", "curve.csv", "environment.json", "status.json"}
    assert curve(whole).equals(before)
    hurt(whole.folder.curve, flipped)
    assert whole.folder.damaged() == ["curve.csv"]


@pytest.mark.parametrize("name", ["curve.csv", "environment.json", "config.json"])
def test_a_lost_file_is_mended(name, whole):
    before = beginnings(whole.folder.environments())
    (whole.folder.path / name).unlink()
    assert not whole.is_done()
    assert run(whole).state == "finished"
    assert (whole.folder.path / name).exists()
    assert beginnings(whole.folder.environments())[:-1] == before, "what computed it is still known"
    assert whole.is_done()
    tally("damaged files")


@pytest.mark.parametrize("fault", [KeyboardInterrupt, MemoryError])
def test_a_run_that_is_stopped_while_it_is_mended_is_not_taken_for_finished(fault, whole, monkeypatch):
    before = curve(whole)
    hurt(whole.folder.curve, speckled)
    hurt(whole.folder.checkpoint, DAMAGES["truncated"])

    def stopped(*_):
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr(train, "train", stopped)
        with pytest.raises(fault):
            run(whole)
    assert not whole.is_done()
    assert run(whole).state == "finished"
    assert curve(whole).equals(before)
    tally("damaged files")


def test_a_folder_that_is_taken_away_while_it_is_computed_is_told_and_not_made_anew(tmp_path, array, monkeypatch):
    job = small_job(tmp_path, array, samples=4_000, first_point=100)
    away = tmp_path / "away"

    def take_away():
        if job.folder.curve.exists() and not away.exists():
            job.folder.path.rename(away)
        return False

    with pytest.raises(UserError, match="was taken away meanwhile: put it back"):
        run(job, should_stop=take_away)
    assert not job.folder.path.exists()
    away.rename(job.folder.path)
    assert run(job).state == "finished"
    tally("damaged files")
