"""The page of a newcomer, made by the command in a fresh folder without network, once for all tests that read it."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.made_once import made_once
from tests.support import reproduce

STALE = Path("results", "models", "mnist-7.json")  # a model's file that no run stands behind


@dataclass(frozen=True)
class Report:
    """How the command ended, what it printed, after how many seconds, and where it wrote."""

    folder: Path
    returncode: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def page(self) -> str:
        """The page."""
        assert self.returncode == 0, self.stderr
        return (self.folder / "results" / "report.html").read_text()


def _make(folder: Path) -> None:
    (folder / STALE).parent.mkdir(parents=True)
    (folder / STALE).write_text("{}")
    began = time.monotonic()
    done = reproduce("--report", cwd=folder)
    said = {"returncode": done.returncode, "stdout": done.stdout, "stderr": done.stderr}
    (folder / "said.json").write_text(json.dumps(said | {"seconds": time.monotonic() - began}))


@pytest.fixture(scope="session")
def fresh_report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """`python reproduce.py --report` of somebody who has nothing yet."""
    folder = made_once(tmp_path_factory, "fresh-report", _make)
    return Report(folder, **json.loads((folder / "said.json").read_text()))
