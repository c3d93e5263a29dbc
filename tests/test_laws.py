"""Laws of all learners, decoders, estimators and reparameterizations, which are found: new ones are held to them."""

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
import torch
from torch import Tensor

import aevb
import baselines
from aevb.densities import standard_normal_log_density
from aevb.encoder import GaussianEncoder
from aevb.estimators import LOWER_BOUNDS
from aevb.fast.posterior import posterior
from aevb.learner import AscentOptions, Batch, Learner, LearnerState
from aevb.linear_gaussian import exact_posterior
from aevb.marginal.ais import ais_log_likelihood, reverse_ais_log_likelihood, simulate
from aevb.marginal.annealing import Annealing, sigmoidal_schedule
from aevb.marginal.appendix_d import appendix_d_log_likelihood
from aevb.marginal.chains import start_chains
from aevb.marginal.estimate import MarginalEstimate
from aevb.marginal.gaussian import FullGaussian
from aevb.marginal.importance import importance_log_likelihood
from aevb.model import GenerativeModel
from aevb.reparameterization.inverse_cdf import uniform_noise
from aevb.reparameterization.table import REPARAMETERIZATIONS
from tests.oracles import linear_gaussian

N, PIXELS, LATENTS = 30, 6, 2


def modules() -> Iterator[ModuleType]:
    for package in (aevb, baselines):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)


MODULES = [*modules()]


def kinds_of(base: type) -> list[type]:
    """All concrete subclasses in the packages."""
    below = [kind for child in base.__subclasses__() for kind in (child, *kinds_of(child))]
    own = {kind for kind in below if kind.__module__.split(".")[0] in ("aevb", "baselines")}
    return sorted({kind for kind in own if not inspect.isabstract(kind)}, key=lambda kind: kind.__name__)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


DECODERS = pytest.mark.parametrize("decoder", kinds_of(GenerativeModel), ids=lambda kind: kind.__name__)
LEARNERS = pytest.mark.parametrize("algorithm", kinds_of(LearnerState), ids=lambda kind: kind.__name__)


def model_of(decoder: type, latents: int = LATENTS) -> GenerativeModel:
    return decoder(latents, PIXELS, (4,), init_std=0.7, generator=seeded(1)).double()


def learner_of(algorithm: type, decoder: type, options: AscentOptions) -> Learner:
    """A learner with weights of its own, by what its constructor asks for."""
    model = model_of(decoder)
    if "encoder" in inspect.signature(algorithm).parameters:
        encoder = GaussianEncoder(PIXELS, LATENTS, (4,), init_std=0.7, generator=seeded(2)).double()
        return algorithm(model, encoder, N, options)
    return algorithm(model, N, seeded(3), options)


def data(decoder: type) -> Tensor:
    return simulate(model_of(decoder), N, seeded(4))[0]


def train(learner: Learner, x: Tensor, steps: int, generator: torch.Generator) -> None:
    for _ in range(steps):
        learner.step(Batch(x, torch.arange(N)), generator)


def numbers(state: object) -> list[Tensor]:
    if isinstance(state, dict):
        return [number for value in state.values() for number in numbers(value)]
    if isinstance(state, list | tuple):
        return [number for value in state for number in numbers(value)]
    return [torch.as_tensor(state)] if isinstance(state, Tensor | float | int) else []


def test_all_kinds_are_found() -> None:
    assert {"AEVB", "WakeSleep", "MonteCarloEM", "ScoreFunction", "FastAEVB"} <= {
        kind.__name__ for kind in kinds_of(LearnerState)
    }
    assert {"BernoulliModel", "GaussianModel"} <= {kind.__name__ for kind in kinds_of(GenerativeModel)}
    assert {*ESTIMATORS} == {
        name
        for module in MODULES
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and not name.startswith("_")
        and name.endswith("log_likelihood")
        and "MarginalEstimate" in str(inspect.signature(value).return_annotation)
    }


# Learners


@LEARNERS
@DECODERS
def test_the_same_seed_gives_the_same_steps_bit_for_bit(algorithm: type, decoder: type) -> None:
    x, states = data(decoder), []
    for _ in range(2):
        learner = learner_of(algorithm, decoder, AscentOptions(0.05, warm_up=1))
        train(learner, x, 3, seeded(5))
        states.append(numbers(learner.state_dict()))
    assert len(states[0]) > 3
    assert all(torch.equal(one, other) for one, other in zip(*states, strict=True))


