"""MNIST is the canonical data set, whole, or it is an error."""

from pathlib import Path

import pytest
import torch

from aevb.data import load_dataset, mnist
from aevb.errors import DataError


def with_damaged(name: str, content: bytes | None, folder: Path) -> Path:
    """Link to the bundled files from `folder`, but put the content, or nothing, in the place of one."""
    for other in mnist.FILES:
        if other != name:
            (folder / other).symlink_to(mnist.FOLDER / other)
    if content is not None:
        (folder / name).write_bytes(content)
    return folder


def test_mnist_has_its_known_split_range_and_statistics() -> None:
    data = load_dataset("mnist")
    assert [len(part) for part in (data.train, data.valid, data.test)] == [50_000, 10_000, 10_000]
    for part in (data.train, data.valid, data.test):
        assert part.shape[1] == 784
        assert part.dtype == torch.float32
        assert part.is_contiguous()
        assert part.min() == 0
        assert part.max() == 1
    # The published mean and deviation of the 60,000 training images.
    mean = (5 * data.train.mean(dtype=torch.float64) + data.valid.mean(dtype=torch.float64)) / 6
    square = (5 * data.train.square().mean(dtype=torch.float64) + data.valid.square().mean(dtype=torch.float64)) / 6
    assert mean.item() == pytest.approx(0.1307, abs=5e-5)
    assert (square - mean**2).sqrt().item() == pytest.approx(0.3081, abs=5e-5)
    assert (data.name, data.image_shape) == ("mnist", (28, 28))


def test_labels_are_those_of_the_images() -> None:
    data = load_dataset("mnist")
    assert data.labels is not None
    # The files' first digits are known by heart, and every digit has from 8 to 13 % of each split.
    assert data.labels["train"][:5].tolist() == [5, 0, 4, 1, 9]
    assert data.labels["test"][:5].tolist() == [7, 2, 1, 0, 4]
    for split, points in (("train", data.train), ("valid", data.valid), ("test", data.test)):
        shares = torch.bincount(data.labels[split], minlength=10) / len(points)
        assert len(shares) == 10
        assert shares.min() > 0.08
        assert shares.max() < 0.13
    # A one has the least ink: so it would not, were the labels shifted against the images.
    ink = torch.stack([data.test[data.labels["test"] == digit].mean() for digit in range(10)])
    assert ink.argmin() == 1


def test_the_same_call_gives_the_same_object() -> None:
    assert load_dataset("mnist") is load_dataset("mnist")


@pytest.mark.parametrize("name", mnist.FILES)
def test_a_flipped_byte_anywhere_in_a_bundled_file_is_detected(name: str) -> None:
    path = mnist.FOLDER / name
    packed = path.read_bytes()
    # Magic number, flags, time stamp and system of the gzip header; data; the last byte of the data; checksum; size.
    for place in (0, 3, 4, 9, len(packed) // 2, -9, -8, -1):
        flipped = bytearray(packed)
        flipped[place] ^= 0xFF
        with pytest.raises(DataError) as caught:
            mnist._content(bytes(flipped), path)
        message = str(caught.value)
        assert name in message
        assert "expected" in message
        assert "found" in message
        assert "git checkout" in message
        assert "\n" not in message


def test_bits_that_no_gzip_reader_looks_at_are_checked_too() -> None:
    path = mnist.FOLDER / "t10k-labels-idx1-ubyte.gz"
    packed = path.read_bytes()
    for bit in range(8):
        flipped = bytearray(packed)
        flipped[-9] ^= 1 << bit
        with pytest.raises(DataError):
            mnist._content(bytes(flipped), path)


@pytest.mark.parametrize("name", mnist.FILES)
@pytest.mark.parametrize("damage", ["flipped", "truncated", "missing"])
def test_loading_reports_the_damaged_file(
    name: str, damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content: bytearray | None = bytearray((mnist.FOLDER / name).read_bytes())
    if damage == "flipped":
        content[1000] ^= 1
    elif damage == "truncated":
        del content[len(content) // 2 :]
    else:
        content = None
    folder = with_damaged(name, content, tmp_path)
    monkeypatch.setattr(mnist, "FOLDER", folder)
    with pytest.raises(DataError, match=name):
        load_dataset("mnist")


def test_damage_after_the_first_load_is_still_detected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "train-labels-idx1-ubyte.gz"
    good = (mnist.FOLDER / name).read_bytes()
    monkeypatch.setattr(mnist, "FOLDER", with_damaged(name, good, tmp_path))
    load_dataset("mnist")
    (tmp_path / name).write_bytes(good[:-1] + b"?")
    with pytest.raises(DataError, match=name):
        load_dataset("mnist")


@pytest.mark.parametrize("scale", [0.0, -255.0, 254.9, float("nan"), float("inf")])
def test_a_pixel_scale_that_leaves_the_unit_interval_is_refused(scale: float) -> None:
    with pytest.raises(DataError, match=r"pixel_scale.*>= 255"):
        load_dataset("mnist", pixel_scale=scale)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"mnist, frey_face.*'mnits'.*\.npy or \.npz"):
        load_dataset("mnits")


def test_an_unknown_split_is_answered_with_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"shuffled, chronological.*'random'"):
        load_dataset("mnist", split="random")


def test_a_data_dir_that_does_not_exist_is_an_error_for_every_dataset(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="data_dir must name a folder"):
        load_dataset("mnist", data_dir=tmp_path / "none")


def test_pixel_scale_divides_the_bytes() -> None:
    usual = load_dataset("mnist").test[:100]
    scaled = load_dataset("mnist", pixel_scale=256).test[:100]
    torch.testing.assert_close(scaled * 256, usual * 255)
    assert scaled.max() == 255 / 256
