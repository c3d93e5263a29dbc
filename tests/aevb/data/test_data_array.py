"""The user's own arrays: what is good comes back unchanged, what is bad is named."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from aevb.data import Dataset, load_dataset
from aevb.errors import DataError

GOOD = np.random.default_rng(0).random((10, 6), dtype=np.float32)


def saved(path: Path, array: npt.ArrayLike) -> str:
    np.save(path / "mine.npy", np.asarray(array))
    return str(path / "mine.npy")


def rows(data: Dataset) -> npt.NDArray[np.float32]:
    return torch.cat([data.train, data.valid, data.test]).numpy()


@given(
    array=st_numpy.arrays(
        np.float32,
        st.tuples(st.integers(2, 12), st.integers(1, 5)),
        elements=st.floats(0, 1, width=32),
    )
)
@settings(max_examples=50, deadline=None)
def test_any_float32_array_in_the_unit_interval_comes_back_bit_for_bit(
    array: npt.NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = saved(tmp_path_factory.getbasetemp(), array)
    assert rows(load_dataset(name, split="chronological")).tobytes() == array.tobytes()
    shuffled = load_dataset(name)
    assert sorted(map(bytes, rows(shuffled))) == sorted(map(bytes, array))


def test_a_single_array_is_split_into_disjoint_parts_that_cover_it(tmp_path: Path) -> None:
    array = np.linspace(0, 1, 101, dtype=np.float32)[:, None].repeat(3, axis=1)
    data = load_dataset(saved(tmp_path, array))
    assert (len(data.train), len(data.valid), len(data.test)) == (80, 0, 21)
    assert data.valid.shape == (0, 3)
    assert torch.equal(torch.cat([data.train, data.test])[:, 0].sort().values, torch.from_numpy(array[:, 0]))
    assert not torch.equal(data.train, torch.from_numpy(array[:80]))
    assert data.name == "mine.npy"


def test_the_split_is_the_same_every_time_and_the_same_content_is_the_same_object(tmp_path: Path) -> None:
    name = saved(tmp_path, GOOD)
    first = load_dataset(name)
    assert load_dataset(name) is first
    (tmp_path / "other").mkdir()
    again = load_dataset(saved(tmp_path / "other", GOOD))
    assert again is not first
    assert torch.equal(again.train, first.train)


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    before = load_dataset(saved(tmp_path, GOOD))
    after = load_dataset(saved(tmp_path, 1 - GOOD))
    torch.testing.assert_close(after.train, 1 - before.train)


@pytest.mark.parametrize(
    ("shape", "image_shape"), [((4, 9), (3, 3)), ((4, 10), None), ((4, 2, 5), (2, 5)), ((4, 1), (1, 1))]
)
def test_image_shape_is_that_of_the_array_or_a_square(
    shape: tuple[int, ...], image_shape: tuple[int, int] | None, tmp_path: Path
) -> None:
    data = load_dataset(saved(tmp_path, np.zeros(shape)))
    assert data.image_shape == image_shape
    assert data.train.shape[1] == np.prod(shape[1:])


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.float64, ">f8"])
def test_zeros_and_ones_of_any_real_type_are_welcome(dtype: npt.DTypeLike, tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 2, (10, 4)).astype(dtype)
    data = load_dataset(saved(tmp_path, array), split="chronological")
    assert data.train.dtype == torch.float32
    assert np.array_equal(rows(data), array.astype(np.float32))


def test_fortran_order_is_put_right(tmp_path: Path) -> None:
    data = load_dataset(saved(tmp_path, np.asfortranarray(GOOD)), split="chronological")
    assert np.array_equal(rows(data), GOOD)
    assert data.train.is_contiguous()


def test_an_npz_with_names_keeps_its_own_split(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, test=GOOD[8:], train=GOOD[:5], valid=GOOD[5:8])
    data = load_dataset(path)
    assert np.array_equal(data.train, GOOD[:5])
    assert np.array_equal(data.valid, GOOD[5:8])
    assert np.array_equal(data.test, GOOD[8:])
    np.savez_compressed(path, train=GOOD[:5], test=GOOD[5:])
    data = load_dataset(path)
    assert data.valid.shape == (0, 6)
    assert data.test.shape == (5, 6)


@pytest.mark.parametrize("part", ["train", "test", "valid"])
def test_a_part_of_a_split_alone_is_not_split_again(part: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", **{part: GOOD})
    with pytest.raises(
        DataError, match=rf"both its parts: expected train and test, found {part} alone; add what lacks, or"
    ):
        load_dataset(tmp_path / "mine.npz")


def test_an_npz_of_one_array_is_split_like_an_npy(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", anything=GOOD)
    assert torch.equal(load_dataset(tmp_path / "mine.npz").train, load_dataset(saved(tmp_path, GOOD)).train)


def test_the_hash_tells_apart_other_numbers_other_splits_and_rows_of_another_length_and_nothing_else(
    tmp_path: Path,
) -> None:
    def sha256(**arrays: npt.NDArray[np.generic]) -> str:
        np.savez(tmp_path / "mine.npz", **arrays)
        return load_dataset(tmp_path / "mine.npz").sha256

    different = [
        {"train": GOOD[:8], "test": GOOD[8:]},
        {"train": GOOD[:5], "test": GOOD[5:]},
        {"train": GOOD[:5], "valid": GOOD[5:8], "test": GOOD[8:]},
        {"train": 1 - GOOD[:8], "test": GOOD[8:]},
        {"rows": GOOD},
        {"rows": GOOD.reshape(5, 12)},
    ]
    found = [sha256(**arrays) for arrays in different]
    assert len({*found}) == len(different)
    assert sha256(test=GOOD[8:].astype(np.float64), train=np.asfortranarray(GOOD[:8])) == found[0]
    assert sha256(other=GOOD.reshape(10, 2, 3)) == load_dataset(saved(tmp_path, GOOD)).sha256 == found[4]


def changed(value: float) -> npt.NDArray[np.float32]:
    array = GOOD.copy()
    array[3, 2] = value
    return array


BAD_ARRAYS = {
    "bytes": (np.full((4, 4), 255, np.uint8), "uint8 from 255 to 255.*divide by 255"),
    "other integers": (np.arange(8).reshape(2, 4), "divide by 255"),
    "negative integers": (np.full((4, 4), -1), "lie in"),
    "above one": (changed(1.0001), "lie in"),
    "barely above one": (GOOD.astype(np.float64) * 0 + np.nextafter(1, 2), "lie in"),
    "too large for float32": (np.full((4, 4), 1e300), "lie in"),
    "negative": (changed(-1e-6), "lie in"),
    "NaN": (changed(np.nan), "finite"),
    "infinity": (changed(np.inf), "finite"),
    "complex": (GOOD.astype(complex), "complex128"),
    "text": (np.full((4, 4), "a"), "real numbers"),
    "records": (np.zeros((4, 4), "f4,f4"), "real numbers"),
    "dates": (np.zeros((4, 4), "M8[s]"), "real numbers"),
    "no dimension": (np.float32(0.5), r"shape \(\)"),
    "one dimension": (GOOD[0], r"shape \(6,\)"),
    "four dimensions": (np.zeros((2, 2, 2, 2)), "3 dimensions"),
    "no rows": (GOOD[:0], "2 rows"),
    "one row": (GOOD[:1], "2 rows"),
    "empty rows": (GOOD[:, :0], "2 rows"),
}


@pytest.mark.parametrize(("array", "reason"), BAD_ARRAYS.values(), ids=BAD_ARRAYS.keys())
def test_a_bad_array_is_refused_with_file_and_reason(array: npt.ArrayLike, reason: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"mine\.npy.*expected.*{reason}|mine\.npy.*{reason}.*expected") as caught:
        load_dataset(saved(tmp_path, array))
    assert "\n" not in str(caught.value)


BAD_SPLITS = {
    "unequal widths": ({"train": GOOD, "test": GOOD[:, :5]}, "one shape"),
    "unequal image shapes": ({"train": np.zeros((4, 2, 3)), "test": np.zeros((4, 3, 2))}, "one shape"),
    "a bad one": ({"train": GOOD, "test": changed(2)}, r"mine\.npz \[test\].*lie in"),
    "an unknown name": ({"train": GOOD, "test": GOOD, "labels": GOOD}, "train, test, labels"),
    "no test": ({"train": GOOD, "valid": GOOD}, "train, test and optionally valid"),
    "unnamed": ({"arr_0": GOOD, "arr_1": GOOD}, "train, test and optionally valid"),
    "none": ({}, "no array"),
}


@pytest.mark.parametrize(("arrays", "reason"), BAD_SPLITS.values(), ids=BAD_SPLITS.keys())
def test_bad_splits_are_refused_with_file_and_reason(
    arrays: dict[str, npt.NDArray[np.float32]], reason: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(DataError, match=reason) as caught:
        load_dataset(tmp_path / "mine.npz")
    assert "mine.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


GREY = np.zeros((4, 5, 6), np.float32)
REMEDIES = {
    "objects": (GREY.astype(object), r'save x\.astype\("float32"\)'),
    "objects in rows": (GOOD.astype(object), r'save x\.astype\("float32"\)'),
    "rows of unequal length": (np.array([[1.0], [0.5, 0.5]], dtype=object), "equal first"),
    "decimals": (np.array([[Decimal(1)], [Decimal(0)]]), r'save x\.astype\("float32"\)'),
    "text": (GOOD.astype(str), r'save x\.astype\("float32"\)'),
    "bytes of text": (GOOD.astype(bytes), r'save x\.astype\("float32"\)'),
    "complex": (GOOD.astype(complex), r"save x\.real or abs"),
    "a channel at the end": (GREY[..., None], r"drop the axis of size 1: save x\[\.\.\., 0\]"),
    "a channel at the front": (GREY[:, None], r"drop the axis of size 1: save x\[:, 0\]"),
    "colours at the end": (np.stack([GREY] * 3, -1), r"x\.mean\(-1\)"),
    "colours at the front": (np.stack([GREY] * 3, 1), r"x\.mean\(1\)"),
    "four bands": (np.stack([GREY] * 4, -1), r"x\.mean\(-1\)"),
    "films": (np.zeros((4, 7, 5, 6)), r"x\.reshape\(len\(x\), -1\)"),
    "five axes": (np.zeros((4, 7, 5, 6, 1)), r"x\.reshape\(len\(x\), -1\)"),
    "one axis": (GOOD[0], r"x\[:, None\]"),
    "standardised": (GOOD * 2 - 1, "rescale"),
    "bytes": ((GREY + 255).astype(np.uint8), "divide by 255"),
}


@pytest.mark.parametrize("packed", [False, True], ids=["npy", "npz"])
@pytest.mark.parametrize(("array", "remedy"), REMEDIES.values(), ids=REMEDIES.keys())
def test_the_remedy_is_what_to_write(array: npt.NDArray[Any], remedy: str, packed: bool, tally, tmp_path: Path) -> None:
    path = tmp_path / f"mine.{'npz' if packed else 'npy'}"
    np.savez(path, array) if packed else np.save(path, array, allow_pickle=True)
    with pytest.raises(DataError, match=remedy):
        load_dataset(path)
    tally("bad arrays")


NEAR = {
    "mnsit": "mnist", "MNIST": "mnist", "minst": "mnist", "mnist_": "mnist", "frey-face": "frey_face",
    "freyface": "frey_face", "FreyFace": "frey_face", "frey": "frey_face", "fray_face": "frey_face",
    "faces": "faces.npy", "face.npy": "faces.npy", "faces.npz": "faces.npy", "./Faces.npy": "faces.npy",
    "facse.npy": "faces.npy",
}  # fmt: skip


@pytest.mark.parametrize(("name", "meant"), NEAR.items())
def test_a_name_that_is_nearly_right_is_answered_by_the_right_one(
    name: str, meant: str, tally, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "faces.npy", GOOD)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=rf"did you mean {meant}\?"):
        load_dataset(name)
    tally("near misses")


@pytest.mark.parametrize("name", ["cifar", "zebra.npy", "", "x" * 5000, "../elsewhere/q.npy", "~nobody/x.npy"])
def test_a_name_that_is_near_nothing_gets_no_guess(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        load_dataset(name)
    assert "did you mean" not in str(caught.value)


def test_objects_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", np.full((4, 4), None), allow_pickle=True)
    with pytest.raises(DataError, match="without Python objects"):
        load_dataset(tmp_path / "mine.npy")


def test_files_of_other_formats_and_damaged_files_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "good.npy", GOOD)
    np.savez_compressed(tmp_path / "good.npz", GOOD)
    npy, npz = (tmp_path / "good.npy").read_bytes(), (tmp_path / "good.npz").read_bytes()
    middle = len(npz) // 2
    flipped = npz[:middle] + bytes([npz[middle] ^ 0xFF]) + npz[middle + 1 :]
    for content in (b"", b"0.1,0.2\n", b"PK\x03\x04 no zip", npy[:20], npy[:-1], npz[:-10], npz[:40], flipped):
        (tmp_path / "bad.npy").write_bytes(content)
        with pytest.raises(DataError, match=r"bad\.npy.*expected.*found.*numpy\.save") as caught:
            load_dataset(tmp_path / "bad.npy")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["none.npy", "none/at/all", "nul\0.npy", "."])
def test_a_path_without_a_file_is_an_error(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="correct the path"):
        load_dataset(name)


def test_a_pixel_scale_is_refused_where_it_has_no_meaning(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="leave it out"):
        load_dataset(saved(tmp_path, GOOD), pixel_scale=255)
