"""Anybody's decoder and data go where ours go, by their places, and keep the same laws."""

import importlib
import json
import re
from dataclasses import replace

import pandas as pd
import pytest
import torch

from aevb import testing
from aevb.errors import UserError
from aevb.learner import Batch
from aevb.trained import build, describe
from harness.command.subject import from_run
from harness.experiments.methods import METHODS
from harness.experiments.protocols import protocol_config
from harness.runs.build import RunData, build_learner, build_model
from harness.runs.decoders import check_decoder, try_decoder
from harness.runs.kept import read_model
from harness.runs.train import run as compute
from harness.store.shelves import KeptModel
from tests.bad_input import check_refusal, run
from tests.stranger import DOCUMENT
from tests.support import SMALL, small_job, write_array

LAPLACE = "+decoder=laplace:Laplace+decoder.scale=0.2"
ODD = """
import torch
from aevb.model import GenerativeModel
from laplace import Laplace

class Nothing:
    pass

class Half(GenerativeModel):
    def pixel_mean(self, z):
        return z

class Disordered(Laplace):
    def __init__(self, n_pixels, n_latent, hidden):
        pass

class Raising(Laplace):
    def log_likelihood(self, x, z):
        raise RuntimeError("no")

class Scalar(Laplace):
    def log_likelihood(self, x, z):
        return super().log_likelihood(x, z).sum()

class Unused(Laplace):
    def __init__(self, *sizes, **how):
        super().__init__(*sizes, **how)
        self.spare = torch.nn.Parameter(torch.zeros(3))

class Convolutional(Laplace):
    '''Networks of its own, whose weights come from torch's generator.'''

    def __init__(self, n_latent, n_pixels, hidden, *, scale=0.1):
        torch.nn.Module.__init__(self)
        self.n_latent, self.n_pixels, self.scale = n_latent, n_pixels, scale
        self.deep = torch.nn.Sequential(
            torch.nn.Linear(n_latent, 32), torch.nn.Unflatten(-1, (8, 2, 2)), torch.nn.Tanh(),
            torch.nn.ConvTranspose2d(8, 1, 2, stride=2),
        )

    def pixel_mean(self, z):
        return torch.sigmoid(self.deep(z.reshape(-1, self.n_latent)).reshape(*z.shape[:-1], self.n_pixels))

    def pixel_noise(self, rows, generator):
        two = next(self.parameters()).new_empty(2, rows, self.n_pixels).exponential_(generator=generator)
        return two[0] - two[1]

class Own(Convolutional):
    '''One layer named as the project's stack is, and an activation that is a module.'''

    def __init__(self, n_latent, n_pixels, hidden, *, scale=0.1):
        torch.nn.Module.__init__(self)
        self.n_latent, self.n_pixels, self.scale = n_latent, n_pixels, scale
        self.hidden, self.activation = self.layers(n_latent), torch.nn.Tanh()
        self.output = torch.nn.Linear(5, n_pixels)

    def layers(self, n_latent):
        return torch.nn.Linear(n_latent, 5)

    def pixel_mean(self, z):
        return torch.sigmoid(self.output(self.activation(self.hidden(z))))

class OwnStack(Own):
    '''A stack of other widths than the config's.'''

    def layers(self, n_latent):
        return torch.nn.Sequential(torch.nn.Linear(n_latent, 3), torch.nn.Tanh(), torch.nn.Linear(3, 5))

number = 3
"""
MARGINAL = {"measure": "marginal_log_likelihood", "batch_size": 0, "evaluation_points": 10}


@pytest.fixture
def odd(own_files):
    (own_files / "odd.py").write_text(ODD)
    return own_files


def config(protocol, method="aevb", **fields):
    return protocol_config(f"{SMALL}{protocol}", "stripes:load", method=method, n_latent=2, seed=0, **fields)


