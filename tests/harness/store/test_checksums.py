"""Checksums tell damage, and take no kill, no removal and no replacement of a file for it."""

import json
import threading
from pathlib import Path

import pytest

from harness.runs.train import run
from harness.store import checksums
from harness.store.checksums import Damaged, read_checked, write_checked
from tests.damage import flipped, hurt
from tests.support import curve


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
def test_damaged_checksums_condemn_no_file_and_are_mended(content, finished):
    path = finished.folder.path / "checksums.json"
    path.write_bytes(content)
    before = curve(finished)
    assert finished.folder.damaged() == ["checksums.json"]
    assert not finished.is_done()
    assert run(finished).message == "checksums.json was damaged and is mended"
    assert finished.is_done()
    assert json.loads(path.read_text()).keys() == {"config.json", "curve.csv", "environment.json", "status.json"}
    assert curve(finished).equals(before)
    hurt(finished.folder.curve, flipped)
    assert finished.folder.damaged() == ["curve.csv"]
