"""Damaged checkpoints and models are told, and had again from what is whole."""

import random
from dataclasses import replace

import pytest
import torch

from aevb.errors import UserError
from harness.pictures.models import load_trained
from harness.runs.train import Interrupted, run
from harness.store.checksums import Damaged
from harness.store.shelves import KeptModel, Shelves
from harness.store.tensors import is_whole, load_saved, save
from tests.damage import ANY, DAMAGES, flipped, hurt, same_curves, speckled
from tests.tally import tally


@ANY
def test_a_damaged_checkpoint_gives_way_to_the_previous_one(damage, stopped, finished):
    samples = load_saved(stopped.folder.previous_checkpoint)["progress"]["samples"]
    assert 0 < samples < load_saved(stopped.folder.checkpoint)["progress"]["samples"]
    hurt(stopped.folder.checkpoint, damage)
    said = f"checkpoint.pt was damaged; went on from the previous checkpoint, at {samples:,} samples"
    assert run(stopped).message == said
    same_curves(stopped, finished)


def test_a_damaged_checkpoint_never_becomes_the_previous_one(stopped, finished):
    hurt(stopped.folder.checkpoint, speckled)
    with pytest.raises(Interrupted):
        run(stopped, should_stop=lambda: True)
    assert is_whole(stopped.folder.previous_checkpoint)
    assert is_whole(stopped.folder.checkpoint)
    run(stopped)
    same_curves(stopped, finished)


def test_without_a_whole_checkpoint_a_run_begins_anew_and_says_so(stopped, finished):
    hurt(stopped.folder.checkpoint, speckled)
    hurt(stopped.folder.previous_checkpoint, DAMAGES["truncated"])
    assert run(stopped).message.endswith("was damaged; began anew, for want of a whole checkpoint")
    same_curves(stopped, finished)


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


@ANY
@pytest.mark.parametrize("also_the_checkpoint", [False, True])
def test_a_damaged_model_of_a_finished_run_is_had_again_from_a_checkpoint(also_the_checkpoint, damage, finished):
    kept = KeptModel(finished.folder, finished.folder.model_samples()[-1])
    model = load_trained(kept).model.state_dict()
    hurt(kept.path, damage)
    if also_the_checkpoint:
        hurt(finished.folder.checkpoint, damage)
    assert finished.is_done(), "its curve is whole"
    with pytest.raises(UserError, match=rf"a kept model must be whole; .*{kept.samples}.pt"):
        load_trained(kept)
    wanted = replace(finished, for_model=True)
    assert not wanted.is_done()
    mended = run(wanted)
    assert ("went on from the previous checkpoint" in mended.message) == also_the_checkpoint
    assert (mended.steps > 0) == also_the_checkpoint
    assert f"the model at {kept.samples:,} samples was damaged" in mended.message
    assert wanted.is_done()
    for name, value in load_trained(kept).model.state_dict().items():
        assert torch.equal(value, model[name])


def test_a_damaged_model_on_the_way_goes_and_a_later_one_is_shown_in_its_place(finished):
    path, later = finished.folder.model(1_000), KeptModel(finished.folder, 4_000)
    hurt(path, speckled)
    wanted = replace(finished, samples=1_000, for_model=True)
    assert not wanted.is_done()
    assert "the model at 1,000 samples was damaged" in run(wanted).message
    assert wanted.is_done()
    assert not path.exists()
    assert Shelves(finished.root.parent).model(finished.config, 1_000, latest=False) == later
    load_trained(later)


def test_a_model_does_not_need_the_checkpoints(finished):
    kept = KeptModel(finished.folder, finished.folder.model_samples()[-1])
    for path in (finished.folder.checkpoint, finished.folder.previous_checkpoint):
        hurt(path, speckled)
    assert replace(finished, for_model=True).is_done()
    load_trained(kept)
