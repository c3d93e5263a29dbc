"""Datasets by name, or from the user's own array: one call, checked content, values in [0, 1]."""

import os
from pathlib import Path

from aevb.data.array import load_array, near_file
from aevb.data.binarize import BINARIZATIONS, binarize
from aevb.data.dataset import SPLITS, Dataset, check_folder, check_split, data_error
from aevb.data.download import DatasetUnavailable
from aevb.data.frey_face import load_frey_face
from aevb.data.loader import load_from
from aevb.data.mnist import load_mnist
from aevb.errors import did_you_mean
from aevb.places import did_you_mean_place, is_place

NAMES = ("mnist", "frey_face")

__all__ = ["BINARIZATIONS", "NAMES", "SPLITS", "Dataset", "DatasetUnavailable", "binarize", "load_dataset"]


def load_dataset(
    name: str | Path,
    *,
    data_dir: str | Path | None = None,
    pixel_scale: float | None = None,
    split: str = "shuffled",
    deadline: float = 20.0,
) -> Dataset:
    """Load "mnist", "frey_face", a .npy or .npz file by its path, or what a function gives, "package.module:function".

    The same content gives the same object, whose tensors all callers share: clone what you write to. See
    `aevb.data.loader.load_from` for functions, which are imported.

    `data_dir` is the first place where Frey Face is looked for. `pixel_scale` divides the stored bytes; left out, it is
    255 for MNIST, 256 for Frey Face, as the paper's authors had it. `split`, "shuffled" (by a fixed seed) or
    "chronological" (in file order), matters to what comes without a split: Frey Face and single arrays. `deadline`, in
    seconds, bounds the whole of a download.

    Raises DatasetUnavailable where Frey Face can be had nowhere, DataError for all else.
    """
    check_split(split)
    if data_dir is not None and not isinstance(data_dir, str | os.PathLike):
        raise data_error("data_dir", "it must be a folder", "text or a Path", repr(data_dir), "give its path")
    folder = None if data_dir is None else check_folder(Path(data_dir), "data_dir")
    if name == "mnist":
        return load_mnist(255.0 if pixel_scale is None else pixel_scale)
    if name == "frey_face":
        return load_frey_face(folder, 256.0 if pixel_scale is None else pixel_scale, split, deadline)
    if not isinstance(name, str | os.PathLike):
        raise data_error("dataset", "it must be a name or a path", "text or a Path", repr(name), "give one of them")
    path = Path(os.path.expanduser(name))
    if (meant := did_you_mean_place(str(name))) and not os.path.exists(path):
        expected = "package.module:function"
        raise data_error(
            "dataset", "a function must be named by its place", expected, repr(str(name)), "use that" + meant
        )
    by_place = is_place(str(name)) and not os.path.exists(path)
    if not (by_place or path.suffix in (".npy", ".npz") or os.sep in str(name) or os.path.exists(path)):
        expected, remedy = f"one of {', '.join(NAMES)}", "use one, or the path of a .npy or .npz file"
        remedy += did_you_mean(name, NAMES) or near_file(path)
        raise data_error("dataset", "the name must be known", expected, repr(str(name)), remedy)
    if pixel_scale is not None:
        remedy = "leave it out; an array holds values in [0, 1]"
        raise data_error(path, "pixel_scale is for mnist and frey_face", "no pixel_scale", pixel_scale, remedy)
    return load_from(str(name)) if by_place else load_array(path, split)
