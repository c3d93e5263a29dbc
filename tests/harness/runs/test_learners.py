"""Anybody's learner goes where ours go: by the place of its class, with arguments of its own."""

import importlib
import json
import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from torch.nn.utils import parameters_to_vector

import aevb.testing as laws
from aevb.errors import UserError
from aevb.learner import Batch
from harness.experiments.methods import METHODS, method_of
from harness.experiments.protocols import CHANGEABLE, protocol_config
from harness.runs import train, trial
from harness.runs.build import RunData, build_learner
from harness.runs.learners import check_learner, learner_class
from tests.bad_input import check_refusal, run
from tests.strange_learners import STRANGER
from tests.stranger import DOCUMENT
from tests.support import small_job


@pytest.fixture
def stranger(own_files):
    (own_files / "stranger.py").write_text(STRANGER)
    return "stranger:Beta"


def test_a_strangers_learner_is_in_the_figure_with_its_own_argument(stranger, tmp_path):
    line = "--figure 2 --dataset mnist --latent 3 --samples 1000 --workers 2 --results here --method"
    for methods in ("stranger:Beta aevb", "stranger:Beta --protocol author+learner.beta=4+hidden=[8]"):
        status, _, complained = run([*line.split(), *methods.split()])
        assert status == 0, complained
    table = pd.read_csv(tmp_path / "here/figure2/figure2.csv")
    assert {*table["method"]} == {stranger, "aevb"}
    folders = [*tmp_path.glob("here/runs/mnist-nz3-Beta-seed0-*")]
    assert len(folders) == 2
    configs = [json.loads((folder / "config.json").read_text()) for folder in folders]
    assert sorted(config["learner"] for config in configs) == [[], [["beta", 4]]]
    assert {config["n_samples"] for config in configs} == {1}
    assert (tmp_path / "here/figure2/figure2.png").stat().st_size > 10_000


def test_an_heir_of_the_common_state_draws_for_itself(stranger, tmp_path):
    line = "--figure 2 --dataset mnist --latent 3 --samples 1000 --workers 1 --results here --method stranger:Heir"
    status, _, complained = run(line.split())
    assert status == 0, complained
    assert "stranger:Heir" in {*pd.read_csv(tmp_path / "here/figure2/figure2.csv")["method"]}


@pytest.mark.parametrize(("n_train", "batch_size", "batch"), [(30, 0, 30), (30, 20, 20), (0, 0, 40)])
def test_a_learner_is_tried_on_the_runs_own_training_points(n_train, batch_size, batch, monkeypatch):
    seen = []

    def build(config, data, *_):
        seen.append((len(data.train), len(data.train_points)))
        return object()

    monkeypatch.setattr(trial, "build_learner", build)
    config = protocol_config("author", "mnist", method="aevb", n_latent=2, seed=0)
    config = replace(config, n_train=n_train, batch_size=batch_size)
    x = torch.zeros(40, 6)
    with pytest.raises(UserError, match="is without"):
        trial.try_learner(config, SimpleNamespace(train=x, test=x))
    assert seen == [(n_train or 40, batch)]


def test_what_the_docs_say_of_a_learner_is_so(stranger):
    lines = re.findall(r"^python reproduce.py (--figure .+(?:beta:Beta|adam:Adam).*)$", DOCUMENT, re.MULTILINE)
    assert len(lines) == 3
    for line in lines:
        status, _, complained = run([*line.split(), "--samples", "1000", "--workers", "1", "--results", "here"])
        assert status == 0, complained


def test_the_docs_learner_with_an_optimiser_of_torchs_keeps_every_law(own_files):
    laws.check_learner(importlib.import_module("adam").Adam)


def test_its_argument_reaches_it_and_it_reports_the_bound_all_the_same(stranger):
    moved, bounds, x = [], [], torch.rand(100, 784, generator=torch.Generator().manual_seed(1))
    for change in ("", "+learner.beta=1.0", "+learner.beta=50.0"):
        learner = build(f"author+estimator=b+warm_up=0+hidden=[5]{change}", stranger)
        bounds.append(learner.step(Batch(x, torch.arange(100)), torch.Generator().manual_seed(0)).bound)
        moved.append(parameters_to_vector(learner.encoder.parameters()).detach())
    assert torch.equal(moved[0], moved[1])
    assert not torch.equal(moved[0], moved[2])
    assert torch.equal(bounds[0], bounds[2])


