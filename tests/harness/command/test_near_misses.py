"""A name that is nearly right is answered by the right one; a Python that lacks something, by an environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import aevb
from aevb.errors import UserError
from harness.command import start as command
from tests.bad_input import check_refusal, run
from tests.support import ROOT
from tests.tally import tally

NEAR = [
    ("--figure 2 --dataset mnsit", "mnist"),
    ("--figure 2 --dataset Frey-Face", "frey_face"),
    ("--figure 4 --dataset freyface", "frey_face"),
    ("--demo generate --dataset mnits", "mnist"),
    ("--demo denoize", "denoise"),
    ("--demo inpainting", "inpaint"),
    ("--demo reconstuct", "reconstruct"),
    ("--demo interpolation", "interpolate"),
    ("--study marginals", "marginal"),
    ("--study reparametrization", "reparameterization"),
    ("--figure 2 --method wakesleep", "wake_sleep"),
    ("--figure 2 --method AEVB", "aevb"),
    ("--figure 3 --method mcm", "mcem"),
    ("--lst", "--list"),
    ("--figur 2", "--figure"),
    ("--figure 2 --scale smok", "smoke"),
    ("--figure 2 --scale papr", "paper"),
    ("--figure 2 --device cdua", "cuda"),
    ("--figure 2 --engine refrence", "reference"),
    ("--figure 2 --protocol auther", "author"),
    ("--figure 2 --protocol papers", "paper"),
    ("--figure 2 --protocol Author+warm_up=1", "author"),
    ("--figure 2 --protocol author+binarisation=dynamic", "binarization"),
    ("--figure 2 --protocol author+stepsize=0.1", "step_size"),
    ("--figure 2 --protocol author+batchsize=10", "batch_size"),
    ("--figure 2 --protocol author+warmup=1", "warm_up"),
    ("--figure 2 --protocol author+decodr=gaussian", "decoder"),
    ("--figure 2 --dataset mnist --protocol author+binarization=dynamc", "dynamic"),
    ("--figure 2 --dataset mnist --protocol author+decoder=gausian", "gaussian"),
    ("--figure 2 --dataset mnist --protocol author+step_size=atuo", "auto"),
    ("--figure 2 --dataset mnist --protocol author+encoder_log_var_zero=False", "false"),
    ("--figure 2 --dataset mnist --protocol author+precision=bfloat", "bfloat16"),
    ("--figure 2 --dataset mnist --protocol author+split=chronologic", "chronological"),
    ("--figure 2 --dataset mnist --protocol author+encoder_activation=tahn", "tanh"),
    ("--figure 2 --dataste mnist", "--dataset"),
    ("--figure 2 --plotonly", "--plot-only"),
    ("--figure 2 --sample 10", "--samples"),
    ("--figure 2 --latents 10", "--latent"),
    ("--figure 2 --dryrun", "--dry-run"),
    ("--verify mnist-nz3-abve-seed0", "mnist-nz3-aevb-seed0"),
    ("--verify mnist-n3-aevb-seed0", "mnist-nz3-aevb-seed0"),
]
FAR = [
    "--figure 2 --dataset cifar",
    "--demo zzz",
    "--study elbo",
    "--figure 2 --protocol zebra",
    "--verify q",
    "--figure 2 --protocol author+qqq=1",
    "--figure 2 --dataset mnist --protocol author+decoder=xyz",
    "--figure 2 --qqq",
]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AEVB_DATA_DIR", "")


@pytest.mark.parametrize(("line", "meant"), NEAR)
def test_a_name_that_is_nearly_right_is_answered_by_the_right_one(line, meant, elsewhere):
    status, printed, complained = run(line.split())
    check_refusal(status, printed, complained)
    assert f"did you mean {meant}?" in complained
    assert len(complained) < 400, "one name, not all"
    tally("near misses")


@pytest.mark.parametrize("line", FAR)
def test_a_name_that_is_near_nothing_gets_no_guess(line, elsewhere):
    status, printed, complained = run(line.split())
    check_refusal(status, printed, complained)
    assert "did you mean" not in complained


@pytest.mark.parametrize(("name", "meant"), [("mnsit", "mnist"), ("MNIST", "mnist"), ("frey", "frey_face")])
def test_a_published_model_of_nearly_this_name_is_named(name, meant):
    with pytest.raises(UserError, match=f"did you mean {meant}"):
        aevb.load(name, n_latent=2)
    tally("near misses")


@pytest.mark.parametrize("line", ["--figure 2", "--list", "--plot-only --figure 2", "--demo generate", "--report"])
def test_a_python_without_what_is_needed_is_told_what_to_activate(line, tmp_path):
    """-I and -S: an interpreter that sees no installed package."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[0] = 'reproduce.py'\n"
    code += "from harness.command.start import start; sys.exit(start())"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, *line.split()], cwd=tmp_path, capture_output=True, text=True
    )
    error = done.stderr.splitlines()[-1]
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert "No module named" in error
    assert "activate" in error or "python3 -m venv .venv" in error
    tally("bare interpreters")


def test_help_needs_nothing_that_is_installed():
    done = subprocess.run([sys.executable, "-S", str(ROOT / "reproduce.py"), "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--figure" in done.stdout


def test_an_old_python_is_told_which_one_is_needed(monkeypatch, capsys):
    monkeypatch.setattr(command, "NEEDED", (9, 0))
    assert command.start() == 2
    assert "Python must be 9.0 or newer" in capsys.readouterr().err


def test_the_environment_of_the_working_folder_is_the_one_to_activate(tmp_path, monkeypatch, capsys):
    place = tmp_path / ".venv" / "bin"
    place.mkdir(parents=True)
    (place / "activate").write_text("")
    monkeypatch.chdir(tmp_path)
    command._refuse("No module named 'pandas'")
    assert f"activate the environment, `. {Path('.venv')}/bin/activate`" in capsys.readouterr().err


def test_a_module_of_ours_that_is_missing_is_a_fault_not_an_environment(monkeypatch):
    monkeypatch.setitem(sys.modules, "harness.command.main", None)
    monkeypatch.setattr(sys, "argv", ["reproduce.py", "--list"])
    with pytest.raises(ImportError):
        command._run()
    assert os.getcwd()
