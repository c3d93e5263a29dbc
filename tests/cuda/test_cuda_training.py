"""What a CUDA device would be asked to do, rehearsed without one: the code that a GPU runs, on `tests.rehearsal`.

Rehearsed are shapes, types and devices; that nothing in a loop reads from the device or sends to it, neither step, nor
move, nor draw; and that what a graph records neither waits nor draws. Not to be seen this way: numbers; the backward
pass of autograd, which torch for the CPU cannot take on another device (gradients have their shapes alone); what else
CUDA forbids a graph; streams, memory and speed. `tests/harness/runs/test_cuda.py` and `benchmarks/` are for a GPU.
"""

from dataclasses import replace
from typing import Any

import pytest
import torch

from aevb.ascent import AscentOptions
from aevb.learner import Batch, LearnerState
from baselines.score_function import ScoreFunction
from harness.runs.streams import stream
from harness.runs.train import run_together, stacks
from harness.store.tensors import load_saved, save
from tests.rehearsal import traffic
from tests.rehearsed import CUDA, GRAPH_STEPS, N, assert_loop_is_silent, model_and_encoder, run_data, trainer
from tests.support import small_job
from tests.test_laws import DECODERS, kinds_of

pytestmark = pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")  # as copying a module does
# What the harness trains: method, decoder, size of a batch.
TRAINED = [
    *((method, decoder, 6) for method in ("aevb", "wake_sleep", "mcem") for decoder in ("bernoulli", "gaussian")),
    ("mcem", "bernoulli", 0),
]


@pytest.mark.parametrize("engine", ["fast", "reference"])
@pytest.mark.parametrize(("method", "decoder", "batch"), TRAINED)
def test_steps_neither_read_nor_send(method, decoder, batch, engine, array, device) -> None:
    subject = trainer(array, method, decoder, batch, engine)
    assert_loop_is_silent(subject.advance, device, GRAPH_STEPS, 2 * GRAPH_STEPS)
    recorded = engine == "fast" and method != "mcem"
    assert (subject._graph is not None) == recorded
    # What a call of many steps reads: their bounds, at once; without bounds nothing.
    reads, uploads = traffic(lambda: subject.advance(3 * GRAPH_STEPS), device)
    assert reads == ({} if method == "mcem" else {"harness/runs/steps.py advance": 1})
    assert not uploads


@pytest.mark.parametrize("decoder", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("method", ["aevb", "wake_sleep"])
def test_a_stack_is_recorded_and_neither_reads_nor_sends(method, decoder, array, device) -> None:
    subject = trainer(array, method, decoder, 6, runs=3)
    assert_loop_is_silent(subject.advance, device, GRAPH_STEPS, 2 * GRAPH_STEPS)
    assert subject._graph is not None
    assert [len(bounds) for bounds in subject.advance(GRAPH_STEPS)] == [GRAPH_STEPS] * 3


@pytest.mark.parametrize("settings", [{"binarization": "dynamic"}, {"n_samples": 3}, {"estimator": "b"}], ids=str)
@pytest.mark.parametrize("method", ["aevb", "wake_sleep"])
def test_other_settings_are_recorded_too(method, settings, array, device) -> None:
    subject = trainer(array, method, "bernoulli", 6, **settings)
    assert_loop_is_silent(subject.advance, device, GRAPH_STEPS, 2 * GRAPH_STEPS)
    assert subject._graph is not None


def learner_of(algorithm: type, decoder: type, **more: Any) -> Any:
    model, encoder = model_and_encoder(decoder)
    names = algorithm.__init__.__code__.co_varnames
    if "encoder" in names:
        return algorithm(model, encoder, N, AscentOptions(warm_up=0), **more)
    return algorithm(model, N, stream("chains", 0, CUDA), AscentOptions(warm_up=0), n_leapfrog=2, n_weight_steps=2)


@DECODERS
@pytest.mark.parametrize("algorithm", kinds_of(LearnerState), ids=lambda kind: kind.__name__)
def test_every_learner_steps_without_reading_and_is_saved_and_loaded(algorithm, decoder, device, tmp_path) -> None:
    x, generator = run_data().train, stream("training", 0, CUDA)
    batch = Batch(x, torch.arange(N, device=CUDA))
    more = {"with_baseline": True} if algorithm is ScoreFunction else {}
    learner, other = (learner_of(algorithm, decoder, **more) for _ in range(2))

    def advance(n: int) -> None:
        for _ in range(n):
            learner.step(batch, generator)

    assert_loop_is_silent(advance, device, 1, 3)
    save(learner.state_dict(), tmp_path / "state.pt")
    other.load_state_dict(load_saved(tmp_path / "state.pt", CUDA))
    other.step(batch, generator)
    assert all(p.is_cuda for p in other.model.parameters())


@pytest.mark.parametrize("method", ["aevb", "wake_sleep", "mcem"])
def test_runs_are_computed_saved_stopped_and_resumed(method, tmp_path, array, device) -> None:
    short = {"posterior_samples": 8, "posterior_burn_in": 4, "posterior_leapfrog": 2}
    measure = {"measure": "marginal_log_likelihood", **short} if method == "mcem" else {}
    jobs = [
        replace(small_job(tmp_path, array, method=method, seed=seed, samples=2_000, **measure), device="cuda")
        for seed in range(2)
    ]
    assert [len(group) for group in stacks(jobs)] == ([1, 1] if method == "mcem" else [2])
    for samples in (2_000, 3_000):  # the second goes on from the first's checkpoint
        for group in stacks([replace(job, samples=samples) for job in jobs]):
            for status in run_together(group):
                assert status.state == "finished"
                assert samples <= status.samples < samples + 1000
