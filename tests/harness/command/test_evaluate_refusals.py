"""`evaluate` tells a wrong density, and refuses by name what it cannot evaluate."""

import importlib
import os
import re

import numpy as np
import pytest

from tests.bad_input import check_refusal

WRONG = """
import sys
import torch
from aevb.model import BernoulliModel
from factors import Factors

class Detached(Factors):
    def log_joint(self, x, z):
        return super().log_joint(x, z.detach())

class Noisy(Factors):
    def log_joint(self, x, z):
        value = super().log_joint(x, z)
        return value + torch.randn_like(value)

class Scalar(Factors):
    def log_joint(self, x, z):
        return super().log_joint(x, z).sum()

class Nameless(torch.nn.Module):
    pass

def needs(argument):
    return Factors()

def odd_q():
    return Factors(), lambda x: x

def long_q():
    return Factors(), lambda x: (torch.zeros(3), torch.zeros(3))

def with_q(mean=0.0, log_var=0.0, width=2, kind=torch.Tensor.float):
    return Factors(), lambda x: (mean + kind(torch.zeros(len(x), 2)), log_var + torch.zeros(len(x), width))

def q_of_nan():
    return with_q(mean=float("nan"))

def q_of_no_spread():
    return with_q(log_var=float("-inf"))

def q_of_another_width():
    return with_q(width=7)

def q_of_one_width():
    return with_q(width=1)

def q_of_double():
    return with_q(kind=torch.Tensor.double)

def q_of_numpy():
    return Factors(), lambda x: (torch.zeros(len(x), 2).numpy(), torch.zeros(len(x), 2).numpy())

def q_that_raises():
    return Factors(), lambda x: 1 / 0

def q_that_leaves():
    return Factors(), lambda x: sys.exit(0)

def q_that_is_none_such():
    return Factors(), 3

def leaves():
    sys.exit(0)

class NotANumber(Factors):
    def log_joint(self, x, z):
        return super().log_joint(x, z).log()

class Nowhere(Factors):
    def log_joint(self, x, z):
        return super().log_joint(x, z) - float("inf")

class Wide(Factors):
    def log_joint(self, x, z):
        return super().log_joint(x, z).double()

class Half(Factors):
    def __init__(self):
        super().__init__()
        self.half()

class Company(Factors):
    def log_joint(self, x, z):
        return super().log_joint(x - x.mean(0), z)

def q_of_company():
    return Factors(), lambda x: (x[:, :2] - x[:, :2].mean(0), torch.zeros(len(x), 2))

def q_that_draws():
    return Factors(), lambda x: (torch.randn(len(x), 2), torch.zeros(len(x), 2))

class Total(BernoulliModel):
    def __init__(self):
        super().__init__(2, 5, (3,))

    def log_likelihood(self, x, z):
        return super().log_likelihood(x, z).sum()

class Picky(Factors):
    def log_joint(self, x, z):
        if len(z) != 2:
            raise RuntimeError("two chains\\nalone")
        return super().log_joint(x, z)
"""


