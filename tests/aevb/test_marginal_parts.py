"""Decoder evaluations by parts are those of all at once."""

import pytest
import torch

from aevb.marginal import parts
from aevb.marginal.contradiction import prior_limit
from aevb.model import BernoulliModel


class Counting(BernoulliModel):
    """Notes how many rows it evaluates at a time."""

    def log_joint(self, x, z):
        self.most = max(getattr(self, "most", 0), z[..., 0].numel())
        return super().log_joint(x, z)


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


def test_the_priors_limit_does_not_depend_on_the_parts(generator, monkeypatch):
    model = BernoulliModel(2, 10, (5,), init_std=0.5, generator=generator)
    x = torch.rand(6, 10, generator=generator).round()
    whole = prior_limit(model, x, 1000)
    monkeypatch.setattr(parts, "_NUMBERS", 70)
    torch.testing.assert_close(prior_limit(model, x, 1000), whole)
