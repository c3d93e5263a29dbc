"""Whoever estimates with dropout or batch norm in train mode is told."""

import warnings

import torch
from torch import Tensor, nn

from aevb.densities import standard_normal_log_density
from aevb.estimators import evaluate_lower_bound
from aevb.eval_mode import TrainModeWarning
from aevb.evaluation import evaluate
from aevb.joint import Joint
from aevb.marginal.ais import ais_log_likelihood, reverse_ais_log_likelihood
from aevb.marginal.annealing import Annealing, sigmoidal_schedule
from aevb.marginal.appendix_d import appendix_d_log_likelihood
from aevb.marginal.chains import start_chains
from aevb.marginal.estimate import UntrustedEstimateWarning
from aevb.marginal.importance import importance_log_likelihood


def plain(x: Tensor, z: Tensor) -> Tensor:
    return standard_normal_log_density(z) + standard_normal_log_density(x - z.sum(-1, keepdim=True))


class Dropping(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout()

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        return plain(x, self.dropout(z))


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(5)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.norm(x)[:, :2]
        return mean, torch.zeros_like(mean)


def test_a_module_in_its_train_mode_is_told_to_leave_it(generator) -> None:
    module, encoder, x = Dropping(), Normed(), torch.rand(3, 5, generator=generator)
    plainly, model, annealing = Joint(plain, 2, 5), Joint(module.log_joint, 2, 5), Annealing(sigmoidal_schedule(3))
    q = (torch.zeros(3, 2), torch.zeros(3, 2))

    def calls(warns: bool) -> None:
        for call, layer in (
            (lambda: evaluate(model, x, generator, n_samples=25, n_moves=25, annealing=annealing), "Dropout"),
            (
                lambda: evaluate(
                    plainly, x, generator, q=encoder.encode, n_samples=25, n_moves=25, annealing=annealing
                ),
                "BatchNorm1d",
            ),
            (lambda: importance_log_likelihood(model, x, q, generator), "Dropout"),
            (lambda: ais_log_likelihood(model, x, generator, annealing), "Dropout"),
            (lambda: reverse_ais_log_likelihood(model, x, q[0], generator, annealing), "Dropout"),
            (lambda: appendix_d_log_likelihood(model, x, start_chains(model, x, generator), generator), "Dropout"),
            (lambda: evaluate_lower_bound(model, encoder.encode, x, generator), "Dropout"),
            (lambda: evaluate_lower_bound(plainly, encoder.encode, x, generator), "BatchNorm1d"),
        ):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("ignore", UntrustedEstimateWarning)
                warnings.simplefilter("always", TrainModeWarning)
                call()
            said = [str(each.message) for each in caught]
            if warns:
                rule = f"a model must be in its eval mode to be evaluated, got {layer} of "
                assert len(said) == 1
                assert said[0].startswith(rule)
                assert said[0].endswith("call .eval() first")
                assert caught[0].filename == __file__
            else:
                assert said == []

    calls(warns=True)
    module.eval(), encoder.eval()
    calls(warns=False)
