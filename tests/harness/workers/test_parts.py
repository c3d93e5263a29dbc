"""Parts of studies and re-estimates: each computed by one process, kept as it was written, and failing by name."""

import itertools
import json
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from aevb.errors import UserError
from harness.store import notices
from harness.store.tables import read_checked_table
from harness.studies.marginal.measure import MarginalStudy
from harness.studies.marginal.study import Part as MarginalPart
from harness.studies.reparameterization import study as study_reparameterization
from harness.workers.local import Local
from harness.workers.parts import (
    PartsFailed,
    compute_once,
    compute_parts,
    folder_of_parts,
    gather,
    is_done,
    write_part,
)
from tests import forked
from tests.support import reproduce, wait_until
from tests.tally import tally


@dataclass(frozen=True)
class Noted:
    """A part that notes in the folder when it is computed, and may be told to fail or to die."""

    folder: Path
    name: str
    fate: str = ""

    @property
    def files(self):
        return (self.folder / f"{self.name}.csv",)

    def compute(self):
        with (self.folder / "notes").open("a") as file:
            file.write(f"{self.name}\n")
        if self.fate == "fails":
            raise MemoryError("not enough")
        if self.fate == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.2)
        write_part(*self.files, [{"name": self.name, "value": len(self.name) / 7}])

    def computed(self):
        notes = self.folder / "notes"
        return notes.read_text().split().count(self.name) if notes.exists() else 0


@pytest.fixture(autouse=True)
def _nothing_told_yet(monkeypatch):
    monkeypatch.setattr(notices, "_told", set())


def parts(folder, names="abc"):
    return [Noted(folder, name) for name in names]


def test_parts_are_computed_once_and_gathered_in_order(tmp_path):
    both = parts(tmp_path)
    for _ in range(2):
        compute_parts(both, Local(2))
    assert [part.computed() for part in both] == [1, 1, 1]
    assert gather(reversed(both))["name"].tolist() == ["c", "b", "a"]
    compute_parts(both, Local(2), force=True)
    assert [part.computed() for part in both] == [2, 2, 2]


def test_processes_that_are_given_the_same_parts_share_them(tmp_path):
    processes = [forked.start(compute_parts, parts(tmp_path), Local(1), daemon=False) for _ in range(3)]
    assert [forked.finish(process) for process in processes] == [0] * 3
    assert [part.computed() for part in parts(tmp_path)] == [1, 1, 1]
    tally("parts contended for", 3)


def test_force_pulls_nothing_from_under_others(tmp_path):
    slow = parts(tmp_path, "abcdefgh")
    first = forked.start(compute_parts, slow, Local(1), daemon=False)
    wait_until(lambda: slow[0].computed())
    assert first.is_alive(), "the others must still be at work"
    second = forked.start(force, slow, daemon=False)
    assert [forked.finish(process) for process in (first, second)] == [0, 0]
    assert len(gather(slow)) == 8


def force(some):
    compute_parts(some, Local(1), force=True)


@pytest.mark.parametrize("fate", ["fails", "dies"])
def test_a_part_that_fails_is_named_and_the_others_are_kept(fate, tmp_path):
    doomed = Noted(tmp_path, "doomed", fate)
    with pytest.raises(PartsFailed) as failed:
        compute_parts([doomed, *parts(tmp_path)], Local(1))
    (failure,) = failed.value.failures
    said = str(failure)
    assert said.startswith("failed: doomed: ")
    assert ("MemoryError: not enough" if fate == "fails" else "the same command resumes") in said
    assert all(is_done(part) for part in parts(tmp_path))
    tally("failed parts")


DAMAGES = {
    "cut at a line": lambda content: content[: content.index(b"\n") + 1],
    "cut in a line": lambda content: content[:-3],
    "a digit changed": lambda content: content.replace(b"1", b"2", 1),
    "empty": lambda content: b"",
    "not text": lambda content: b"\xff" * 9,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_part_is_told_and_computed_anew(damage, tmp_path, capsys):
    (part,) = parts(tmp_path, "a")
    compute_once(part)
    (path,) = part.files
    content = path.read_bytes()
    path.write_bytes(damage(content))
    with pytest.raises(UserError, match=r"a\.csv.* call the same command again"):
        gather([part])
    compute_parts([part], Local(1))
    assert path.read_bytes() == content
    assert f"{path}: " in (said := capsys.readouterr().err)
    assert "it is computed anew" in said
    tally("damaged files")


@pytest.mark.parametrize("content", [b"", b'a,b\n"', b"\xff\xfe", b"a\n1\n2,3\n"])
def test_a_part_without_a_checksum_that_is_no_table_is_told_and_computed_anew(content, tmp_path, capsys):
    part = Noted(tmp_path, "a")
    compute_parts([part], Local(1))
    before = part.files[0].read_bytes()
    (tmp_path / "checksums.json").unlink()
    part.files[0].write_bytes(content)
    with pytest.raises(UserError, match="parts must stay until they are gathered"):
        gather([part])
    assert not is_done(part)
    assert "it is computed anew" in capsys.readouterr().err
    compute_parts([part], Local(1))
    assert part.files[0].read_bytes() == before
    tally("damaged files")


def test_tables_that_are_written_at_once_to_one_folder_all_have_their_checksums(tmp_path):
    paths = [tmp_path / f"{n}.csv" for n in range(40)]
    threads = [threading.Thread(target=write_part, args=(path, [{"n": path.stem}])) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {*json.loads((tmp_path / "checksums.json").read_text())} == {path.name for path in paths}
    assert [int(read_checked_table(path)["n"].item()) for path in paths] == [*range(40)]


def test_another_studys_parts_are_never_taken_for_ones_own(tmp_path):
    studies = [MarginalStudy(), MarginalStudy(datapoints=7), study_reparameterization.STUDIES["smoke"]]
    folders = {folder_of_parts(tmp_path, study) for study in studies}
    assert len(folders) == 3
    files = [MarginalPart(study, "mnist", 2, tmp_path).files[-1] for study in studies[:2]]
    assert all(one != other for one, other in itertools.pairwise(files))


def test_a_study_with_damaged_files_mends_them_and_ends_with_the_same_tables(tmp_path):
    arguments = ("--study", "marginal", "--scale", "smoke", "--workers", 2)
    assert reproduce(*arguments, cwd=tmp_path).returncode == 0
    folder = tmp_path / "results" / "studies" / "marginal"
    before = pd.read_csv(folder / "marginal.csv").drop(columns="seconds")
    files = sorted(folder.glob("parts/*/*.csv"))
    assert len(files) == 4
    files[0].write_bytes(files[0].read_bytes()[:-9])
    (folder / "config.json").write_text("{")
    done = reproduce(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "[1/1] mnist, N_z = " in done.stdout
    assert "it is computed anew" in done.stderr
    pd.testing.assert_frame_equal(pd.read_csv(folder / "marginal.csv").drop(columns="seconds"), before)
    json.loads((folder / "config.json").read_text())
    tally("damaged files", 2)
