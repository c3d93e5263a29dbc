"""Where Frey Face is downloaded from in a test, and what a download leaves behind."""

from pathlib import Path

import pytest

from aevb.data import frey_face


def use(monkeypatch: pytest.MonkeyPatch, *urls: str) -> None:
    monkeypatch.setattr(frey_face, "URLS", urls)


def left_behind(cache: Path) -> list[Path]:
    return [path for path in cache.parents[1].rglob("*") if path.is_file()]
