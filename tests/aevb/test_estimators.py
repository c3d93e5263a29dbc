import pytest
import torch

from aevb.encoder import GaussianEncoder
from aevb.estimators import evaluate_lower_bound, lower_bound_a, lower_bound_b, standard_normal
from aevb.model import BernoulliModel, GaussianModel
from tests.oracles import linear_gaussian

BOTH = pytest.mark.parametrize("estimator", [lower_bound_a, lower_bound_b])


def mean_and_error(estimator, model, encoder, x, n, generator):
    """Mean of the estimator over n single-sample draws for each datapoint, and its standard error."""
    eps = standard_normal((n, len(x), model.n_latent), x, generator)
    with torch.no_grad():
        draws = torch.stack([estimator(model, encoder, x, e[None]) for e in eps])
    return draws.mean(0), draws.std(0) / n**0.5


def test_estimator_a_equals_log_p_without_noise_at_the_exact_posterior(generator):
    oracle = linear_gaussian()
    x = oracle.simulate(20)
    bound = lower_bound_a(oracle.model, oracle.exact_encoder(), x, standard_normal((1, 20, 3), x, generator))
    torch.testing.assert_close(bound.detach(), oracle.log_marginal(x), rtol=0, atol=1e-10)


def test_estimator_b_is_tight_in_mean_at_the_exact_posterior(generator):
    oracle = linear_gaussian()
    x = oracle.simulate(20)
    mean, error = mean_and_error(lower_bound_b, oracle.model, oracle.exact_encoder(), x, 2000, generator)
    assert torch.all((mean - oracle.log_marginal(x)).abs() < 4.5 * error)


@BOTH
def test_the_bound_falls_short_of_log_p_by_the_kl_to_the_posterior(estimator, generator):
    oracle = linear_gaussian()
    x = oracle.simulate(10)
    encoder = oracle.exact_encoder()
    shift, widen = 0.3, 0.4
    exact_log_var = encoder.log_var.detach().clone()
    with torch.no_grad():
        encoder.log_var += widen
    off = lambda x: type(q := encoder(x))(q.mean + shift, q.log_var)  # noqa: E731
    kl = 0.5 * (torch.exp(torch.tensor(widen)) - 1 - widen) * 3 + 0.5 * (shift**2 / exact_log_var.exp()).sum()
    mean, error = mean_and_error(estimator, oracle.model, off, x, 4000, generator)
    assert torch.all((mean - (oracle.log_marginal(x) - kl)).abs() < 4.5 * error)


@pytest.mark.parametrize("cls", [BernoulliModel, GaussianModel])
def test_estimators_a_and_b_agree_in_mean(cls, generator):
    model = cls(2, 9, (6,), init_std=0.7, generator=generator).double()
    encoder = GaussianEncoder(9, 2, (6,), zero_log_var=False, init_std=0.7, generator=generator).double()
    x = torch.rand(5, 9, dtype=torch.float64, generator=generator)
    a, error_a = mean_and_error(lower_bound_a, model, encoder, x, 4000, generator)
    b, error_b = mean_and_error(lower_bound_b, model, encoder, x, 4000, generator)
    assert torch.all((a - b).abs() < 4.5 * torch.hypot(error_a, error_b))


@BOTH
def test_several_noise_samples_are_averaged(estimator, generator):
    oracle = linear_gaussian()
    x = oracle.simulate(4)
    encoder = GaussianEncoder(8, 3, (5,), generator=generator).double()
    eps = standard_normal((7, 4, 3), x, generator)
    singles = torch.stack([estimator(oracle.model, encoder, x, e[None]) for e in eps])
    torch.testing.assert_close(estimator(oracle.model, encoder, x, eps), singles.mean(0))


@BOTH
@pytest.mark.parametrize("cls", [BernoulliModel, GaussianModel])
def test_gradients_agree_with_finite_differences(estimator, cls, generator):
    model = cls(2, 5, (4,), init_std=0.5, generator=generator).double()
    encoder = GaussianEncoder(5, 2, (4,), zero_log_var=False, init_std=0.5, generator=generator).double()
    x = torch.rand(3, 5, dtype=torch.float64, generator=generator)
    eps = standard_normal((2, 3, 2), x, generator)
    names = [*dict(model.named_parameters()), *dict(encoder.named_parameters())]
    split = len(list(model.parameters()))
    parameters = [p.detach().requires_grad_() for module in (model, encoder) for p in module.parameters()]

    def bound(*values):
        def q(x):
            return torch.func.functional_call(encoder, dict(zip(names[split:], values[split:], strict=True)), (x,))

        copy = cls(2, 5, (4,)).double()
        for name, value in zip(names[:split], values[:split], strict=True):
            module, leaf = copy.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2]
            delattr(module, leaf)
            setattr(module, leaf, value)
        return estimator(copy, q, x, eps)

    assert torch.autograd.gradcheck(bound, parameters)


@BOTH
def test_noise_of_another_shape_is_refused(estimator, generator):
    oracle = linear_gaussian()
    x = oracle.simulate(4)
    with pytest.raises(ValueError, match=r"must have shape \(L, 4, 3\), got \(4, 3\): add a leading sample axis"):
        estimator(oracle.model, oracle.exact_encoder(), x, torch.zeros(4, 3))
    with pytest.raises(ValueError, match=r"got \(1, 5, 3\)"):
        estimator(oracle.model, oracle.exact_encoder(), x, torch.zeros(1, 5, 3))


def test_evaluation_in_chunks_estimates_the_same_bound(generator):
    oracle = linear_gaussian()
    x = oracle.simulate(50)
    bound = evaluate_lower_bound(
        oracle.model, oracle.exact_encoder(), x, generator, estimator=lower_bound_a, n_samples=2, chunk=7
    )
    torch.testing.assert_close(bound, oracle.log_marginal(x), rtol=0, atol=1e-10)