@LEARNERS
@DECODERS
def test_a_learner_that_is_saved_and_loaded_goes_on_as_if_nothing_had_happened(algorithm: type, decoder: type) -> None:
    x, options, generator = data(decoder), AscentOptions(0.05, warm_up=1), seeded(6)
    learner, other = (learner_of(algorithm, decoder, options) for _ in range(2))
    train(learner, x, 2, generator)
    noise = generator.get_state()
    other.load_state_dict(learner.state_dict())
    train(learner, x, 2, generator)
    generator.set_state(noise)
    train(other, x, 2, generator)
    states = [numbers(each.state_dict()) for each in (learner, other)]
    assert all(torch.equal(one, two) for one, two in zip(*states, strict=True))


@LEARNERS
@DECODERS
def test_training_raises_the_likelihood_of_what_is_trained_on(algorithm: type, decoder: type) -> None:
    x = data(decoder)
    learner = learner_of(algorithm, decoder, AscentOptions(0.05, warm_up=0, prior_weight=0))
    with torch.no_grad():  # far from the data
        learner.model.output.bias.fill_(2.0 if learner.model.unit_interval else 5.0)
    before = grid_log_likelihood(learner.model, x).mean()
    train(learner, x, 60, seeded(7))
    after = grid_log_likelihood(learner.model, x).mean()
    assert after > before + 0.1


@LEARNERS
@DECODERS
def test_a_step_says_what_it_did(algorithm: type, decoder: type) -> None:
    x = data(decoder)
    learner = learner_of(algorithm, decoder, AscentOptions(0.05, warm_up=0))
    info = learner.step(Batch(x, torch.arange(N)), seeded(8))
    assert info.samples >= N
    if learner.encoder is None:
        assert info.bound is None
    else:
        assert info.bound is not None
        assert info.bound.shape == (N,)
        assert info.bound.isfinite().all()
        assert not info.bound.requires_grad
    assert all(math.isfinite(value) for value in learner.diagnostics().values())


@LEARNERS
@DECODERS
def test_a_learner_refuses_pixels_of_another_size(algorithm: type, decoder: type) -> None:
    learner = learner_of(algorithm, decoder, AscentOptions(0.05, warm_up=0))
    with pytest.raises((ValueError, RuntimeError), match=f"{PIXELS}"):
        learner.step(Batch(torch.zeros(N, PIXELS + 1, dtype=torch.float64), torch.arange(N)), seeded())


# Decoders


def grid_log_likelihood(model: GenerativeModel, x: Tensor, spacing: float = 0.2, end: float = 7.0) -> Tensor:
    """log Σ p(z) p(x|z) Δ^n over a grid of one or two latents."""
    axis = torch.arange(-end, end + spacing / 2, spacing, dtype=torch.float64)
    grid = torch.cartesian_prod(*[axis] * model.n_latent).reshape(-1, 1, model.n_latent).expand(-1, len(x), -1)
    with torch.no_grad():
        return model.log_joint(x, grid).logsumexp(0) + model.n_latent * math.log(spacing)


@DECODERS
def test_the_joint_is_prior_times_likelihood(decoder: type) -> None:
    model = model_of(decoder)
    x, z = simulate(model, N, seeded(9))
    torch.testing.assert_close(model.log_joint(x, z), standard_normal_log_density(z) + model.log_likelihood(x, z))


@DECODERS
def test_drawn_pixels_have_the_mean_that_is_shown(decoder: type) -> None:
    model = model_of(decoder)
    z = torch.randn(5, 1, LATENTS, dtype=torch.float64, generator=seeded(10)).expand(-1, 20_000, -1)
    with torch.no_grad():
        pixels, mean = model.sample_pixels(z, seeded(11)), model.pixel_mean(z[:, 0])
    error = pixels.std(1) / math.sqrt(20_000)
    assert ((pixels.mean(1) - mean).abs() < 4.5 * error + 1e-12).all()


