"""Estimators take q(z|x) in each form that people have it in, and refuse densities of other shapes."""

from functools import partial

import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from aevb.ascent import AscentOptions
from aevb.densities import DiagonalGaussian
from aevb.encoder import GaussianEncoder
from aevb.errors import ArgumentError
from aevb.estimators import lower_bound_a, lower_bound_b
from aevb.evaluation import lower_bound
from aevb.learner import Batch, LearnerWithEncoder
from aevb.linear_gaussian import exact_log_marginal, exact_posterior
from aevb.marginal.gaussian import FullGaussian
from aevb.marginal.importance import importance_log_likelihood
from aevb.model import BernoulliModel
from aevb.testing.oracle import linear_gaussian
from aevb.testing.problem import N, data_of, encoder_of, model_of
from baselines.importance_weighted import ImportanceWeighted, importance_weighted_bound, log_weights
from baselines.reweighted_wake_sleep import ReweightedWakeSleep
from baselines.sticking_the_landing import sticking_the_landing_bound
from tests.test_laws import kinds_of

M, LATENT = 4, 2
MODEL = linear_gaussian(LATENT, 6, diagonal_posterior=False).model
G = torch.Generator().manual_seed(0)
X, EPS = (
    torch.randn(M, 6, dtype=torch.float64, generator=G),
    torch.randn(3, M, LATENT, dtype=torch.float64, generator=G),
)
MEAN, LOG_VAR = torch.randn(2, M, LATENT, dtype=torch.float64, generator=G)
FORMS = {  # of a mean and a log-variance
    "moments": lambda mean, log_var: (mean, log_var),
    "normal": lambda mean, log_var: Normal(mean, (0.5 * log_var).exp()),
    "independent normal": lambda mean, log_var: Independent(Normal(mean, (0.5 * log_var).exp()), 1),
    "multivariate normal": lambda mean, log_var: MultivariateNormal(
        mean, scale_tril=torch.diag_embed((0.5 * log_var).exp())
    ),
    "full": lambda mean, log_var: FullGaussian(mean, torch.diag_embed((0.5 * log_var).exp())),
}
LEARNERS = {  # those by hand take the project's own encoder alone
    **{kind.__name__: kind for kind in kinds_of(LearnerWithEncoder) if not kind.__name__.startswith("Fast")},
    "ImportanceWeighted, DReG": partial(ImportanceWeighted, doubly_reparameterized=True),
    "ReweightedWakeSleep, sleep": partial(ReweightedWakeSleep, sleep=True),
}


@pytest.mark.parametrize("bound", [lower_bound_a, lower_bound_b, sticking_the_landing_bound])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_every_form_of_a_gaussian_has_the_same_bound(bound, form):
    expected = bound(MODEL, lambda x: DiagonalGaussian(MEAN, LOG_VAR), X, EPS)
    torch.testing.assert_close(bound(MODEL, lambda x: form(MEAN, LOG_VAR), X, EPS), expected)


def of_form(form):
    """The small problem's encoder, whose Gaussian comes in this form."""

    class Other(GaussianEncoder):
        def forward(self, x):
            q = super().forward(x)
            return form(q.mean, q.log_var)

    encoder = encoder_of()
    encoder.__class__ = Other
    return encoder


@pytest.mark.parametrize("learner", LEARNERS.values(), ids=LEARNERS.keys())
def test_a_learner_takes_the_same_steps_with_every_form_of_a_gaussian(learner):
    x, ends = data_of(BernoulliModel), []
    for form in (DiagonalGaussian, *FORMS.values()):
        one = learner(model_of(BernoulliModel), of_form(form), N, AscentOptions(0.1, 0))
        generator = torch.Generator().manual_seed(7)
        for _ in range(2):
            one.step(Batch(x, torch.arange(N)), generator)
        ends.append(torch.cat([p.detach().flatten() for p in (*one.model.parameters(), *one.encoder.parameters())]))
    for end in ends[1:]:
        torch.testing.assert_close(end, ends[0], rtol=1e-6, atol=1e-8)


def test_the_kl_of_a_full_gaussian_is_torchs():
    factor = torch.randn(M, 3, 3, dtype=torch.float64, generator=G).tril(-1) + torch.diag_embed(torch.rand(M, 3) + 0.5)
    mean = torch.randn(M, 3, dtype=torch.float64, generator=G)
    prior = MultivariateNormal(torch.zeros(3, dtype=torch.float64), torch.eye(3, dtype=torch.float64))
    expected = kl_divergence(MultivariateNormal(mean, scale_tril=factor), prior)
    torch.testing.assert_close(FullGaussian(mean, factor).kl_to_standard_normal(), expected)


class Flow:
    """A density without moments, as a flow's: (z − 1)/2 is standard normal."""

    def at(self, eps):
        return 1 + 2 * eps

    def log_density(self, value):
        return Normal(1.0, 2.0).log_prob(value).sum(-1)


def test_a_density_without_moments_has_the_bounds_that_need_none_and_is_refused_by_name_elsewhere():
    for bound in (lower_bound_a, importance_weighted_bound):
        expected = bound(MODEL, lambda x: Normal(torch.ones_like(MEAN), 2 * torch.ones_like(MEAN)), X, EPS)
        torch.testing.assert_close(bound(MODEL, lambda x: Flow(), X, EPS), expected)
    doubly = partial(log_weights, doubly_reparameterized=True)
    for bound, needed in (
        (lower_bound_b, "kl_to_standard_normal"),
        (sticking_the_landing_bound, "detach"),
        (doubly, "detach"),
    ):
        with pytest.raises(ArgumentError, match=f"must have the method {needed}, got Flow without: .*lower_bound_a"):
            bound(MODEL, lambda x: Flow(), X, EPS)


@pytest.mark.filterwarnings("ignore::aevb.marginal.estimate.UntrustedEstimateWarning")
@pytest.mark.parametrize("factor", ["upper", "covariance"])
def test_a_proposal_draws_what_it_says_that_it_draws(factor, generator):
    exact = exact_posterior(MODEL, X)
    wrong = exact.cholesky.mT if factor == "upper" else exact.cholesky @ exact.cholesky.mT
    estimate = importance_log_likelihood(MODEL, X, FullGaussian(exact.mean, wrong), generator, n_samples=20_000)
    off = (estimate.log_likelihood - exact_log_marginal(MODEL, X)).abs()
    assert (off < 4 * estimate.standard_error)[estimate.trusted].all()
    assert estimate.trusted.any()


class Company(Flow):
    """One density for all datapoints together."""

    def __init__(self, shape):
        self._shape = shape

    def log_density(self, value):
        return self._shape(super().log_density(value))


SHAPES = {"a sum": lambda v: v.sum(), "a mean": lambda v: v.mean(0), "an axis more": lambda v: v[..., None]}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_a_density_of_another_shape_is_refused(shape, generator):
    for call in (importance_log_likelihood, lower_bound):
        with pytest.raises(ArgumentError, match=r"`q.log_density` must give shape .*, got .*: one for each"):
            call(MODEL, X, Company(shape), generator, n_samples=30)


class Narrow(Flow):
    """One latent, which would broadcast to two."""

    def at(self, eps):
        return eps[..., :1]


def test_draws_of_another_shape_are_refused(generator):
    with pytest.raises(ArgumentError, match=r"`q.at` must give shape .*, got .*: one for each"):
        importance_log_likelihood(MODEL, X, Narrow(), generator)
