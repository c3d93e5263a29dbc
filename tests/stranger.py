"""Somebody else's files, outside the project: the examples of docs/own-learner.md in a working folder of their own."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT

DOCUMENT = (ROOT / "docs" / "own-learner.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"Save this as `(\w+\.py)`.*?^```python\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
FILES = dict(EXAMPLES)


@pytest.fixture
def own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder; what is imported from it is forgotten afterwards."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    for name, module in [*sys.modules.items()]:
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
