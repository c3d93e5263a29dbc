"""A decoder with layers that behave otherwise in training is measured without them, and trained with them."""

import pytest
import torch
from torch import Tensor, nn

from aevb.aevb import AEVB
from aevb.encoder import GaussianEncoder
from aevb.model import BernoulliModel
from harness.experiments.protocols import protocol_config
from harness.runs.build import RunData
from harness.runs.evaluate import LowerBoundEvaluator, MarginalEvaluator

X = torch.rand(6, 20, generator=torch.Generator().manual_seed(0))
DATA = RunData(X, False, X, X)


class Dropping(BernoulliModel):
    """Drops half of z, and keeps statistics of it."""

    def __init__(self) -> None:
        super().__init__(2, 20, (5,))
        self.drop, self.norm = nn.Dropout(), nn.BatchNorm1d(2)
        self.frozen = nn.Dropout().eval()

    def logits(self, z: Tensor) -> Tensor:
        """Log odds of each pixel."""
        return super().logits(self.norm(self.drop(z).flatten(0, -2)).view(z.shape))


@pytest.mark.parametrize("kind", [LowerBoundEvaluator, MarginalEvaluator])
def test_a_measurement_is_that_of_the_eval_mode_and_leaves_the_train_mode(kind):
    config = protocol_config("author", "mnist", n_latent=2, method="aevb", seed=0)
    learner = AEVB(Dropping(), GaussianEncoder(20, 2, (5,)), 6)

    def measured():
        evaluator = kind(DATA) if kind is LowerBoundEvaluator else kind(config, DATA)
        return evaluator.measure(learner, 0)["test"]

    learner.model.eval()
    expected = measured()
    learner.model.train()
    learner.model.frozen.eval()
    assert measured() == pytest.approx(expected, nan_ok=True)
    assert (learner.model.drop.training, learner.model.frozen.training) == (True, False)
    assert int(learner.model.norm.num_batches_tracked) == 0
