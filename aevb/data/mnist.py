"""MNIST, from the gzipped IDX files that come with the package."""

import gzip
import hashlib
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from aevb import shipped
from aevb.data.dataset import Dataset, data_error, describe, scaled
from aevb.data.files import read_regular

FOLDER = Path(__file__).parent / "mnist"
# SHA-256 of the content, and of the file: gzip has bits that no reader looks at, and these must be intact too.
FILES = {
    "train-images-idx3-ubyte.gz": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971",
    ),
    "train-labels-idx1-ubyte.gz": (
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "1787548bbe0bff1ec2ecdc0ef292b02df999e2d1a6002d27500982c652b17203",
    ),
    "t10k-images-idx3-ubyte.gz": (
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "1a1a05eab793c14bb050b398624a11b0ffd1a2953baed553b1b9bd079e2a20be",
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        "b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b",
    ),
}
N_TRAIN = 50_000
IMAGE_SHAPE = (28, 28)
REMEDY = shipped.restore("aevb/data/mnist")


def load_mnist(pixel_scale: float = 255.0) -> Dataset:
    """Load MNIST: the first 50,000 training images, the last 10,000 of them as `valid`, 10,000 test images.

    The files are read at every call and taken apart only where they changed. Raises DataError for a damaged file.
    """
    return _dataset(tuple(_read(FOLDER / name) for name in FILES), pixel_scale)


def _read(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise data_error(path, "MNIST's files come with the package", "the file", describe(error), REMEDY) from error


@lru_cache(maxsize=1)
def _dataset(files: tuple[bytes, ...], pixel_scale: float) -> Dataset:
    parts = [_content(packed, FOLDER / name) for packed, name in zip(files, FILES, strict=True)]
    images, labels, test_images, test_labels = parts
    pixels, test_pixels = images.reshape(60_000, -1), test_images.reshape(10_000, -1)
    points = scaled(pixels, pixel_scale)
    classes = torch.from_numpy(labels.astype(np.int64))
    return Dataset(
        name="mnist",
        train=points[:N_TRAIN],
        valid=points[N_TRAIN:],
        test=scaled(test_pixels, pixel_scale),
        image_shape=IMAGE_SHAPE,
        sha256=hashlib.sha256(pixels.tobytes() + test_pixels.tobytes()).hexdigest(),
        labels={
            "train": classes[:N_TRAIN],
            "valid": classes[N_TRAIN:],
            "test": torch.from_numpy(test_labels.astype(np.int64)),
        },
    )


def _content(packed: bytes, path: Path) -> npt.NDArray[np.uint8]:
    """Return what follows the IDX header: an image file has one of 16 bytes, a label file of 8."""
    content_sha256, file_sha256 = FILES[path.name]
    try:
        content = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        expected = f"content of SHA-256 {content_sha256}"
        raise data_error(path, "the file must be intact", expected, describe(error), REMEDY) from error
    for part, data, expected in (("content", content, content_sha256), ("file", packed, file_sha256)):
        if (found := hashlib.sha256(data).hexdigest()) != expected:
            raise data_error(path, f"the {part}'s SHA-256 must match", expected, found, REMEDY)
    return np.frombuffer(content, np.uint8, offset=16 if "images" in path.name else 8)