@pytest.fixture
def wrong(truth, own_files):
    """Densities in wrong.py, and data, that cannot be evaluated."""
    (own_files / "wrong.py").write_text(WRONG)
    (own_files / "leaver.py").write_text("raise SystemExit(0)")
    importlib.invalidate_caches()
    rows = np.load(own_files / "rows.npy")
    np.save(own_files / "complex.npy", rows * 1j)
    np.save(own_files / "dates.npy", np.zeros((3, 5), "datetime64[s]"))
    np.save(own_files / "words.npy", rows.astype(str))
    np.save(own_files / "empty.npy", rows[:, :0])
    np.save(own_files / "none.npy", rows[:0, :5])
    rows[5, 0] = np.nan
    np.save(own_files / "holes.npy", rows)
    if not (own_files / "pipe.npy").exists():
        os.mkfifo(own_files / "pipe.npy")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ("factors:model", "must have data, got factors:model alone"),
        ("nowhere:model --data rows.npy", "MODEL must be a known name or .*ModuleNotFoundError"),
        ("factors:model --data nothing.npy", "must name a file that is there"),
        ("factors:model --data nothing", "the name must be known"),
        ("wrong:Detached --data rows.npy", "must be a differentiable function of z.*RuntimeError"),
        ("wrong:Noisy --data rows.npy", "must be the same at every call, got two of .* nats apart"),
        ("wrong:Scalar --data rows.npy", "must give shape .2, 12."),
        ("wrong:Total --data rows.npy", "must be a number for each z, of shape .2, 12., got .. of"),
        ("wrong:Company --data rows.npy", "log p.x, z. of .* must not depend on the other datapoints"),
        ("wrong:q_of_company --data rows.npy", "q of .* must not depend on the other datapoints"),
        ("wrong:q_that_draws --data rows.npy", "q must be the same at every call"),
        ("wrong:Nameless --data rows.npy", "must have log_joint.x, z. and n_latent"),
        ("wrong:needs --data rows.npy", "raised TypeError"),
        ("wrong:odd_q --data rows.npy", "`q` must give a Gaussian over z"),
        ("wrong:long_q --data rows.npy", "must have a mean of shape .12, 2."),
        ("no-such-run", "a run must be named"),
        ("../my-vae.py:model --data rows.npy", "put it in a file of this folder, and name it so$"),
        ("factors:model --data ~nosuch/rows.npy", "must name a file that is there, got ~nosuch/rows.npy"),
        ("factors:model --data holes.npy", "got others in row 5 .from 0. of holes.npy"),
        ("a" * 300, "File name too long"),
        ("factors.py:model --data rows.npy", "did you mean factors:model.$"),
        ("./factors.py:model --data rows.npy", "did you mean factors:model.$"),
        ("factors:model() --data rows.npy", "did you mean factors:model.$"),
        ("leaver:model --data rows.npy", "cannot be imported .SystemExit: 0"),
        ("wrong:leaves --data rows.npy", "raised SystemExit: 0"),
        ("wrong:q_of_nan --data rows.npy", "mean` must be finite"),
        ("wrong:q_of_no_spread --data rows.npy", "log_var` must be finite"),
        ("wrong:q_of_another_width --data rows.npy", "must have a log_var of shape .12, 2., got .12, 7."),
        ("wrong:q_of_one_width --data rows.npy", "must have a log_var of shape .12, 2., got .12, 1."),
        ("wrong:q_of_double --data rows.npy", "must be torch.float32, got torch.float64"),
        ("wrong:q_of_numpy --data rows.npy", "must be a Tensor"),
        ("wrong:q_that_raises --data rows.npy", "q must be a function of x; .* raised ZeroDivisionError"),
        ("wrong:q_that_leaves --data rows.npy", "q must be a function of x; .* raised SystemExit: 0"),
        ("wrong:q_that_is_none_such --data rows.npy", "q must be a function of x; .* raised TypeError"),
        ("wrong:NotANumber --data rows.npy", "must be a number, .* got NaN"),
        ("wrong:Nowhere --data rows.npy", "must be finite at some z"),
        ("wrong:Wide --data rows.npy", "must be of the model's type, torch.float32, got torch.float64"),
        ("wrong:Half --data rows.npy", "must be of float32 or float64"),
        ("wrong:Picky --data rows.npy", "raised RuntimeError: two chains alone"),
        (
            "factors:model --data rows.npy --points 13",
            "at most the number of rows, .* of rows.npy, 12, got 13: give fewer",
        ),
        (
            "factors:model --data mnist --points 1e6",
            "at most the number of .*test points, of mnist, 10,000, got 1,000,000",
        ),
        ("mnist-nz2-aevb-seed0 --points 1e6", "of mnist N_z=2 aevb seed 0, 10,000, got 1,000,000: give fewer"),
        ("factors:model --data complex.npy", "must be real numbers"),
        ("factors:model --data dates.npy", "must be real numbers"),
        ("factors:model --data words.npy", "must be real numbers"),
        ("factors:model --data empty.npy", "must have rows of finite numbers"),
        ("factors:model --data none.npy", "must have rows of finite numbers, got shape .0, 5."),
        ("factors:model --data pipe.npy", "not a regular file"),
        ("factors:model --data rows.npy --csv nowhere/found.csv", "--csv must name a file that can be written"),
        ("factors:model --data rows.npy --csv .", "--csv must name a file that can be written"),
        ("factors:model --data rows.npy --csv rows.npy", "rows.npy: it is there, and of another kind: name another"),
        ("factors:model --data rows.npy --csv factors.py", "factors.py: it is there, and of another kind"),
        ("factors:model --data rows.npy --decoder factors:Factors", "are for a run, and MODEL is a place: leave them"),
        ("factors:model --data rows.npy --results .", "are for a run, and MODEL is a place: leave them out"),
        ("mnist-nz2-aevb-seed0 --decoder factors:Factors", "that of mnist N_z=2 .* is ours: leave it out"),
        ("mnist-nz2-aevb-seed0 --results resluts", "must name a folder that is there, .* got resluts: correct it, or"),
        ("mnist-nz2-aevb-seed0 --results rows.npy", "results must be in a folder; rows.npy: it is none"),
        ("factors:model --data rows.npy --temperatures 1", "at least 2"),
        ("factors:model --data rows.npy --samples 3", "at least 25"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_by_name(wrong, arguments, what, evaluated):
    status, printed, complained = evaluated(*arguments.split())
    assert re.search(what, complained), complained
    if "--samples" not in arguments:
        check_refusal(status, printed, complained.replace(complained.partition(":")[0], "reproduce.py", 1))