@DECODERS
def test_densities_are_normalised(decoder: type) -> None:
    # E[p₂(x|z)/p₁(x|z)] over draws from p₁ is 1: whatever the pixels are, nothing of the constants is missing.
    model = model_of(decoder)
    z = torch.randn(4, 1, LATENTS, dtype=torch.float64, generator=seeded(12)).expand(-1, 100_000, -1)
    other = z + 0.1
    with torch.no_grad():
        x = model.sample_pixels(z, seeded(13))
        ratio = (model.log_likelihood(x, other) - model.log_likelihood(x, z)).exp()
    error = ratio.std(1) / math.sqrt(100_000)
    assert ((ratio.mean(1) - 1).abs() < 4.5 * error).all()


@DECODERS
def test_the_density_that_chains_sample_is_the_joint_and_its_gradient(decoder: type) -> None:
    model = model_of(decoder)
    x, z = simulate(model, N, seeded(14))
    state = posterior(model, x).evaluate(z)
    leaf = z.clone().requires_grad_()
    value = model.log_joint(x, leaf)
    torch.testing.assert_close(state.log_density, value.detach())
    torch.testing.assert_close(state.gradient, torch.autograd.grad(value.sum(), leaf)[0])


# Lower bounds


@pytest.mark.parametrize("name", LOWER_BOUNDS)
@DECODERS
def test_every_bound_is_below_the_likelihood_and_agrees_with_the_others_in_mean(decoder: type, name: str) -> None:
    model, x = model_of(decoder), data(decoder)
    encoder = GaussianEncoder(PIXELS, LATENTS, (4,), init_std=0.7, generator=seeded(2)).double()
    eps = torch.randn(4000, N, LATENTS, dtype=torch.float64, generator=seeded(15))
    with torch.no_grad():
        bounds = {
            each: torch.stack([bound(model, encoder, x, part) for part in eps.split(40)])
            for each, bound in LOWER_BOUNDS.items()
        }
    mine, error = bounds[name].mean(0), bounds[name].std(0) / 10
    assert (mine < grid_log_likelihood(model, x) + 4 * error).all()
    for other in bounds.values():
        apart = (other - bounds[name]).mean(0)
        spread = (other - bounds[name]).std(0) / 10
        assert (apart.abs() <= 4.5 * spread).all()


# Estimators of log p(x)

ORACLE = linear_gaussian(n_latent=2, n_pixels=PIXELS, diagonal_posterior=False)
SCHEDULE = Annealing(sigmoidal_schedule(200), n_chains=8, n_tuning_chains=4)
ESTIMATORS: dict[str, Callable[[Tensor, Tensor, torch.Generator], MarginalEstimate]] = {
    "importance_log_likelihood": lambda x, z, g: importance_log_likelihood(ORACLE.model, x, proposal(x), g),
    "appendix_d_log_likelihood": lambda x, z, g: appendix_d_log_likelihood(
        ORACLE.model, x, start_chains(ORACLE.model, x.nan_to_num(), g), g, n_samples=200, n_burn_in=50
    )[0],
    "ais_log_likelihood": lambda x, z, g: ais_log_likelihood(ORACLE.model, x, g, SCHEDULE),
    "reverse_ais_log_likelihood": lambda x, z, g: reverse_ais_log_likelihood(ORACLE.model, x, z, g, SCHEDULE),
}
EVERY_ESTIMATOR = pytest.mark.parametrize("name", ESTIMATORS)


def proposal(x: Tensor) -> FullGaussian:
    exact = exact_posterior(ORACLE.model, x.nan_to_num())
    return FullGaussian(exact.mean.detach(), 1.2 * exact.cholesky.detach())


@EVERY_ESTIMATOR
@pytest.mark.filterwarnings("ignore::aevb.marginal.estimate.UntrustedEstimateWarning")
def test_trusted_estimates_are_right_within_their_errors_and_untrusted_ones_are_few(name: str) -> None:
    x, z = simulate(ORACLE.model, 60, seeded(16))
    estimate = ESTIMATORS[name](x, z, seeded(17))
    off = (estimate.log_likelihood - ORACLE.log_marginal(x)).abs()
    assert estimate.trusted.double().mean() > 0.8
    assert (off[estimate.trusted] < 1).all()
    assert (off < 2 * estimate.standard_error)[estimate.trusted].double().mean() > 0.8
    assert not estimate.log_likelihood.requires_grad