def test_an_encoder_that_a_learner_makes_has_weights_of_the_seed_and_is_told_not_to_be_kept(stranger):
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    one = build("author+hidden=[5]", "stranger:Encoding")
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(1)
    again, another = (build("author+hidden=[5]", "stranger:Encoding", seed) for seed in (0, 1))
    weights = [parameters_to_vector(learner.encoder.parameters()) for learner in (one, again, another)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    line = "--figure 2 --dataset stripes:load --latent 2 --samples 1000 --workers 1 --results here --method"
    for method, told in (("stranger:Encoding", True), ("stranger:Beta", False)):
        status, _, complained = run([*line.split(), method])
        assert status == 0, complained
        assert ("models are kept without the Net, as encoders" in " ".join(complained.split())) == told, complained


def build(protocol, method, seed=0):
    config = protocol_config(protocol, "mnist", n_latent=2, method=method, seed=seed)
    x = torch.zeros(100, 784)
    check_learner(config)
    return build_learner(config, RunData(x, False, x, x), 0.1)


@pytest.mark.parametrize("name", [name for name in METHODS if method_of(name).like != "mcem"])
def test_every_known_method_is_built_by_the_same_door(name):
    learner = build("author+hidden=[5]", name)
    method = method_of(name)
    place = method.fast or method.learner
    assert f"{type(learner).__module__}:{type(learner).__name__}" == place
    weighted = method.fields.get("n_samples", 1)
    assert learner.n_normal == weighted + (name == "wake_sleep")


@pytest.mark.parametrize(
    ("method", "protocol", "what"),
    [
        ("nowhere_at_all:Learner", "author", "cannot be imported .ModuleNotFoundError"),
        ("stranger:Gamma", "author", "cannot be imported .AttributeError"),
        ("stranger:Otherwise", "author", "without diagnostics, state_dict, load_state_dict"),
        ("stranger:number", "author", "which is no class"),
        ("stranger:Disordered", "author", "must begin with model, encoder, n_datapoints, options"),
        ("stranger:Greedy", "author", "raised TypeError: .*greed"),
        ("stranger:Leaving", "author", "raised SystemExit: 0"),
        ("stranger:Narrow", "author", "raised TypeError: .*takes 3 positional arguments but 4"),
        ("stranger:Silent", "author", "gave NoneType as the bounds of 100 datapoints"),
        ("stranger:Mean", "author", r"gave shape .. as the bounds of 100 datapoints"),
        ("stranger:Counting", "author", "'stranger:Counting' counted 500 for 100 datapoints: give len"),
        ("stranger:Forgetful", "author", "saved and loaded; 'stranger:Forgetful' raised"),
        ("stranger:Unsaved", "author", "saved and loaded; 'stranger:Unsaved' raised"),
        ("stranger:Blind", "author", "has no encoder after a step"),
        ("stranger:Wordy", "author", "as diagnostics, not a number for each name"),
        ("stranger:Alone", "author", "'stranger:Alone' is without dreams: mend it"),
        ("stranger:Unsure", "author", "saved and loaded; 'stranger:Unsure' raised TypeError"),
        ("stranger.py:Beta", "author", "did you mean stranger:Beta"),
        ("./stranger.py:Beta", "author", "did you mean stranger:Beta"),
        ("stranger:Beta", "author+learner.bta=4", "has beta, got 'bta'.*did you mean beta"),
        ("stranger:Beta", "author+learner.n_samples=4", "must name an argument"),
        ("dreg", "author+learner.doubly_reparameterized=false", "must name an argument"),
        ("stranger", "author", "got 'stranger'"),
        ("iwea", "author", "did you mean iwae"),
        ("stranger:Beta", "author+learner.beta=[1]", "learner must be names with a number"),
        ("stranger:Beta", "author+learner.=1", "a change of protocol must be field=value"),
    ],
)
def test_what_cannot_be_a_learner_is_refused_before_anything_is_computed(stranger, method, protocol, what, tmp_path):
    command = ["--figure", "2", "--dataset", "mnist", "--latent", "3", "--samples", "1000", "--results", "here"]
    status, printed, complained = run([*command, "--method", method, "--protocol", protocol])
    check_refusal(status, printed, complained)
    assert re.search(what, complained), complained
    assert not (tmp_path / "here").exists()


def test_what_ends_a_run_of_a_learner_in_the_middle_is_told_with_its_step_and_line(stranger, array, tmp_path):
    line = STRANGER.splitlines().index('        raise ValueError("boom")') + 1
    for name, told in {
        "LateNothing": "a bound of shape (20,); at step 9 stranger:LateNothing gave NoneType: mend it",
        "LateMean": "a bound of shape (20,); at step 9 stranger:LateMean gave one of shape (): mend it",
        "LateRaising": f"at step 9, line {line} of stranger.py, stranger:LateRaising raised ValueError: boom: mend it",
    }.items():
        job = small_job(tmp_path / "here", array, method=f"stranger:{name}", samples=1_000)
        with pytest.raises(UserError, match=re.escape(told)):
            train.run(job)
        assert told in job.folder.status().message


def test_monte_carlo_em_has_no_bound_to_draw(stranger):
    status, printed, complained = run(["--figure", "2", "--method", "mcem"])
    check_refusal(status, printed, complained)
    assert "figure 2 has the methods aevb, wake_sleep, stl" in complained


@pytest.mark.parametrize("name", ["n_leapfrog", "step_size", "generator"])
def test_monte_carlo_em_takes_its_settings_from_the_protocol_alone(name, tmp_path):
    line = f"--figure 3 --dataset mnist --train 1000 --method mcem --samples 1000 --results {tmp_path / 'here'}"
    status, printed, complained = run([*line.split(), "--protocol", f"author+learner.{name}=3"])
    check_refusal(status, printed, complained)
    assert (
        f"mcem has none, got '{name}': leave it out, or change a field of the protocol, as chain_leapfrog" in complained
    )
    assert not (tmp_path / "here").exists()
    fields = complained.rpartition(", as ")[2].strip().split(", ")
    assert {*fields} <= {*CHANGEABLE}


def test_an_error_names_the_class():
    with pytest.raises(UserError, match="os:getcwd"):
        learner_class("os:getcwd")


def test_a_stored_file_does_not_choose_what_is_imported(stranger, tmp_path):
    line = "--figure 2 --dataset mnist --latent 3 --samples 1000 --workers 1 --results here --method"
    assert run([*line.split(), stranger])[0] == 0
    (folder,) = tmp_path.glob("here/runs/*")
    sys.modules.pop("stranger")
    status, printed, complained = run(["--verify", str(folder), "--results", "here"])
    check_refusal(status, printed, complained)
    assert "is of code of yours, stranger:Beta: name it with --method stranger:Beta" in complained
    assert "stranger" not in sys.modules
    verified = ["--verify", str(folder), "--results", "here", "--method", stranger]
    status, printed, complained = run(verified)
    assert (status, printed.partition(":")[0]) == (0, "identical"), complained
