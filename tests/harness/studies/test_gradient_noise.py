"""The measured noise of gradients against quadrature, which is exact for a linear-Gaussian model, and simulation."""

import numpy as np
import pytest
import torch

from aevb.encoder import GaussianEncoder
from aevb.estimators import standard_normal
from aevb.model import BernoulliModel, GaussianModel
from harness.studies.reparameterization.noise import estimator_of, gradient, measure_noise, simulated_variance
from harness.studies.reparameterization.table import BASELINE, ESTIMATORS, NAIVE, A, B

POINTS, CONSTANT = 30, -1.5
W, OFFSET, NOISE_VAR = 1.3, 0.2, 0.5


@pytest.fixture(scope="module")
def linear():
    """One latent, one pixel, and an encoder without hidden layers: log-densities are quadratic in ε."""
    generator = torch.Generator().manual_seed(0)
    model = GaussianModel(1, 1, (), log_var="constant", squash_mean=False).double()
    with torch.no_grad():
        model.output.weight.fill_(W)
        model.output.bias.fill_(OFFSET)
        model.log_var.bias.fill_(np.log(NOISE_VAR))
    encoder = GaussianEncoder(1, 1, (), zero_log_var=False, init_std=0.5, generator=generator).double()
    x = 1.5 * torch.randn(POINTS, 1, dtype=torch.float64, generator=generator)
    return model, encoder, x, measure_noise(model, encoder, x, 40_000, CONSTANT, generator)


def by_quadrature(encoder, x):
    """Exact contributions of each datapoint: within it for each estimator, the two of pairs, and its mean gradient."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    weights = weights / weights.sum()
    within, shared, pair, means = {name: [] for name in ESTIMATORS}, [], [], []
    for value in x[:, 0].tolist():
        with torch.no_grad():
            q = encoder(torch.tensor([[value]], dtype=torch.float64))
        mu, log_var = q.mean.item(), q.log_var.item()
        sigma = np.exp(log_var / 2)
        z = mu + sigma * nodes
        f = -0.5 * (z**2 + (value - OFFSET - W * z) ** 2 / NOISE_VAR + np.log(2 * np.pi * NOISE_VAR)) + 0.5 * (
            nodes**2 + log_var
        )
        score = np.stack([nodes / sigma, 0.5 * (nodes**2 - 1)])
        slope = W * (value - OFFSET - W * z) / NOISE_VAR  # of log p(x|z)
        moments = {
            NAIVE: f * score,
            BASELINE: (f - CONSTANT) * score,
            A: np.stack([slope - z, 0.5 * sigma * nodes * (slope - z) + 0.5]),
            B: np.stack([slope - mu, 0.5 * sigma * nodes * slope + 0.5 * (1 - sigma**2)]),
        }
        # φ is a weight and a bias for each of the two moments, the log-variance's weight with the factor 0.1.
        jacobian = np.array([[value, 1, 0, 0], [0, 0, 0.1 * value, 1]])
        squared = np.diag(jacobian @ jacobian.T)
        for name, d in moments.items():
            within[name].append(squared @ ((d**2) @ weights - (d @ weights) ** 2))
        means.append(jacobian.T @ (moments[B] @ weights))
        kernel = 0.5 * (f[:, None] - f) * (score[:, :, None] - score[:, None, :])
        mean = kernel @ weights @ weights
        shared.append(squared @ (((kernel @ weights) ** 2) @ weights - mean**2))
        pair.append(squared @ ((kernel**2) @ weights @ weights - mean**2))
    return within, shared, pair, np.array(means)


def test_the_parts_within_datapoints_are_those_of_quadrature(linear):
    _, encoder, x, noise = linear
    within, shared, pair, _ = by_quadrature(encoder, x)
    measured = {**noise.within, "shared": noise.shared, "pair": noise.pair}
    for name, exact in {**within, "shared": shared, "pair": pair}.items():
        off = measured[name].numpy() - np.array(exact)
        assert abs(off.mean()) < 4.5 * off.std(ddof=1) / POINTS**0.5, name
        assert abs(off.mean()) < 0.1 * np.mean(exact), name


def test_the_part_between_datapoints_is_that_of_the_exact_gradients(linear):
    _, encoder, x, noise = linear
    means = by_quadrature(encoder, x)[-1]
    exact = np.var(means, axis=0, ddof=1).sum()
    assert noise.n_coordinates == 4
    assert float(noise.between.mean()) == pytest.approx(exact, rel=0.03)
    signal = (np.sum(means, axis=0) ** 2).sum() - (means**2).sum()
    assert noise.signal == pytest.approx(signal / POINTS / (POINTS - 1), rel=0.02, abs=0.02 * exact / POINTS)


def test_estimator_b_varies_less_than_a_and_a_baseline_helps(linear):
    noise = linear[-1]
    one = {name: float(noise.contributions(name, 1).mean()) for name in ESTIMATORS}
    assert one[B] < one[A] < one[BASELINE] < one[NAIVE]


@pytest.mark.parametrize(("n_samples", "batch_size"), [(1, 1), (1, 8), (5, 3), (2, 4)])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_simulated_minibatches_vary_as_the_parts_say(name, n_samples, batch_size):
    generator = torch.Generator().manual_seed(1)
    model = BernoulliModel(2, 9, (6,), init_std=0.7, generator=generator).double()
    encoder = GaussianEncoder(9, 2, (6,), zero_log_var=False, init_std=0.7, generator=generator).double()
    data = torch.rand(500, 9, dtype=torch.float64, generator=generator)
    noise = measure_noise(model, encoder, data[torch.randint(500, (1000,), generator=generator)], 16, -6.0, generator)
    bound = estimator_of(name, -6.0, n_samples)

    def one():
        x = data[torch.randint(500, (batch_size,), generator=generator)]
        return gradient(bound(model, encoder, x, standard_normal((n_samples, batch_size, 2), x, generator)), encoder)

    found, error = simulated_variance(one, 500)
    trace = noise.contributions(name, n_samples) / (batch_size * noise.n_coordinates)
    error = np.hypot(error, float(trace.std()) / len(trace) ** 0.5)
    assert abs(found - float(trace.mean())) < 4.5 * error
    assert error < 0.2 * found, "the test would see a wrong factor"


def test_the_simulated_variance_and_its_error_are_those_of_known_noise():
    generator = torch.Generator().manual_seed(0)
    std = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    found = [
        simulated_variance(lambda: std * torch.randn(3, dtype=torch.float64, generator=generator), 200)
        for _ in range(50)
    ]
    values, errors = np.array(found).T
    assert abs(values.mean() - 14 / 3) < 4.5 * values.std(ddof=1) / 50**0.5
    assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.3)
