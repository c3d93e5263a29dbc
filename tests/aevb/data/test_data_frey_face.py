"""Frey Face on this machine: which copy is taken, what passes for one, how it is split."""

import io
import logging
import pickle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import scipy.io
import torch

from aevb.data import Dataset, DatasetUnavailable, frey_frames, load_dataset
from aevb.errors import DataError

FILE = "frey_rawface.mat"
LAYOUTS = [FILE, f"frey_face/{FILE}"]
Frames = npt.NDArray[np.uint8]


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def rows(data: Dataset) -> npt.NDArray[np.float32]:
    return torch.cat([data.train, data.valid, data.test]).numpy()


def mat_of(**arrays: npt.ArrayLike) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, arrays)
    return file.getvalue()


def test_the_real_frey_face_has_the_hash_and_the_order_that_it_should(real_data_dir: Path) -> None:
    data = load_dataset("frey_face", data_dir=real_data_dir, split="chronological")
    assert data.sha256 == "2438ba4f0d2a6bd8bac43de756141eaa33c8d248dd613d464bdb1210d9b7af78"
    assert (data.train.shape, data.valid.shape, data.test.shape) == ((1600, 560), (0, 560), (365, 560))
    assert (data.name, data.image_shape) == ("frey_face", (28, 20))
    video = rows(data).astype(np.float64)
    shuffled = rows(load_dataset("frey_face", data_dir=real_data_dir)).astype(np.float64)
    # In order of time a frame is like the one before it, and a pixel is like the one above it.
    assert np.abs(np.diff(video, axis=0)).mean() < 0.5 * np.abs(np.diff(shuffled, axis=0)).mean()
    images, wrong = video.reshape(-1, 28, 20), video.reshape(-1, 20, 28)
    assert np.abs(np.diff(images, axis=1)).mean() < 0.5 * np.abs(np.diff(wrong, axis=1)).mean()


@pytest.mark.parametrize("scale", [255, 256])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_grey_values_turn_back_into_the_real_frames(scale: int, dtype: npt.DTypeLike, real_data_dir: Path) -> None:
    (path,) = (real_data_dir / layout for layout in LAYOUTS if (real_data_dir / layout).exists())
    frames = frey_frames.frames_from_mat(path.read_bytes(), path)
    content = pickle.dumps((frames / scale).astype(dtype), protocol=2)
    assert np.array_equal(frey_frames.frames_from_pickle(content, "here"), frames)


def test_the_splits_are_disjoint_and_cover_the_frames(frames: Frames, mat: bytes, tmp_path: Path) -> None:
    put(tmp_path / FILE, mat)
    in_order = load_dataset("frey_face", data_dir=tmp_path, split="chronological")
    assert np.array_equal(rows(in_order), frames / np.float32(256))
    shuffled = load_dataset("frey_face", data_dir=tmp_path)
    assert (len(shuffled.train), len(shuffled.valid), len(shuffled.test)) == (1600, 0, 365)
    # The documented permutation, so that anybody can make the same split.
    assert np.array_equal(rows(shuffled), rows(in_order)[np.random.RandomState(0).permutation(1965)])
    assert sorted(map(bytes, rows(shuffled))) == sorted(map(bytes, rows(in_order)))
    assert load_dataset("frey_face", data_dir=tmp_path) is shuffled


def test_pixel_scale_divides_the_bytes(frames: Frames, mat: bytes, tmp_path: Path) -> None:
    put(tmp_path / FILE, mat)
    data = load_dataset("frey_face", data_dir=tmp_path, split="chronological", pixel_scale=int(frames.max()))
    assert np.array_equal(rows(data), frames / np.float32(frames.max()))
    with pytest.raises(DataError, match=r"pixel_scale.*>= 238"):
        load_dataset("frey_face", data_dir=tmp_path, pixel_scale=237.9)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("by", ["argument", "variable"])