def test_a_strangers_decoder_learner_and_data_are_in_one_figure_and_its_model_in_the_next(odd):
    line = "--dataset stripes:load --latent 2 --samples 2000 --workers 1 --results here"
    protocol = f"{SMALL}{LAPLACE}+first_point=200"
    status, _, complained = run([*f"--figure 2 {line} --method aevb beta:Beta --protocol {protocol}".split()])
    assert status == 0, complained
    assert "gradients from autograd, since there are none by hand for Beta, Laplace" in " ".join(complained.split())
    table = pd.read_csv(odd / "here/figure2/figure2.csv")
    assert {*table["method"]} == {"aevb", "beta:Beta"}
    assert {*table["dataset"]} == {"stripes:load"}
    assert "stripes.load N_z=2 Beta Laplace seed 0: finished" in " ".join(complained.split())
    for _, curve in table[table["split"] == "test"].sort_values("samples").groupby("method"):
        assert curve["lower_bound"].iloc[-1] > curve["lower_bound"].iloc[0] + 1
    (folder,) = odd.glob("here/runs/load-nz2-Beta-seed0-*")
    stored = json.loads((folder / "config.json").read_text())
    assert (stored["decoder"], stored["decoder_arguments"]) == ("laplace:Laplace", [["scale", 0.2]])
    assert json.loads((folder / "environment.json").read_text())[-1]["engine"] == "reference"
    content = torch.load(*folder.glob("models/2000.pt"), weights_only=True)
    shown = f"--figure 4 --dataset stripes:load --results here --protocol {protocol} --samples 2000 --plot-only"
    status, printed, complained = run(shown.split())
    assert status == 0, complained
    assert "figure4" in printed
    with pytest.raises(UserError, match="laplace:Laplace: let code of yours load it"):
        build(content)
    with pytest.raises(UserError, match="name it with --decoder laplace:Laplace"):
        from_run(folder.name, "stripes:load", 3, odd / "here")
    model, encoder, x = from_run(folder.name, "stripes:load", 3, odd / "here", "laplace:Laplace")
    assert (type(model).__name__, x.shape) == ("Laplace", (3, 16))
    assert encoder(x).mean.shape == (3, 2)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_takes_it(name, odd):
    found = config(LAPLACE, name)
    x = torch.rand(20, 16, generator=torch.Generator().manual_seed(0))
    learner = build_learner(found, RunData(x, False, x, x), 0.1)
    assert type(learner.model).__name__ == "Laplace"
    assert learner.model.scale == 0.2
    learner.step(Batch(x, torch.arange(20)), torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", ["Laplace", "Convolutional"])
def test_weights_are_those_of_the_seed_and_a_kept_model_is_the_same_again(kind, odd):
    found = config("+decoder=" + ("laplace:Laplace" if kind == "Laplace" else "odd:Convolutional"))
    one, other, another = (build_model(found, 16, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    values = [torch.cat([p.flatten() for p in model.parameters()]) for model in (one, other, another)]
    assert torch.equal(values[0], values[1])
    assert not torch.equal(values[0], values[2])
    before = torch.random.get_rng_state()
    again, _ = build(describe(one, None), lambda: build_model(found, 16, torch.Generator()))
    assert torch.equal(torch.random.get_rng_state(), before)
    z = torch.randn(3, 2, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(again.pixel_mean(z), one.pixel_mean(z), rtol=0, atol=0)
    try_decoder(found, one, torch.rand(3, 16))


@pytest.mark.parametrize("kind", ["laplace:Laplace", "odd:Convolutional", "odd:Own", "odd:OwnStack"])
@pytest.mark.parametrize(("method", "setting"), [("aevb", {}), ("mcem", MARGINAL)], ids=["aevb", "mcem"])
def test_a_run_keeps_its_model_whatever_its_layers_are_and_reads_it_back(kind, method, setting, odd):
    protocol = f"{SMALL}+first_point=200+decoder={kind}"
    job = small_job(odd, write_array(odd), protocol, method=method, samples=1_000, **setting)
    assert compute(job).state == "finished"
    (samples, *_) = job.folder.model_samples()
    model, encoder, _ = read_model(KeptModel(job.folder, samples))
    assert type(model).__name__ == kind.partition(":")[2]
    assert (encoder is None) == (method == "mcem")
    saved = torch.load(job.folder.model(samples), weights_only=True)
    for network, name in ((model, "model"), (encoder, "encoder")):
        if network is not None:
            torch.testing.assert_close(dict(network.state_dict()), dict(saved[name]), rtol=0, atol=0)


def test_the_laws_build_a_decoder_as_the_harness_does(odd):
    testing.check_decoder(importlib.import_module("odd").Convolutional, n_pixels=16)


@pytest.mark.parametrize(
    ("protocol", "what"),
    [
        ("+decoder=nowhere_at_all:Decoder", "cannot be imported .ModuleNotFoundError"),
        ("+decoder=odd:Nothing", "which does not inherit from it"),
        ("+decoder=odd:number", "which is no class"),
        ("+decoder=odd:Half", "is without log_likelihood, pixel_noise, pixels_at: define them"),
        ("+decoder=odd:Disordered", "must begin with n_latent, n_pixels, hidden"),
        ("+decoder=odd:Raising", "raised RuntimeError: no"),
        ("+decoder=odd:Scalar", "log_likelihood of a decoder must give finite numbers of shape .3,."),
        ("+decoder=odd:Unused", "be evaluated, sampled and differentiated.*raised RuntimeError"),
        ("+decoder=laplace:Laplace+decoder.scal=1", "has scale, got 'scal'.*did you mean scale"),
        ("+decoder=laplace:Laplace+decoder.init_std=1", "must name an argument"),
        ("+decoder=laplace:Laplace+decoder.scale=a", "raised TypeError|raised .*: mend it"),
        ("+decoder.scale=1", "of bernoulli, which has none of its own"),
        ("+decoder=laplace", "one of bernoulli, gaussian, or package.module:Class"),
    ],
)
def test_what_cannot_be_a_decoder_is_refused_before_anything_is_computed(odd, protocol, what):
    command = ["--figure", "2", "--dataset", "stripes:load", "--latent", "2", "--samples", "1000", "--results", "here"]
    status, printed, complained = run([*command, "--protocol", f"{SMALL}{protocol}"])
    check_refusal(status, printed, complained)
    assert re.search(what, complained), complained
    assert not (odd / "here").exists()


def test_what_the_docs_say_of_laws_decoders_and_data_is_so(odd):
    laws = importlib.import_module("test_mine")
    laws.test_my_learner()
    laws.test_my_decoder()
    lines = re.findall(r"^python reproduce.py (--figure .+(?:laplace:Laplace|stripes:load).*)$", DOCUMENT, re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        status, printed, complained = run([*line.split(), "--samples", "1000", "--results", "here", "--dry-run"])
        assert status == 0, complained
        assert "to compute" in printed


@pytest.mark.parametrize("decoder", ["bernoulli", "gaussian"])
def test_ours_have_no_arguments_of_their_own(decoder):
    config = protocol_config("author", "mnist", method="aevb", n_latent=2, seed=0)
    with pytest.raises(UserError, match=f"of {decoder}, which has none of its own"):
        check_decoder(replace(config, decoder=decoder, decoder_arguments=(("scale", 1),)))
