"""Damaged and lost tables and records of a run are told, and mended from what is whole."""

import json
import os

import pytest

from aevb.errors import UserError
from harness.runs import train
from harness.runs.train import Interrupted, run
from harness.store.collect import collect
from tests.damage import ANY, DAMAGES, flipped, hurt, same_curves, speckled
from tests.support import curve, small_job
from tests.tally import tally


def beginnings(environments):
    """What has begun to work on a run or gone on with it, each time that it did."""
    return [
        {**each, "started": date, "resumed": []}
        for each in environments
        for date in (each["started"], *each.get("resumed", []))
    ]


@pytest.mark.parametrize("damage", [*DAMAGES.values(), flipped], ids=[*DAMAGES, "one bit flipped"])
@pytest.mark.parametrize("name", ["curve.csv", "status.json", "environment.json", "config.json"])
def test_a_finished_run_is_mended_without_computing_it_again(name, damage, finished):
    path = finished.folder.path / name
    before, status = path.read_bytes(), finished.folder.status()
    hurt(path, damage)
    assert finished.folder.damaged() == [name]
    assert not finished.is_done()
    mended = run(finished)
    assert mended.message == f"{name} was damaged and is mended"
    assert (mended.state, mended.samples, mended.bound) == ("finished", status.samples, status.bound)
    assert finished.is_done()
    if name in ("curve.csv", "config.json"):
        assert path.read_bytes() == before, "to the clock's column"
    if name == "environment.json":
        assert beginnings(finished.folder.environments())[:-1] == beginnings(json.loads(before))


def test_a_lost_curve_is_written_anew(finished):
    before = finished.folder.curve.read_bytes()
    finished.folder.curve.unlink()
    assert not finished.is_done()
    run(finished)
    assert finished.folder.curve.read_bytes() == before
    tally("damaged files")


def test_a_damaged_curve_of_an_unfinished_run_is_mended(stopped, finished):
    hurt(stopped.folder.curve, flipped)
    with pytest.raises(Interrupted):
        run(stopped, should_stop=lambda: True)
    assert stopped.folder.damaged() == []
    assert run(stopped).message == "curve.csv was damaged and is mended"
    same_curves(stopped, finished)


@ANY
def test_what_is_damaged_is_shown_as_failed_and_left_alone(damage, finished, capsys):
    hurt(finished.folder.curve, damage)
    before = finished.folder.curve.read_bytes()
    curves, runs = collect([finished.folder], ("dataset",), "lower_bound")
    assert "the command that computes the run mends it" in capsys.readouterr().err
    assert runs["status"].tolist() == ["failed"]
    assert "the command that computes the run mends it" in runs["message"][0]
    assert curves.empty
    assert finished.folder.curve.read_bytes() == before


def test_a_pipe_in_the_place_of_a_file_is_damage_and_not_waited_for(finished):
    finished.folder.curve.unlink()
    os.mkfifo(finished.folder.curve)
    assert "curve.csv" in finished.folder.damaged()
    tally("damaged files")


@pytest.mark.parametrize("name", ["curve.csv", "environment.json", "config.json"])
def test_a_lost_file_is_mended(name, finished):
    before = beginnings(finished.folder.environments())
    (finished.folder.path / name).unlink()
    assert not finished.is_done()
    assert run(finished).state == "finished"
    assert (finished.folder.path / name).exists()
    assert beginnings(finished.folder.environments())[:-1] == before, "what computed it is still known"
    assert finished.is_done()
    tally("damaged files")


@pytest.mark.parametrize("fault", [KeyboardInterrupt, MemoryError])
def test_a_run_that_is_stopped_while_it_is_mended_is_not_taken_for_finished(fault, finished, monkeypatch):
    before = curve(finished)
    hurt(finished.folder.curve, speckled)
    hurt(finished.folder.checkpoint, DAMAGES["truncated"])

    def stopped(*_):
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr(train, "train", stopped)
        with pytest.raises(fault):
            run(finished)
    assert not finished.is_done()
    assert run(finished).state == "finished"
    assert curve(finished).equals(before)
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
