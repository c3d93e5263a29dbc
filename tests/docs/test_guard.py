"""The guard that a page gives for code of one's own passes, and finds a fault in that code."""

import re
import subprocess
import sys

import pytest

from tests.support import ROOT, environment

PAGE = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"[sS]ave (?:it|this) as `(\w+\.py)`.*?^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


def outcome(folder, vae, test):
    for name, text in {**FILES, "vae.py": vae}.items():
        (folder / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    return subprocess.run(
        command, cwd=folder, env=environment(OMP_NUM_THREADS="1"), capture_output=True, text=True, timeout=300
    )


def test_the_guard_has_the_files_that_it_names():
    assert {*FILES} == {"vae.py", "test_bound.py", "test_training.py"}


@pytest.mark.parametrize("test", ["test_bound.py", "test_training.py"])
def test_the_guard_passes(test, tmp_path):
    done = outcome(tmp_path, FILES["vae.py"], test)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("test", "right", "wrong"),
    [
        ("test_bound.py", "kl = -0.5", "kl = 0.5"),
        ("test_training.py", "lr=3e-3", "lr=2e-3"),
    ],
)
def test_a_fault_in_what_is_guarded_is_found(test, right, wrong, tmp_path):
    assert right in FILES["vae.py"]
    done = outcome(tmp_path, FILES["vae.py"].replace(right, wrong), test)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed" in done.stdout
