"""Faults that the rehearsal is there to find are planted, and found."""

from typing import Any

import pytest
import torch

from aevb.fast.aevb import FastAEVB
from aevb.learner import Batch
from harness.runs import steps
from harness.runs.streams import stream
from tests.rehearsed import CUDA, GRAPH_STEPS, assert_loop_is_silent, trainer


def test_a_planted_read_in_a_step_is_found(array, device, monkeypatch) -> None:
    real = FastAEVB.step

    def step(self: Any, *arguments: Any) -> Any:
        info = real(self, *arguments)
        info.bound.mean().item()
        return info

    monkeypatch.setattr(FastAEVB, "step", step)
    subject = trainer(array, "aevb", "bernoulli", 6)
    with pytest.raises(AssertionError, match=r"elsewhere|step"):
        assert_loop_is_silent(
            lambda n: steps.take_steps(subject._learner, subject._data, subject._tapes[0].take(n), None), device, 1, 2
        )
    with pytest.raises(RuntimeError, match="waited for a value of the device while a graph is recorded"):
        subject.advance(4 * GRAPH_STEPS)


@pytest.mark.parametrize("name", ["bias", "weight"])
def test_a_planted_tensor_of_the_host_is_found(name, array, device) -> None:
    subject = trainer(array, "aevb", "bernoulli", 6, "reference")
    layer = subject._learners[0].model.output
    setattr(layer, name, torch.nn.Parameter(torch.zeros(getattr(layer, name).shape)))
    with pytest.raises((RuntimeError, ValueError), match=r"cpu|host"):
        subject.advance(1)


def test_a_planted_number_of_the_host_is_found_where_cuda_takes_none(device) -> None:
    on_device, number = torch.ones(3, device=CUDA), torch.tensor(0.5)
    on_device * number  # which it takes
    with pytest.raises(RuntimeError, match="addcmul"):
        torch.addcmul(number, on_device, on_device)


def test_a_planted_generator_of_the_host_is_found(array, device) -> None:
    subject = trainer(array, "aevb", "bernoulli", 6)
    subject._tapes[0]._generator = stream("minibatches")
    with pytest.raises(RuntimeError, match="expected a cuda generator"):
        subject.advance(1)


def test_a_planted_upload_in_a_graph_is_found(array, device, monkeypatch) -> None:
    real = FastAEVB.step

    def step(self: Any, batch: Batch, *arguments: Any) -> Any:
        return real(self, Batch(batch.x * batch.x.new_tensor([1.0]), batch.indices), *arguments)

    monkeypatch.setattr(FastAEVB, "step", step)
    with pytest.raises(RuntimeError, match="sent a tensor to the device while a graph is recorded"):
        trainer(array, "aevb", "bernoulli", 6).advance(4 * GRAPH_STEPS)


@pytest.mark.parametrize("given", [{"size": (4,)}, {"size": (3,), "dtype": torch.float64}], ids=["size", "type"])
def test_a_planted_output_of_another_kind_is_found(given, device) -> None:
    one, other = torch.ones(3, device=CUDA), torch.ones(3, device=CUDA)
    assert torch.mul(one, other, out=one) is one
    with pytest.raises(RuntimeError, match=r"made torch.float32 torch.Size\(\[3\]\), to be"):
        torch.mul(one, other, out=torch.ones(**given, device=CUDA))
