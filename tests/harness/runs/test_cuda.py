"""What only a CUDA device can show: recorded steps are the steps, and a run there is the run on the CPU."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.runs.build import build_learner, load, prepare
from harness.runs.steps import Trainer
from harness.runs.streams import stream
from harness.runs.tape import GRAPH_STEPS, Tape
from harness.runs.train import run, run_together, stacks
from tests.support import curve, small_job

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and torch finds none")
SEEDS = 6
METHODS = pytest.mark.parametrize("method", ["aevb", "wake_sleep"])


@METHODS
@pytest.mark.parametrize("n_runs", [1, 3])
def test_a_graph_takes_the_steps_that_it_recorded(method, n_runs, tmp_path, array):
    config = small_job(tmp_path, array, method=method).config
    device = torch.device("cuda")
    data = prepare(config, load(config, array), device)
    values = []
    for graphed in (False, True):
        configs = [replace(config, seed=seed) for seed in range(n_runs)]
        learners = [build_learner(each, data, 0.05) for each in configs]
        tapes = [Tape(each, data, learner) for each, learner in zip(configs, learners, strict=True)]
        trainer = Trainer(config, data, learners, tapes, stream("training", 0, device))
        if not graphed:
            trainer._eager_steps = float("inf")
        bounds = trainer.advance(6 * GRAPH_STEPS)
        assert (trainer._graph is not None) == graphed
        assert all(ascent.steps == 6 * GRAPH_STEPS for learner in learners for ascent in learner.ascents)
        values.append((np.array(bounds), [p.detach().cpu() for each in learners for p in each.model.parameters()]))
    (one, parameters), (other, others) = values
    np.testing.assert_allclose(one, other, rtol=1e-5)
    for p, q in zip(parameters, others, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-6)


@METHODS
def test_seeds_on_a_gpu_share_a_stack_and_end_where_the_cpu_ends(method, tmp_path, array):
    here = [small_job(tmp_path, array, method=method, seed=seed) for seed in range(SEEDS)]
    there = [replace(job, device="cuda", root=tmp_path / "cuda") for job in here]
    assert [len(group) for group in stacks(there)] == [SEEDS]
    assert [status.state for status in run_together(there)] == ["finished"] * SEEDS
    for job in here:
        run(job)
    # Other random numbers, so that the curves agree as those of seeds do.
    ends = [np.array([curve(job)["lower_bound"].tail(3).mean() for job in jobs]) for jobs in (here, there)]
    error = np.hypot(*(each.std(ddof=1) / SEEDS**0.5 for each in ends))
    assert abs(ends[0].mean() - ends[1].mean()) < 4 * error
    assert error < 1.0  # the noise hides nothing that matters
