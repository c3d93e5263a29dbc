"""A file that is replaced is whole all the time, whoever else replaces it."""

import errno
import os
import threading
from pathlib import Path

import pytest

from aevb.files import LEFT_OVER, replacing
from harness.store.run_folder import RunFolder
from tests.support import small_config, write_array


def test_two_writers_of_one_process_each_land_what_they_wrote(tmp_path: Path) -> None:
    path, both_write, first_landed = tmp_path / "file", threading.Barrier(2, timeout=60), threading.Event()
    seen = []

    def write(content: bytes, *, first: bool) -> None:
        with replacing(path) as temporary, temporary.open("wb") as file:
            file.write(content[:3])
            file.flush()
            both_write.wait()
            file.write(content[3:])
            if not first:
                file.flush()
                assert first_landed.wait(60)
                seen.append(path.read_bytes())
        if first:
            first_landed.set()

    threads = [
        threading.Thread(target=write, args=(content,), kwargs={"first": first})
        for content, first in ((b"first", True), (b"second", False))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [b"first"]
    assert path.read_bytes() == b"second"
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_the_file_has_the_permissions_of_any_new_one(mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        with replacing(tmp_path / "file") as temporary:
            temporary.write_bytes(b"content")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="No space left"), replacing(path) as temporary:
        temporary.write_bytes(b"new")
    assert path.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [path]


def test_what_a_killed_process_left_in_a_run_goes_when_the_next_one_begins_and_nothing_else(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "runs", small_config(write_array(tmp_path)))
    (folder.path / "models").mkdir(parents=True)
    stay = [folder.path / ".lock", folder.checkpoint, folder.model(100)]
    for path in stay:
        with replacing(path) as temporary:
            temporary.write_bytes(b"whole")
        (path.parent / temporary.name).write_bytes(b"half")
    assert len([*folder.path.glob(LEFT_OVER)]) == 2
    folder.begin({"started": "now"})
    assert all(path.exists() for path in stay)
    assert not [path for path in folder.path.rglob(".*") if path.name != ".lock"]
