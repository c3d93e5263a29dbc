"""What others have put into a store, moved or locked, also without checksums: it is mended, or told; no data go."""

import ctypes
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from aevb.errors import UserError
from harness.command.main import main
from harness.figures.bias import collect_estimates
from harness.pictures.models import load_trained
from harness.runs.train import run
from harness.store import notices
from harness.store.scan import stored_configs
from harness.store.shelves import KeptModel
from harness.store.tensors import save
from tests import forked
from tests.bad_input import contents
from tests.foreign import look_at
from tests.support import small_job
from tests.tally import tally


@pytest.fixture(autouse=True)
def _nothing_told_yet(monkeypatch):
    monkeypatch.setattr(notices, "_told", set())


FILES = ("curve.csv", "status.json", "environment.json", "config.json", "checksums.json", "checkpoint.pt")
MODEL = "models/4000.pt"


def in_its_place(path, make):
    path.unlink(missing_ok=True)
    make(path)


@pytest.mark.parametrize("name", [*FILES, MODEL])
def test_a_folder_in_the_place_of_a_file_is_told_and_stays(name, whole, capsys):
    path = whole.folder.path / name
    in_its_place(path, Path.mkdir)
    (path / "mine").write_text("stays")
    look_at(whole)
    wanted = replace(whole, samples=8_000, for_model=True)
    with pytest.raises(
        UserError, match=rf"results must be writable; .*{path.name}: .*; move away what is in its place"
    ):
        run(wanted)
    assert (path / "mine").read_text() == "stays"
    shutil.rmtree(path)
    assert run(wanted).state == "finished"
    tally("foreign files")


@pytest.mark.parametrize("name", [*FILES, MODEL])
@pytest.mark.parametrize("target", ["itself", "nowhere"])
def test_a_link_that_leads_nowhere_is_told_and_mended(name, target, whole):
    path = whole.folder.path / name
    in_its_place(path, lambda path: path.symlink_to(path.name if target == "itself" else "nowhere"))
    look_at(whole)
    wanted = replace(whole, samples=8_000, for_model=True)
    assert run(wanted).state == "finished"
    assert wanted.is_done()
    assert whole.folder.damaged() == []
    tally("foreign files")


def test_a_run_that_lies_elsewhere_is_gone_on_with_there_and_begun_anew_there(whole, tmp_path):
    away, models = tmp_path / "away", tmp_path / "models"
    (whole.folder.path / "models").rename(models)
    (whole.folder.path / "models").symlink_to(models)
    whole.folder.path.rename(away)
    whole.folder.path.symlink_to(away)
    assert whole.is_done()
    assert run(replace(whole, samples=8_000)).state == "finished"
    assert (models / "8000.pt").exists()
    whole.folder.mark_stale()
    assert run(whole).state == "finished"
    assert whole.folder.model_samples() == [100, 1_000, 4_000]
    assert (away / "curve.csv").exists()


def test_what_may_not_be_read_is_told_and_not_taken_for_damage(whole, monkeypatch, capsys):
    """As on a disk that does not answer for a while: what it holds is whole."""
    read, files = Path.read_bytes, {p: p.read_bytes() for p in whole.folder.path.rglob("*") if p.is_file()}

    def refuse(path):
        if path.suffix in (".pt", ".json"):
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        assert "files must be such that they can be read; " in whole.folder.status().message
        look_at(whole)
        assert "Permission denied; give this user the right to, or look after the disk" in capsys.readouterr().err
        with pytest.raises(UserError, match=r"files must be .*[.]pt: Permission denied"):
            run(replace(whole, samples=8_000))
    kept = {path: path.read_bytes() for path in files if path.name != "status.json"}
    assert kept == {path: content for path, content in files.items() if path.name != "status.json"}
    assert run(replace(whole, samples=8_000)).state == "finished"


def test_other_files_beside_the_models_are_no_models(whole):
    found = whole.folder.model_samples()
    for name in ("x.pt", "-5.pt", "1e3.pt", "0007.pt", "٣.pt", "10.pt.bak", "²3.pt"):
        (whole.folder.path / "models" / name).write_text("no model")
    assert whole.folder.model_samples() == found


