"""Every test runs on one thread, in the order of its arithmetic, so that results repeat bit for bit."""

from pathlib import Path

import pytest
import torch

from tests.support import write_array


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(20131220)


@pytest.fixture
def array(tmp_path: Path) -> Path:
    """A small array of the user's own, in the test's folder."""
    return write_array(tmp_path)