@EVERY_ESTIMATOR
@pytest.mark.filterwarnings("ignore::aevb.marginal.estimate.UntrustedEstimateWarning")
def test_an_estimate_has_every_field_for_every_datapoint_and_the_same_noise_gives_the_same(name: str) -> None:
    x, z = simulate(ORACLE.model, 7, seeded(18))
    one, other = (ESTIMATORS[name](x, z, seeded(19)) for _ in range(2))
    for field in ("log_likelihood", "standard_error", "ess", "acceptance", "n_non_finite", "trusted"):
        assert getattr(one, field).shape == (7,)
        torch.testing.assert_close(getattr(one, field), getattr(other, field), rtol=0, atol=0, equal_nan=True)
    assert (one.standard_error >= 0).all()
    assert (one.ess >= 0).all()


@EVERY_ESTIMATOR
def test_an_estimator_refuses_what_is_no_number(name: str) -> None:
    x, z = simulate(ORACLE.model, 3, seeded(20))
    x[1, 2] = math.nan
    with pytest.raises(ValueError, match="finite"):
        ESTIMATORS[name](x, z, seeded())


# Reparameterizations

PARAMETERS = {  # where 0.7 for each will not do
    "elliptical": lambda: (torch.zeros(2).double(), torch.tensor([[1.0, 0.0], [0.5, 2.0]]).double()),
    "dirichlet": lambda: (torch.tensor([0.3, 2.0]).double(),),
    "reciprocal": lambda: (torch.tensor(0.5).double(), torch.tensor(3.0).double()),
}
ROWS = pytest.mark.parametrize("row", REPARAMETERIZATIONS, ids=lambda row: f"{row.family} {row.distribution}")
LAST_AXIS = ("elliptical", "dirichlet", "gamma", "beta", "f")


def parameters_of(row: object) -> tuple[Tensor, ...]:
    names = [*inspect.signature(row.draw).parameters][:-1]
    return PARAMETERS.get(row.draw.__name__, lambda: tuple(torch.tensor(0.7).double() for _ in names))()


def noise_of(row: object, n: int, seed: int = 21) -> Tensor:
    shape = (n, 2) if row.draw.__name__ in LAST_AXIS else (n,)
    noise = uniform_noise(shape, torch.zeros((), dtype=torch.float64), seeded(seed))
    return noise if row.noise.startswith("uniform") else torch.special.ndtri(noise)


@ROWS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_draw_keeps_its_type_and_is_finite_with_its_gradients_at_the_ends_of_the_noise(row, dtype) -> None:
    noise = noise_of(row, 40).to(dtype)
    if row.noise.startswith("uniform"):
        step = torch.finfo(dtype).eps / 2
        noise[0], noise[1] = step, 1 - step
    leaves = [value.to(dtype).requires_grad_() for value in (*parameters_of(row), noise)]
    drawn = row.draw(*leaves)
    assert drawn.dtype == dtype
    gradients = torch.autograd.grad(drawn.sum(), leaves)
    for each, leaf in zip(gradients, leaves, strict=True):
        assert each.shape == leaf.shape
        assert each.dtype == dtype
        assert each.isfinite().all()
    assert drawn.isfinite().all()


@ROWS
def test_float32_is_float64_rounded(row) -> None:
    noise, parameters = noise_of(row, 500).float(), [value.float() for value in parameters_of(row)]
    wide = row.draw(*(value.double() for value in parameters), noise.double())
    torch.testing.assert_close(row.draw(*parameters, noise).double(), wide, rtol=2.0**-23, atol=1e-37)


@pytest.mark.parametrize(
    "row", [row for row in REPARAMETERIZATIONS if row.family == "inverse CDF"], ids=lambda row: row.distribution
)
def test_an_inverse_cdf_rises_with_its_noise_on_the_whole_grid(row) -> None:
    grid = torch.linspace(0, 1, 4001, dtype=torch.float64)[1:-1]
    ends = 2.0 ** -torch.arange(12, 54, dtype=torch.float64)
    eps = torch.cat([ends.flip(0), grid[1:-1], 1 - ends])
    drawn = row.draw(*parameters_of(row), eps)
    assert (drawn.diff() >= 0).all()  # near a bound of the support, two may round to one number
    assert (row.draw(*parameters_of(row), grid).diff() > 0).all()


@ROWS
def test_parameters_broadcast_against_the_noise(row) -> None:
    noise = noise_of(row, 6)
    parameters = parameters_of(row)
    many = [value.expand(6, *value.shape).clone() for value in parameters]
    torch.testing.assert_close(row.draw(*many, noise), row.draw(*parameters, noise), rtol=1e-14, atol=0)
