"""A run that diverges says where and in what numbers were lost, why, what to do, and that it is not completed."""

import re

import numpy as np
import pytest

from harness.command.main import main, tell_diverged
from harness.experiments.paper import FIGURE2
from harness.figures import show
from harness.figures.plan import Plan
from harness.figures.request import Request
from harness.runs import train
from tests.strange_learners import STRANGER
from tests.support import small_job
from tests.tally import tally

BERNOULLI = "author+hidden=[8]+batch_size=20+warm_up=5"
PLAIN_GAUSSIAN = "author+batch_size=20+hidden=[20]+decoder=gaussian+decoder_log_var=hidden"
GAUSSIAN = f"{PLAIN_GAUSSIAN}+step_size=0.1"


def grey(rows=300, pixels=16):
    return np.random.default_rng(0).random((rows, pixels), dtype=np.float32)


def with_constant(value, n):
    x = grey()
    x[:, :n] = value
    return x


CASES = {
    "half the pixels are black": (with_constant(0, 8), GAUSSIAN, "8 of 16 pixels never vary.*has no bound"),
    "all pixels but one are black": (with_constant(0, 15), GAUSSIAN, "15 of 16 pixels never vary.*has no bound"),
    "a huge step": (grey(), f"{BERNOULLI}+step_size=1e30", r"η = 1e\+30 is too large a step"),
    "a huge step of a Gaussian": (grey(), f"{PLAIN_GAUSSIAN}+step_size=1e20", r"η = 1e\+20 is too large a step"),
    "huge weights": (grey(), f"{BERNOULLI}+init_std=1e6+step_size=1e25", "too large a step"),
}  # fmt: skip


@pytest.mark.parametrize(("x", "protocol", "why"), CASES.values(), ids=CASES.keys())
def test_a_diverged_run_says_why_and_what_to_do_and_is_not_completed(x, protocol, why, tmp_path, monkeypatch, capsys):
    np.save(tmp_path / "x.npy", x)
    monkeypatch.chdir(tmp_path)
    line = ["--figure", "2", "--dataset", "x.npy", "--latent", "2", "--method", "aevb", "--workers", "1"]
    line += ["--protocol", protocol, "--samples", "20000"]
    assert main(line) == 1
    monkeypatch.setitem(show.PLOTS, 2, lambda *_: [])  # it can be drawn, and need not be again
    (told,) = [text for text in capsys.readouterr().err.splitlines() if text.startswith("not completed: ")]
    assert re.search(why, told)
    assert re.search(r"the bound of step [\d,]+ was the first that is none", told) or "with " in told
    assert re.search(r"with (NaN|infinity) in (decoder|encoder)'s [\w.]+|all parameters still finite", told)
    (remedy,) = re.findall(r"--protocol (\S+)$", told)
    assert main([*line[:-4], "--protocol", remedy, "--samples", "20000"]) == 0, "the remedy helps"
    capsys.readouterr()
    assert main(line) == 1, "it stays so"
    assert "not completed" in capsys.readouterr().err
    assert (
        main([text for text in line if text not in ("--workers", "1", "--samples", "20000")] + ["--plot-only"]) == 0
    ), "what only reads asks for no run"
    tally("diverged runs")


def test_a_learner_of_ones_own_may_have_lost_the_numbers_itself_and_no_notice_comes_before_that(
    own_files, array, tmp_path, capsys
):
    (own_files / "stranger.py").write_text(STRANGER)
    job = small_job(tmp_path / "here", array, method="stranger:LateLosing", samples=20_000)
    status = train.run(job)
    assert status.state == "diverged"
    assert "gradients from autograd" in status.message
    assert tell_diverged(Plan([job]), Request(FIGURE2, methods=("stranger:LateLosing",)))
    told = capsys.readouterr().err
    assert told.startswith(f"not completed: {job.config.name}: diverged: the lower bound was no longer finite at ")
    assert "gradients from autograd" not in told
    assert "; stranger:LateLosing made it so, or η = 0.05 is too large a step for it: look there" in told
    assert re.search(r"or use a smaller η, --protocol \S+$", told.strip())
