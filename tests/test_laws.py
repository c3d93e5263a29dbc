"""`aevb.testing` over all learners, decoders, bounds and estimators, which are found: new ones are held to them."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
import torch
from torch import Tensor

import aevb
import baselines
from aevb.estimators import LOWER_BOUNDS, LowerBound
from aevb.joint import Joint
from aevb.learner import LearnerState
from aevb.linear_gaussian import exact_posterior
from aevb.marginal.ais import ais_log_likelihood, reverse_ais_log_likelihood
from aevb.marginal.annealing import Annealing, sigmoidal_schedule
from aevb.marginal.appendix_d import appendix_d_log_likelihood
from aevb.marginal.chains import start_chains
from aevb.marginal.gaussian import FullGaussian
from aevb.marginal.importance import importance_log_likelihood
from aevb.model import GaussianModel, GenerativeModel
from aevb.reparameterization.inverse_cdf import uniform_noise
from aevb.reparameterization.table import REPARAMETERIZATIONS
from aevb.testing import BOUND_LAWS, DECODER_LAWS, ESTIMATOR_LAWS
from aevb.testing.estimator import Estimator
from aevb.testing.law import seeded
from aevb.testing.learner import LAWS_BY_DECODER, OWN_MODEL, MakeLearner
from aevb.testing.problem import LATENTS, N, data_of, encoder_of, grid_log_likelihood, model_of
from baselines.importance_weighted import importance_weighted_bound
from baselines.score_function import score_function_bound
from baselines.sticking_the_landing import sticking_the_landing_bound


def modules() -> Iterator[ModuleType]:
    for package in (aevb, baselines):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)


MODULES = [*modules()]


def kinds_of(base: type) -> list[type]:
    """All concrete subclasses in the packages."""
    below = [kind for child in base.__subclasses__() for kind in (child, *kinds_of(child))]
    own = {kind for kind in below if kind.__module__.split(".")[0] in ("aevb", "baselines")} - {Joint}  # no decoder
    return sorted({kind for kind in own if not inspect.isabstract(kind)}, key=lambda kind: kind.__name__)


DECODERS = pytest.mark.parametrize("decoder", kinds_of(GenerativeModel), ids=lambda kind: kind.__name__)
LEARNERS = pytest.mark.parametrize("algorithm", kinds_of(LearnerState), ids=lambda kind: kind.__name__)


def name_of(law: Callable) -> str:
    return law.__name__


def learner_of(algorithm: type) -> MakeLearner:
    """What makes a learner of this class, by what its constructor asks for."""
    if "encoder" in inspect.signature(algorithm).parameters:
        return algorithm
    return lambda model, encoder, n, options: algorithm(model, n, seeded(3), options)


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


@pytest.mark.parametrize("law", LAWS_BY_DECODER, ids=name_of)
@LEARNERS
@DECODERS
def test_learners(law: Callable, algorithm: type, decoder: type) -> None:
    law(learner_of(algorithm), decoder)


@pytest.mark.parametrize("law", OWN_MODEL, ids=name_of)
@LEARNERS
def test_learners_on_a_model_of_the_laws_own(law: Callable, algorithm: type) -> None:
    law(learner_of(algorithm))


# Decoders


@pytest.mark.parametrize("law", DECODER_LAWS, ids=name_of)
@DECODERS
def test_decoders(law: Callable, decoder: type) -> None:
    law(decoder)


# Lower bounds

BOUNDS: dict[str, LowerBound] = {
    **{f"lower_bound_{name}": bound for name, bound in LOWER_BOUNDS.items()},
    "sticking_the_landing_bound": sticking_the_landing_bound,
    "score_function_bound": score_function_bound,
    "importance_weighted_bound": importance_weighted_bound,
}


@pytest.mark.parametrize("law", BOUND_LAWS, ids=name_of)
@pytest.mark.parametrize("n_samples", [1, 3])
@pytest.mark.parametrize("name", BOUNDS)
def test_bounds(law: Callable, n_samples: int, name: str) -> None:
    law(BOUNDS[name], n_samples)


@pytest.mark.parametrize("name", LOWER_BOUNDS)
@DECODERS
def test_every_bound_is_below_the_likelihood_and_agrees_with_the_others_in_mean(decoder: type, name: str) -> None:
    model, encoder, x = model_of(decoder), encoder_of(), data_of(decoder)
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

SCHEDULE = Annealing(sigmoidal_schedule(200), n_chains=8, n_tuning_chains=4)


def near_the_posterior(model: GaussianModel, x: Tensor) -> FullGaussian:
    exact = exact_posterior(model, x.nan_to_num())
    return FullGaussian(exact.mean.detach(), 1.2 * exact.cholesky.detach())


ESTIMATORS: dict[str, Estimator] = {
    "importance_log_likelihood": lambda model, x, z, g: importance_log_likelihood(
        model, x, near_the_posterior(model, x), g
    ),
    "appendix_d_log_likelihood": lambda model, x, z, g: appendix_d_log_likelihood(
        model, x, start_chains(model, x.nan_to_num(), g), g, n_samples=200, n_burn_in=50
    )[0],
    "ais_log_likelihood": lambda model, x, z, g: ais_log_likelihood(model, x, g, SCHEDULE),
    "reverse_ais_log_likelihood": lambda model, x, z, g: reverse_ais_log_likelihood(model, x, z, g, SCHEDULE),
}


@pytest.mark.parametrize("law", ESTIMATOR_LAWS, ids=name_of)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators(law: Callable, name: str) -> None:
    law(ESTIMATORS[name])


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
