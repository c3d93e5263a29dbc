"""On which processors OpenBLAS is told its kernels."""

import os
import subprocess
import sys

import pytest

from aevb.fast.kernels import VARIABLE, choose_kernels, is_amd
from tests.support import ROOT, environment

TOLD = "processor\t: 0\nvendor_id\t: {}\ncpu family\t: {}\nflags\t\t: {}\n\nprocessor\t: 1\nvendor_id\t: other\n"
ZEN_4 = ("AuthenticAMD", 25, "avx2 avx512f")


@pytest.fixture
def variable(monkeypatch):
    """Not set, and afterwards what it was."""
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.delenv(VARIABLE)
    return monkeypatch


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (ZEN_4, "Haswell"),
        (("AuthenticAMD", 25, "avx2"), None),
        (("AuthenticAMD", 26, "avx2 avx512f"), None),
        (("GenuineIntel", 25, "avx2 avx512f"), None),
        (None, None),
    ],
)
def test_the_kernels_are_chosen_for_zen_4_alone(facts, expected, variable, tmp_path):
    path = tmp_path / "cpuinfo"
    if facts:
        path.write_text(TOLD.format(*facts))
    choose_kernels(path)
    assert os.environ.get(VARIABLE) == expected
    assert is_amd(path) == (facts is not None and facts[0] == "AuthenticAMD")


def test_the_user_s_own_choice_is_heeded(variable, tmp_path):
    (tmp_path / "cpuinfo").write_text(TOLD.format(*ZEN_4))
    variable.setenv(VARIABLE, "SkylakeX")
    choose_kernels(tmp_path / "cpuinfo")
    assert os.environ[VARIABLE] == "SkylakeX"


@pytest.mark.parametrize("what", ["tests/aevb/test_kernels.py", "benchmarks/test_roofs.py"])
def test_nothing_imports_numpy_before_the_tests_and_the_benchmarks_choose(what, tmp_path):
    told = tmp_path / "told"
    code = (
        "import pathlib, sys, pytest, aevb.fast.kernels as kernels\n"
        f"kernels.choose_kernels = lambda: pathlib.Path({str(told)!r}).write_text(str('numpy' in sys.modules))\n"
        f"sys.exit(pytest.main(['--collect-only', '-q', '-p', 'no:cacheprovider', {what!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert told.read_text() == "False"
