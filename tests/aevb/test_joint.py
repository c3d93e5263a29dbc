"""A function log p(x, z) is evaluated in the type of its datapoints, or of its weights where it has some."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from aevb.aevb import AEVB
from aevb.densities import standard_normal_log_density
from aevb.errors import ArgumentError
from aevb.evaluation import evaluate
from aevb.joint import Joint
from aevb.marginal.ais import reverse_ais_log_likelihood
from aevb.marginal.chains import start_chains
from aevb.model import BernoulliModel
from tests.oracles import linear_gaussian

ORACLE = linear_gaussian(2, 5, diagonal_posterior=False)


def log_normal(value: Tensor, mean: Tensor | float, var: Tensor | float) -> Tensor:
    return -0.5 * ((value - mean).square() / var + torch.log(2 * math.pi * torch.as_tensor(var))).sum(-1)


def plain(x: Tensor, z: Tensor) -> Tensor:
    weight, offset, var = (torch.as_tensor(each).to(x) for each in (ORACLE.weight, ORACLE.offset, ORACLE.noise_var))
    return log_normal(z, 0.0, z.new_ones(())) + log_normal(x, z @ weight.T + offset, var)


class Buffers(nn.Module):
    """No parameter but one of whole numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.as_tensor(ORACLE.weight))
        self.version = nn.Parameter(torch.tensor(3), requires_grad=False)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return plain(x, z)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("log_joint", [plain, Buffers()])
def test_a_function_without_weights_is_evaluated_in_the_type_of_x(log_joint, dtype, generator) -> None:
    x = ORACLE.simulate(3)
    found = evaluate(Joint(log_joint, 2, 5), x.to(dtype), generator, n_samples=400, n_moves=50)
    estimate = found.estimates["importance sampling, chains"]
    assert estimate.trusted.all()
    off = (estimate.log_likelihood - ORACLE.log_marginal(x)).abs()
    assert (off < 4.5 * estimate.standard_error + 1e-5).all()


def test_where_there_are_weights_they_tell_the_type(generator) -> None:
    class Weights(nn.Linear):
        def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
            return plain(x, z)

    model = Joint(Weights(2, 5).double().log_joint, 2, 5)
    with pytest.raises(ArgumentError, match=r"`x` must be torch\.float64, got torch\.float32"):
        evaluate(model, ORACLE.simulate(3).float(), generator)


@pytest.mark.parametrize("x", [torch.ones(3, 5, dtype=torch.int64), torch.ones(3, 5) > 0, torch.ones(3, 4), None])
def test_what_is_no_row_of_numbers_is_refused(x, generator) -> None:
    with pytest.raises(ArgumentError, match="`x` must"):
        evaluate(Joint(plain, 2, 5), x, generator)


class Viewing(BernoulliModel):
    """Takes z apart as only memory without gaps can be."""

    def log_likelihood(self, x, z):
        return super().log_likelihood(x, z.view(-1, self.n_latent).view(z.shape))


def test_every_estimator_gives_a_model_z_in_memory_without_gaps(generator):
    model = Viewing(2, 5, (3,), generator=generator)
    x = torch.rand(4, 5, generator=generator)
    for estimate in evaluate(model, x, generator, n_samples=25, n_moves=25).estimates.values():
        assert estimate.log_likelihood.shape == (4,)
    z = torch.randn(4, 2, generator=generator)
    assert reverse_ais_log_likelihood(model, x, z, generator).log_likelihood.isfinite().all()


def test_no_chain_starts_where_the_density_is_not_a_number(generator):
    def log_joint(x, z):
        return torch.where(z[..., 0] > 0, torch.nan, standard_normal_log_density(z))

    chains = start_chains(Joint(log_joint, 2, 3), torch.zeros(20, 3), generator, n_candidates=50)
    assert (chains.z[:, 0] <= 0).all()


def test_x_and_z_of_another_size_are_refused(generator) -> None:
    joint = Joint(lambda x, z: x.new_zeros(z.shape[:-1]), n_latent=2, n_pixels=5)
    x, z = torch.rand(3, 5, generator=generator), torch.randn(3, 2, generator=generator)
    joint.log_joint(x, z)
    for wrong_x, wrong_z in ((x[:, :4], z), (x, torch.cat([z, z], 1)), (x.tolist(), z), (x, None)):
        with pytest.raises(ArgumentError, match=r"`[xz]` must .*, got .*: "):
            joint.log_joint(wrong_x, wrong_z)


class Usual(nn.Module):
    """As most write it: its decoder takes a batch, makes images of 4×4 of it and knows no leading axes."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(2, 4), nn.ConvTranspose2d(1, 1, 2, stride=2)

    def decode(self, z: Tensor) -> Tensor:
        return self.outer(self.inner(z).view(-1, 1, 2, 2)).view(-1, 16)

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        loss = functional.binary_cross_entropy_with_logits(self.decode(z), x, reduction="none")
        return standard_normal_log_density(z) - loss.sum(-1)


class Mended(Usual):
    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        out = self.decode(z.flatten(0, -2)).view(*z.shape[:-1], -1)
        loss = functional.binary_cross_entropy_with_logits(out, x.expand_as(out), reduction="none")
        return standard_normal_log_density(z) - loss.sum(-1)


def test_a_decoder_that_knows_no_leading_axes_is_told_how_it_is_called(generator) -> None:
    x = torch.rand(3, 16, generator=generator)
    with pytest.raises(ArgumentError, match=r"z \(\*draws, batch, latent\); .* raised ValueError: .*: ") as told:
        evaluate(Joint(Usual().log_joint, 2, 16), x, generator)
    remedy = "out = decode(z.flatten(0, -2)).view(*z.shape[:-1], -1), and take x.expand_as(out)"
    assert str(told.value).endswith(remedy)
    usual = Usual()
    mended = Mended()
    mended.load_state_dict(usual.state_dict())
    z = torch.randn(7, 3, 2, generator=generator)
    each = torch.stack([usual.log_joint(x, one) for one in z])
    assert torch.allclose(Joint(mended.log_joint, 2, 16).log_joint(x, z), each)


def test_what_fails_without_leading_axes_too_is_the_functions_own_error() -> None:
    def log_joint(x: Tensor, z: Tensor) -> Tensor:
        raise ValueError("its own")

    with pytest.raises(ValueError, match=r"^its own$"):
        Joint(log_joint, 2, 5).log_joint(torch.zeros(3, 5), torch.zeros(3, 2))


def test_a_model_that_is_none_is_told_of_joint_where_that_helps(generator) -> None:
    class Vae(nn.Module):
        pass

    with pytest.raises(ArgumentError, match=r"got Vae: wrap its log p\(x, z\) in aevb.joint.Joint, or make a Bern"):
        evaluate(Vae(), torch.zeros(3, 5), generator)
    with pytest.raises(ArgumentError, match="got Vae: make a BernoulliModel"):
        AEVB(Vae(), nn.Linear(5, 4), 10)
