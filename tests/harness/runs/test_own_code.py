"""Code of the user's that is edited: no old curve is shown as the new code's, and none is gone on with."""

import json
import sys

import pytest

from harness.store.checksums import write_checked
from harness.store.own_code import hash_of
from tests.bad_input import check_refusal, contents, run
from tests.stranger import FILES
from tests.support import SMALL

LINE = "--dataset stripes:load --workers 1 --results here"
LEARNER = ("beta.py", "(1 - beta) * (kl", "(1 - beta) * 0.5 * (kl")
DECODER = ("laplace.py", "math.log(2 * self.scale)", "2 * math.log(2 * self.scale)")
HELPER = ("scales.py", "SCALE = 1.0", "SCALE = 0.125")
PLACES = {LEARNER: "beta:Beta", DECODER: "laplace:Laplace", HELPER: "beta:Beta"}


@pytest.fixture
def folder(own_files):
    """A working folder whose learner takes a number from a file beside it."""
    (own_files / "scales.py").write_text("SCALE = 1.0\n")
    text = FILES["beta.py"].replace("from aevb.aevb", "from scales import SCALE\n\nfrom aevb.aevb")
    (own_files / "beta.py").write_text(text.replace("- kl.detach())", "- kl.detach()) * SCALE"))
    return own_files


def figure(*more, samples=2_000):
    protocol = f"{SMALL}+first_point=200+learner.beta=4+decoder=laplace:Laplace"
    line = f"--figure 2 {LINE} --latent 2 --samples {samples} --method beta:Beta --protocol {protocol}"
    return run([*line.split(), *more])


def verify(folder):
    (path,) = folder.glob("here/runs/*")
    return run(f"--verify {path} {LINE} --method beta:Beta laplace:Laplace".split())


def edit(folder, change):
    """As in an editor, for a command that is a process of its own."""
    name, before, after = change
    text = (folder / name).read_text()
    assert before in text
    (folder / name).write_text(text.replace(before, after))
    for each in ("beta", "laplace", "scales"):
        sys.modules.pop(each, None)


def environments(folder):
    (path,) = folder.glob("here/runs/*/environment.json")
    return path, json.loads(path.read_text())


@pytest.mark.parametrize("change", [LEARNER, DECODER, HELPER], ids=lambda change: change[0])
def test_a_run_of_code_that_was_edited_since_is_neither_shown_nor_gone_on_with(folder, change):
    assert figure()[0] == 0
    before, place = contents(folder / "here"), PLACES[change]
    edit(folder, change)
    for more in ({}, {"samples": 4_000}):
        status, printed, complained = figure(**more)
        check_refusal(status, printed, complained)
        assert f"is of {place} with SHA-256 " in complained
        assert "compute it anew with --force" in complained
        assert contents(folder / "here") == before, "the old results stay"
    edit(folder, (change[0], change[2], change[1]))
    status, _, complained = figure(samples=4_000)
    assert status == 0, complained
    edit(folder, change)
    assert figure("--force", samples=4_000)[0] == 0
    status, _, complained = figure(samples=4_000)
    assert status == 0, complained
    assert "1 were there already" in " ".join(complained.split())


@pytest.mark.parametrize("change", [LEARNER, DECODER, HELPER], ids=lambda change: change[0])
def test_verifying_does_not_say_that_edited_code_is_the_same(folder, change):
    assert figure()[0] == 0
    status, printed, _ = verify(folder)
    assert (status, printed.partition(":")[0]) == (0, "identical")
    edit(folder, change)
    status, printed, _ = verify(folder)
    assert (status, printed.partition(":")[0]) == (1, "different")
    assert f"with another version of {PLACES[change]}, code of yours that was changed since" in printed
    assert "same processor" not in printed


def test_what_was_edited_before_anything_was_computed_is_no_obstacle(folder):
    assert figure()[0] == 0
    path, (record,) = environments(folder)
    assert {*record["own_code"]} == {"beta:Beta", "laplace:Laplace"}
    for name in ("checkpoint.pt", "checkpoint.previous.pt", "curve.csv", "status.json"):  # it failed at its first step
        (path.parent / name).unlink(missing_ok=True)
    edit(folder, LEARNER)
    for _ in range(2):
        status, _, complained = figure()
        assert status == 0, complained


def test_runs_that_were_stored_without_a_hash_are_taken_as_they_are(folder):
    assert figure()[0] == 0
    path, records = environments(folder)
    for record in records:
        del record["own_code"]
    write_checked(path, json.dumps(records))
    edit(folder, LEARNER)
    status, _, complained = figure()
    assert status == 0, complained
    status, printed, _ = verify(folder)
    assert status == 1
    assert "with another processor, packages or code" in printed


def test_runs_of_ours_have_no_such_record(folder):
    line = f"--figure 2 {LINE} --latent 2 --samples 1000 --method aevb --protocol {SMALL}"
    assert run(line.split())[0] == 0
    assert "own_code" not in environments(folder)[1][0]


def test_a_hash_is_of_the_users_files_and_of_what_they_import_of_the_users(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    package = tmp_path / "somebodys"
    package.mkdir()
    files = {
        package / "__init__.py": "from .inner import Kept\n",
        package / "inner.py": "import torch\nfrom . import deep\nimport alongside\nclass Kept: pass\n",
        package / "deep.py": "number = 3\n",
        package / "unused.py": "number = 3\n",
        tmp_path / "alongside.py": "number = 3\n",
    }
    for path, text in files.items():
        path.write_text(text)

    def again():
        for name in [name for name in sys.modules if name.partition(".")[0] in ("somebodys", "alongside")]:
            del sys.modules[name]
        return hash_of("somebodys:Kept")

    seen = {again()}
    for path, text in files.items():
        path.write_text(f"{text}# edited\n")
        found = again()
        assert (found in seen) == (path.name == "unused.py"), path
        seen.add(found)
    (package / "deep.py").write_text("number = 4\n")
    assert hash_of("somebodys:Kept") == found, "what is loaded is what computes"
    again()
