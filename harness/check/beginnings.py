"""What a protocol begins with: freshly built learners."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

from aevb.data import load_dataset
from aevb.encoder import GaussianEncoder
from aevb.learner import Batch, Noise
from harness.check.case import Place
from harness.experiments.protocols import protocol_config
from harness.runs.build import RunData, build_learner
from harness.runs.streams import stream
from harness.runs.tape import Tape

POINTS, N_LATENT = 200, 2


@dataclass(frozen=True)
class Beginnings:
    """Initial parameters, the size of a minibatch, and a bound in which estimator, activations and factors tell.

    Attributes:
        name: in one line.
        dataset: whose defaults hold; the data are the waves.
        protocol: named, with changes.
        method: one with an encoder.
    """

    name: str
    dataset: str
    protocol: str
    method: str = "aevb"

    random: ClassVar[bool] = True
    exact: ClassVar[frozenset[str]] = frozenset()

    def measure(self, seed: int, place: Place) -> dict[str, float]:
        """The numbers of parameters and of datapoints, standard deviations, and a bound in nats."""
        config = protocol_config(self.protocol, self.dataset, method=self.method, n_latent=N_LATENT, seed=seed)
        x = load_dataset(str(place.waves)).test[:POINTS].to(place.torch_device)
        data = RunData(x, dynamic=False, train_points=x, test_points=x)
        learner = build_learner(config, data, 1.0, place.engine)
        assert isinstance(learner.encoder, GaussianEncoder)
        modules = nn.ModuleDict({"decoder": learner.model, "encoder": learner.encoder})
        heads = {name: layer for name, layer in modules.named_modules() if name.endswith("log_var")}
        others = [p for name, p in modules.named_parameters() if ".log_var." not in name]
        values = {"parameters": float(sum(p.numel() for p in modules.parameters()))}
        (batch, _), *_ = Tape(config, data, learner).take(1).batches(data)
        values["datapoints in a minibatch"] = float(len(batch.x))
        values["standard deviation"] = _spread(others)
        for name, head in heads.items():
            values[f"standard deviation, {name.partition('.')[0]}'s log σ²"] = _spread([*head.parameters()])
        with torch.no_grad():
            for name, parameter in modules.named_parameters():
                if name.endswith("bias") and (".hidden." in name or name == "encoder.mean.bias"):
                    parameter.fill_(1.0)  # hidden units are about tanh(1) or softplus(1), z is about that of the mean
            for head in heads.values():
                for parameter in head.parameters():
                    parameter.fill_(1 / parameter.shape[-1])
        pixels = learner.model.pixel_noise(len(x), stream("check", seed, x.device)) if learner.dreams else None
        noise = Noise(torch.zeros(learner.n_normal, len(x), N_LATENT, device=x.device), pixels)
        bound = learner.step(Batch(x, torch.arange(len(x), device=x.device)), stream("check", seed), noise).bound
        assert bound is not None
        values["bound, hidden biases and log σ² heads at 1"] = float(bound.mean())
        return values


def _spread(parameters: list[nn.Parameter]) -> float:
    return float(parameters_to_vector(parameters).detach().double().std())
