"""What the tests of the data share: no network, a cache of their own, a fake Frey Face, a server."""

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from misbehaving_server import Server

from aevb.data import download, frey_face, frey_frames

REAL_DATA_DIR = os.environ.get("AEVB_DATA_DIR")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Seal the test off from the network and from the user's own files; return the file of the cache."""
    monkeypatch.delenv("AEVB_DATA_DIR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(frey_face.platformdirs, "user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    monkeypatch.setattr(frey_face, "URLS", ())
    monkeypatch.setattr(download, "PAUSE_S", 0.01)
    return tmp_path / "cache" / "aevb" / "frey_face" / "frey_rawface.mat"


@pytest.fixture
def real_data_dir() -> Path:
    if not REAL_DATA_DIR:
        pytest.skip("AEVB_DATA_DIR names no folder with the real frey_rawface.mat")
    return Path(REAL_DATA_DIR)


@pytest.fixture
def frames(monkeypatch: pytest.MonkeyPatch) -> npt.NDArray[np.uint8]:
    """Random frames that pass for Frey Face's in this test."""
    made = np.random.default_rng(1).integers(0, 239, (1965, 560), dtype=np.uint8)
    monkeypatch.setattr(frey_frames, "SHA256", hashlib.sha256(made.tobytes()).hexdigest())
    return made


@pytest.fixture
def mat(frames: npt.NDArray[np.uint8]) -> bytes:
    return frey_frames.mat_from_frames(frames)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.closing.set()
        made.shutdown()
        thread.join()
