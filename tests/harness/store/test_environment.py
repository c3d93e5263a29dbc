import json
import platform
import subprocess
import sys
from importlib.metadata import version

import pytest
import torch

import harness.store.environment as module
from harness.store.environment import cpu_name, describe, instructions, packages
from harness.store.invocation import command_line
from tests.support import ROOT, environment

CPU = torch.device("cpu")
PYTHON = "/home/a/.venv/bin/python3"
ARM = "processor\t: 0\nFeatures\t: fp asimd sve crc32\nCPU part\t: 0xd40\n\nprocessor\t: 1\nFeatures\t: fp asimd sve2\n"
X86 = "processor\t: 0\nmodel name\t: Some CPU @ 2: GHz\nflags\t\t: sse4_2 avx avx2x fma\n\nprocessor\t: 1\n"
STARTS = [
    ([PYTHON, "reproduce.py", "--figure", "2"], "python reproduce.py --figure 2"),
    (["python", "./reproduce.py", "--figure", "2"], "python reproduce.py --figure 2"),
    (
        [PYTHON, "/home/a/project/reproduce.py", "--dataset", "my data.npy"],
        "python reproduce.py --dataset 'my data.npy'",
    ),
    (["python", "-O", "-W", "error", "studies/mine.py", "mine.py"], "python -O -W error studies/mine.py mine.py"),
    ([PYTHON, "/home/a/.venv/bin/aevb", "--figure", "2"], "aevb --figure 2"),
    ([PYTHON, "-sP", "/usr/bin/aevb", "--check"], "aevb --check"),
    ([PYTHON, "C:/Scripts/aevb.exe", "--check"], "aevb --check"),
]


@pytest.mark.parametrize(("given", "typed"), STARTS)
def test_the_command_is_what_was_typed_without_folders_of_this_machine(given, typed, monkeypatch):
    (script,) = [n for n, word in enumerate(given) if word.endswith((".py", "aevb", ".exe"))][:1]
    monkeypatch.setattr(sys, "orig_argv", given)
    monkeypatch.setattr(sys, "argv", given[script:])
    assert command_line() == typed


@pytest.mark.parametrize(
    ("given", "argv", "typed"),
    [
        ([PYTHON, "-c", "print('a b')", "x"], ["-c", "x"], """python -c 'print('"'"'a b'"'"')' x"""),
        ([PYTHON, "-m", "pytest", "-q"], ["/lib/pytest/__main__.py", "-q"], "python -m pytest -q"),
        ([PYTHON], [""], "python"),
        ([PYTHON, "-m", "x", "\udcff.npy"], ["/x.py", "\udcff.npy"], r"python -m x '\udcff.npy'"),
    ],
)
def test_code_and_modules_are_told_as_they_were_given(given, argv, typed, monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", given)
    monkeypatch.setattr(sys, "argv", argv)
    assert command_line() == typed


def test_a_worker_process_tells_its_parents_script_and_options(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from multiprocessing import get_context\n"
        "from harness.store.invocation import command_line\n"
        "if __name__ == '__main__':\n"
        "    with ProcessPoolExecutor(1, get_context('spawn')) as pool:\n"
        "        print(command_line(), pool.submit(command_line).result(), sep='\\n')\n"
    )
    command = [sys.executable, str(script), "--name", "a b"]
    done = subprocess.run(command, env=environment(PYTHONPATH=str(ROOT)), capture_output=True, text=True, timeout=100)
    assert done.stdout.splitlines() == 2 * ["python mine.py --name 'a b'"], done.stderr


def test_a_record_is_json_and_has_the_command_that_it_is_given():
    record = describe(CPU, "aevb --figure 2")
    assert json.loads(json.dumps(record)) == record
    assert record["command"] == "aevb --figure 2"
    assert describe(CPU)["command"] == command_line()
    assert record["version"] == version("aevb")
    assert record["packages"]["torch"] == torch.__version__
    assert bool(record["diff"]) == record["commit"].endswith(" with changes")


def test_the_next_record_of_a_process_asks_neither_git_nor_the_installation(monkeypatch):
    first = describe(CPU)
    monkeypatch.setattr(subprocess, "run", None)
    monkeypatch.setattr(module, "distributions", None)
    first["packages"].clear()
    assert describe(CPU)["packages"] == packages()


def test_an_installed_project_tells_its_version_for_want_of_a_commit(monkeypatch):
    monkeypatch.setattr(module, "_own_checkout", lambda: ("", ""))
    record = describe(CPU)
    assert (record["commit"], record["diff"], record["version"]) == ("", "", version("aevb"))


def test_every_installed_package_has_the_version_that_python_finds():
    known = packages()
    assert {"numpy", "pytest", "jinja2", "typing-extensions"} <= {*known}, "names are normalised"
    assert [*known] == sorted(known)
    assert {name: version(name) for name in known} == known


def test_of_two_installations_the_first_counts_and_a_broken_one_is_none(tmp_path, monkeypatch):
    for folder, name, text in (
        ("first", "Some_Package", "Name: Some_Package\nVersion: 2\n"),
        ("second", "some.package", "Name: some.package\nVersion: 1\n"),
        ("first", "broken", None),
        ("first", "nameless", "Version: 3\n"),
    ):
        place = tmp_path / folder / f"{name}-1.dist-info"
        place.mkdir(parents=True)
        if text:
            (place / "METADATA").write_text(f"Metadata-Version: 2.1\n{text}")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), str(tmp_path / "second")])
    assert packages.__wrapped__() == {"some-package": "2"}


@pytest.mark.parametrize(("text", "has"), [(ARM, ["asimd", "sve"]), (X86, ["sse4_2", "avx", "fma"]), (None, [])])
def test_the_instructions_are_those_that_linux_tells_of_the_processor(text, has, tmp_path):
    path = tmp_path / "cpuinfo"
    if text:
        path.write_text(text)
    assert instructions(path) == {"torch": torch.backends.cpu.get_cpu_capability(), "processor": has}


@pytest.mark.parametrize(("capability", "needs"), [("AVX2", {"avx2", "fma"}), ("AVX512", {"avx512f", "avx2", "fma"})])
def test_the_processor_has_what_torch_takes_it_for(capability, needs):
    told = instructions()
    if told["torch"] != capability or not module.CPUINFO.exists():
        pytest.skip(f"torch uses {told['torch']} here")
    assert needs <= {*told["processor"]}


def test_the_processors_name_is_its_makers_or_the_systems(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(X86)
    monkeypatch.setattr(module, "CPUINFO", tmp_path / "cpuinfo")
    assert cpu_name() == "Some CPU @ 2: GHz"
    monkeypatch.setattr(module, "CPUINFO", tmp_path / "none")
    assert cpu_name() == (platform.processor() or platform.machine())


def test_the_code_that_computes_a_run_has_a_fingerprint_that_any_change_of_it_alters(tmp_path, monkeypatch):
    for folder in ("aevb", "baselines", "harness/runs", "harness/store"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.py").write_text("x = 1\n")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    prints = [module.arithmetic.__wrapped__()]
    for folder in ("aevb", "baselines", "harness/runs"):
        (tmp_path / folder / "a.py").write_text("x = 2\n")
        prints.append(module.arithmetic.__wrapped__())
    assert len({*prints}) == 4
    (tmp_path / "harness" / "store" / "a.py").write_text("x = 2\n")
    assert module.arithmetic.__wrapped__() == prints[-1]
