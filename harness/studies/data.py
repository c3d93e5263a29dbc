"""What of a study has its data: the rest is left out, and told."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from aevb.data import DatasetUnavailable, load_dataset
from harness.store.notices import tell_once

T = TypeVar("T")


def with_data(parts: Iterable[T], dataset: Callable[[T], str], data: Path | None) -> list[T]:
    """The parts whose dataset is to be had; of each other dataset it is told once.

    Args:
        parts: of a study.
        dataset: the name of a part's.
        data: folder to look for datasets in.
    """
    found, there = [], dict[str, bool]()
    for part in parts:
        name = dataset(part)
        if name not in there:
            there[name] = _is_there(name, data)
        if there[name]:
            found.append(part)
    return found


def _is_there(name: str, data: Path | None) -> bool:
    try:
        load_dataset(name, data_dir=data)
    except DatasetUnavailable as error:
        tell_once(f"missing: {error}")
        return False
    return True
