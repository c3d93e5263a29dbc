"""Decoder evaluations by parts are those of all at once."""

import pytest
import torch

from aevb.marginal import parts
from aevb.marginal.contradiction import prior_limit
from aevb.model import BernoulliModel


class Counting(BernoulliModel):
    """Notes how many rows it evaluates at a time."""

    most = 0

    def logits(self, z):
        self.most = max(self.most, z[..., 0].numel())
        return super().logits(z)


@pytest.mark.parametrize("numbers", [1, 60, 100, 2**19])
@pytest.mark.parametrize(("draws", "batch"), [(1, 1), (7, 3), (4, 11)])
def test_the_joint_density_by_parts_is_that_of_all_at_once(numbers, draws, batch, generator, monkeypatch):
    monkeypatch.setattr(parts, "_NUMBERS", numbers)
    model = Counting(2, 10, (5,), init_std=0.5, generator=generator)
    x = torch.rand(batch, 10, generator=generator)
    z = torch.randn(draws, batch, 2, generator=generator)
    with torch.no_grad():
        whole = model.log_joint(x, z)
        model.most = 0
        torch.testing.assert_close(parts.log_joint(model, x, z), whole)
    assert model.most <= max(1, numbers // 10)


@pytest.mark.parametrize("apart", [True, False])
def test_the_priors_limit_does_not_depend_on_the_parts(apart, generator, monkeypatch):
    monkeypatch.setattr("aevb.marginal.contradiction._is_apart", lambda model: apart)
    model = Counting(2, 10, (5,), init_std=0.5, generator=generator)
    x = torch.rand(6, 10, generator=generator).round()
    whole = prior_limit(model, x, 1000)
    assert model.most >= 1000
    monkeypatch.setattr(parts, "_NUMBERS", 130)
    model.most = 0
    by_parts = prior_limit(model, x, 1000)
    assert model.most == (13 if apart else 12)  # draws alone, or two with each of the datapoints
    torch.testing.assert_close(by_parts, whole)