@pytest.mark.parametrize("change", [{"hidden": (5,)}, {"n_latent": 3}, {"decoder": "gaussian"}, "other", "list"])
def test_the_model_of_another_run_is_refused(change, whole, tmp_path):
    path = whole.folder.model(4_000)
    if isinstance(change, dict):
        other = replace(whole, config=replace(whole.config, **change), root=tmp_path / "others")
        run(other)
        shutil.copy(other.folder.model(4_000), path)
    else:
        save({"w": 1} if change == "other" else [1], path)
    with pytest.raises(UserError, match=r"a kept model must be of this version; .*4000.pt: .*anew with --force"):
        load_trained(KeptModel(whole.folder, 4_000))
    tally("foreign files")


def test_the_model_and_the_checkpoint_of_another_seed_are_refused_and_stay(whole, tmp_path):
    other = replace(whole, config=replace(whole.config, seed=1), root=tmp_path / "others")
    run(other)
    shutil.copy(other.folder.model(4_000), whole.folder.model(4_000))
    with pytest.raises(UserError, match=f"4000.pt: it is of the run {other.config.id}; compute the run anew"):
        load_trained(KeptModel(whole.folder, 4_000))
    shutil.copy(other.folder.checkpoint, whole.folder.checkpoint)
    before = contents(whole.folder.path / "models")
    with pytest.raises(UserError, match=rf"must be of its run; .*checkpoint.pt is of {other.config.id}, got .*--force"):
        run(replace(whole, samples=8_000))
    assert whole.folder.checkpoint.read_bytes() == other.folder.checkpoint.read_bytes()
    assert contents(whole.folder.path / "models") == before
    tally("foreign files", 2)


@pytest.mark.parametrize("name", ["copy", "{}~", "{} (1)", "seed1"])
def test_a_run_copied_under_another_name_is_left_out_and_told(name, whole, capsys):
    own = whole.folder.path
    target = own.with_name(own.name.replace("seed0", "seed1") if name == "seed1" else name.format(own.name))
    shutil.copytree(own, target)
    assert stored_configs(whole.root) == [whole.config]
    said = capsys.readouterr().err
    assert said.startswith(f"left out: 1 run(s) in {whole.root} whose config.json is")
    assert f"({target.name}: not the config that the folder is named for)" in said


@pytest.mark.parametrize("left", [{"curve.csv"}, {"curve.csv", "checkpoint.pt", "status.json"}])
def test_a_run_that_was_copied_in_part_is_told(left, whole, capsys):
    for path in whole.folder.path.iterdir():
        if path.name not in left:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert stored_configs(whole.root) == []
    assert f"({whole.folder.path.name}: it has none)" in capsys.readouterr().err


def test_a_store_whose_name_is_no_text_is_drawn(array, tmp_path):
    """A file system has bytes for names."""
    store = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9t\xe9"))
    job = small_job(store, array, samples=1_000, evaluation_points=10_000)
    run(job)
    job.folder.curve.write_text("damaged")
    request = ["--figure", "2", "--protocol", job.config.protocol, "--plot-only", "--results", str(store)]
    assert main([*request, "--dataset", "stripes.npy"]) == 0
    assert b"\\udce9t\\udce9" in (store / "figure2" / "runs.csv").read_bytes()


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "split;samples\ntest;4000\n", ""])
def test_better_estimates_that_are_none_are_left_out_and_told(content, whole, capsys):
    whole.folder.estimates(4_000).write_text(content)
    assert collect_estimates([whole.folder], ("dataset",)).empty
    said = capsys.readouterr().err
    assert said.startswith(f"left out: {whole.folder.estimates(4_000)}: ")
    assert "--re-estimate computes it anew" in said


def without_rights(folder, out):
    """As one whom permissions bind, even if the tests are root's."""
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert os.geteuid() or ctypes.CDLL(None).capset(header, none) == 0
    with out.open("w") as sys.stderr:
        try:
            print(len(stored_configs(folder)), file=sys.stderr)
        except UserError as error:
            print(error, file=sys.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="privileges are dropped as on Linux")
@pytest.mark.parametrize("which", ["the run", "all runs"])
def test_a_folder_that_may_not_be_entered_is_told_and_not_taken_for_an_empty_one(which, whole, tmp_path):
    folder, out = whole.folder.path if which == "the run" else whole.root, tmp_path / "told"
    folder.chmod(0)
    try:
        assert forked.finish(forked.start(without_rights, whole.root, out)) == 0
    finally:
        folder.chmod(0o700)
    said = out.read_text()
    if which == "the run":
        assert said.startswith(f"left out: 1 run(s) in {whole.root} ")
        assert f"({whole.folder.path.name}: it may not be read)" in said
        assert said.endswith("\n0\n")
    else:
        assert said.startswith(f"files must be such that they can be read; {whole.root}: Permission denied")
