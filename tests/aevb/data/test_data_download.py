"""A download lands in the cache whole or not at all, and tells how far it is."""

import errno
import io
import logging
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from frey_face_downloads import left_behind, use
from misbehaving_server import Server, body

from aevb.data import DatasetUnavailable, frey_face, frey_frames, load_dataset
from aevb.errors import DataError

Frames = npt.NDArray[np.uint8]


def test_a_download_is_checked_cached_and_not_repeated(
    frames: Frames, mat: bytes, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, server.url("a.mat", body(mat)))
    data = load_dataset("frey_face", split="chronological")
    assert torch.equal(data.train, torch.from_numpy(frames[:1600] / np.float32(256)))
    assert left_behind(cache) == [cache]
    assert load_dataset("frey_face", split="chronological") is data
    assert server.n_requests == 1


@pytest.mark.parametrize("kind", ["bytes", "over 255", "over 256", "transposed"])
def test_a_pickle_lands_in_the_cache_in_the_same_form_as_the_original(
    kind: str, frames: Frames, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms = {
        "bytes": frames,
        "over 255": (frames / 255).astype(np.float32),
        "over 256": frames / 256,
        "transposed": frames.T,
    }
    use(monkeypatch, server.url("a.pkl", body(pickle.dumps(forms[kind], protocol=2))))
    load_dataset("frey_face")
    assert np.array_equal(frey_frames.frames_from_mat(cache.read_bytes(), cache), frames)


def test_a_hostile_pickle_is_refused_unrun_and_the_next_address_tried(
    mat: bytes, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    hostile = server.url("a.pkl", body(pickle.dumps(Hostile(), protocol=2)))
    use(monkeypatch, hostile)
    with pytest.raises(DatasetUnavailable, match=r"numeric array only.*system"):
        load_dataset("frey_face")
    use(monkeypatch, hostile, server.url("b.mat", body(mat)))
    load_dataset("frey_face")
    assert not (tmp_path / "ran").exists()


def test_a_damaged_cache_is_replaced_by_a_download(
    mat: bytes, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use(monkeypatch, server.url("a.mat", body(mat)))
    cache.parent.mkdir(parents=True)
    cache.write_bytes(mat[:-1000])
    with caplog.at_level(logging.WARNING):
        load_dataset("frey_face")
    assert "discarding a damaged file" in caplog.text
    frey_frames.frames_from_mat(cache.read_bytes(), cache)
    assert left_behind(cache) == [cache]


def test_a_cache_folder_that_cannot_be_made_is_an_error_that_names_it(
    mat: bytes, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, server.url("a.mat", body(mat)))
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    with pytest.raises(DataError, match=rf"{tmp_path}/cache/aevb/frey_face.*writable.*--data DIR") as caught:
        load_dataset("frey_face")
    assert isinstance(caught.value, DatasetUnavailable), "a figure of all datasets can go on without this one"
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_a_data_error(mat: bytes, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    use(monkeypatch, server.url("a.mat", body(mat)))
    with pytest.raises(DataError, match="No space left on device"):
        load_dataset("frey_face")
    assert left_behind(cache) == []


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_drawn_on_a_terminal_and_logged_elsewhere(
    is_terminal: bool,
    mat: bytes,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal, raising=False)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    url = server.url("a.mat", body(mat))
    use(monkeypatch, url)
    with caplog.at_level(logging.INFO, logger="aevb"):
        load_dataset("frey_face")
    assert ("downloading" in stream.getvalue()) is is_terminal
    assert (f"downloading {url}" in caplog.text) is not is_terminal


def test_without_a_standard_error_a_download_says_nothing(mat: bytes, server: Server, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    use(monkeypatch, server.url("a.mat", body(mat)))
    assert load_dataset("frey_face").train.shape == (1600, 560)


def test_a_user_without_a_home_has_no_cache_named_tilde_in_the_working_folder(
    mat: bytes, server: Server, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(frey_face.platformdirs, "user_cache_dir", lambda name: f"~/.cache/{name}")
    monkeypatch.setattr(frey_face.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path)
    use(monkeypatch, server.url("a.mat", body(mat)))
    load_dataset("frey_face")
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]