def test_both_layouts_are_found_in_both_folders(
    layout: str, by: str, mat: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / layout, mat)
    if by == "variable":
        monkeypatch.setenv("AEVB_DATA_DIR", str(tmp_path))
    assert load_dataset("frey_face", data_dir=tmp_path if by == "argument" else None).name == "frey_face"


def test_the_argument_comes_before_the_variable_and_that_before_the_cache(
    mat: bytes, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each place is damaged in turn, the ones after it too; the first place that has a file is the one that speaks."""
    first, second = tmp_path / "first", tmp_path / "second"
    monkeypatch.setenv("AEVB_DATA_DIR", str(second))
    put(cache, mat)
    good, bad = put(first / FILE, mat), put(second / FILE, b"damaged")
    load_dataset("frey_face", data_dir=first)
    good.unlink()
    with pytest.raises(DataError, match=str(bad)):
        load_dataset("frey_face", data_dir=first)
    bad.unlink()
    load_dataset("frey_face", data_dir=first)
    cache.unlink()
    with pytest.raises(DatasetUnavailable):
        load_dataset("frey_face", data_dir=first)


DAMAGED = {
    "nothing": b"",
    "text": b"no such page",
    "another variable": mat_of(gg=np.zeros((560, 1965), np.uint8)),
    "another type": mat_of(ff=np.zeros((560, 1965))),
    "another shape": mat_of(ff=np.zeros((1965, 560), np.uint8)),
    "other pixels": mat_of(ff=np.zeros((560, 1965), np.uint8)),
    "text for an array": mat_of(ff="frames"),
    "newer format": b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n" + bytes(64),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file_that_the_user_chose_is_an_error(
    content: bytes, mat: bytes, cache: Path, tmp_path: Path
) -> None:
    put(cache, mat)  # would do, and must not be taken
    path = put(tmp_path / FILE, content)
    with pytest.raises(DataError, match=r"expected.*found.*replace it") as caught:
        load_dataset("frey_face", data_dir=tmp_path)
    assert not isinstance(caught.value, DatasetUnavailable)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_or_a_link_to_nowhere_in_the_files_place_is_an_error(mat: bytes, cache: Path, tmp_path: Path) -> None:
    put(cache, mat)
    (tmp_path / "a" / FILE).mkdir(parents=True)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / FILE).symlink_to("nowhere")
    for folder in ("a", "b"):
        with pytest.raises(DataError, match=r"readable.*found"):
            load_dataset("frey_face", data_dir=tmp_path / folder)


@pytest.mark.parametrize("by", ["data_dir", "AEVB_DATA_DIR"])
@pytest.mark.parametrize("name", ["none", "file"])
def test_a_named_folder_that_does_not_exist_is_an_error(
    by: str, name: str, mat: bytes, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(cache, mat)
    put(tmp_path / "file", b"")
    monkeypatch.setenv("AEVB_DATA_DIR", str(tmp_path / name) if by == "AEVB_DATA_DIR" else "")
    with pytest.raises(DataError, match=rf"{name}: {by} must name a folder"):
        load_dataset("frey_face", data_dir=tmp_path / name if by == "data_dir" else None)


def test_an_empty_variable_is_no_folder_at_all(mat: bytes, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(cache, mat)
    monkeypatch.setenv("AEVB_DATA_DIR", "")
    assert load_dataset("frey_face").name == "frey_face"


def test_a_damaged_cache_is_discarded_with_a_warning(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(cache, b"damaged")
    with caplog.at_level(logging.WARNING), pytest.raises(DatasetUnavailable):
        load_dataset("frey_face")
    assert str(cache) in caplog.text
    assert not cache.exists()


@pytest.mark.parametrize("deadline", [-1.0, float("nan"), float("inf")])
def test_a_deadline_that_is_no_time_is_refused(deadline: float) -> None:
    with pytest.raises(DataError, match="deadline"):
        load_dataset("frey_face", deadline=deadline)
