"""HMC keeps its target: reversible, second order, exact moments, detailed balance, and honest about what fails."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from aevb import diagnostics, hmc, tuning
from tests.oracles import linear_gaussian

COVARIANCE = torch.tensor([[2.0, 0.6, 0.0], [0.6, 0.5, -0.2], [0.0, -0.2, 1.0]], dtype=torch.float64)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scalar(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def gaussian(z: Tensor) -> Tensor:
    return -0.5 * ((z @ torch.linalg.inv(COVARIANCE)) * z).sum(-1)


def quartic(z: Tensor) -> Tensor:
    return -0.25 * (z**4).sum(-1) - 0.5 * (z[..., 0] * z[..., 1]).square()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=seeded(seed))


def run(n_moves: int, n_chains: int = 2000, *, step_size: float, jitter: float = 0.0) -> hmc.Samples:
    start = noise(n_chains, 3) @ torch.linalg.cholesky(COVARIANCE).T
    return hmc.sample(gaussian, hmc.evaluate(gaussian, start), scalar(step_size), n_moves, 4, seeded(1), jitter=jitter)


@pytest.mark.parametrize("density", [gaussian, quartic])
def test_leapfrog_with_the_momentum_negated_comes_back(density: hmc.LogDensity) -> None:
    start = hmc.evaluate(density, noise(50, 3))
    momentum = noise(50, 3, seed=1)
    step_size = torch.linspace(0.01, 0.2, 50, dtype=torch.float64)
    end, end_momentum = hmc.leapfrog(density, start, momentum, step_size, 20)
    assert (end.z - start.z).norm(dim=-1).max() > 1
    back, back_momentum = hmc.leapfrog(density, end, -end_momentum, step_size, 20)
    torch.testing.assert_close(back.z, start.z, rtol=0, atol=1e-10)
    torch.testing.assert_close(-back_momentum, momentum, rtol=0, atol=1e-10)


@pytest.mark.parametrize("density", [gaussian, quartic])
def test_energy_error_over_a_fixed_time_is_of_second_order(density: hmc.LogDensity) -> None:
    start, momentum = hmc.evaluate(density, noise(200, 3)), noise(200, 3, seed=1)
    n_steps = [8, 16, 32, 64]
    errors = []
    for n in n_steps:
        end, end_momentum = hmc.leapfrog(density, start, momentum, scalar(1.0 / n), n)
        change = end.log_density - start.log_density - 0.5 * (end_momentum.square() - momentum.square()).sum(-1)
        errors.append(change.abs().mean().item())
    slope = np.polyfit(-np.log(n_steps), np.log(errors), 1)[0]
    assert slope == pytest.approx(2, abs=0.2)


def test_one_move_costs_as_many_gradients_as_leapfrog_steps() -> None:
    calls = 0

    def counted(z: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return gaussian(z)

    state = hmc.evaluate(counted, noise(5, 3))
    hmc.sample(counted, state, scalar(0.1), 10, 4, seeded())
    assert calls == 1 + 10 * 4


def test_carried_log_density_and_gradient_are_those_of_the_position() -> None:
    samples = run(10, step_size=0.6)
    assert 0.05 < samples.n_accepted.double().mean() / 10 < 0.95  # so that both outcomes occur
    fresh = hmc.evaluate(gaussian, samples.state.z)
    torch.testing.assert_close(samples.state.log_density, fresh.log_density)
    torch.testing.assert_close(samples.state.gradient, fresh.gradient)


@pytest.mark.parametrize(("step_size", "jitter"), [(0.3, 0.0), (0.6, 0.0), (0.5, 0.2)])
def test_moments_of_a_correlated_gaussian_are_exact(step_size: float, jitter: float) -> None:
    # The chains are independent and start at exact draws, so that those after any move are an exact sample.
    z = run(8, n_chains=40_000, step_size=step_size, jitter=jitter).z[-1]
    n = len(z)
    standard_error = (COVARIANCE.diagonal() / n).sqrt()
    assert (z.mean(0).abs() < 4 * standard_error).all()
    variance = COVARIANCE.diagonal()
    second = (z.T @ z / n - COVARIANCE).abs()
    assert (second < 4 * ((variance[:, None] * variance + COVARIANCE.square()) / n).sqrt()).all()


def test_chains_that_start_far_away_forget_it() -> None:
    start = hmc.evaluate(gaussian, torch.full((4000, 3), 6.0, dtype=torch.float64))
    z = hmc.sample(gaussian, start, scalar(0.2), 60, 6, seeded()).z[-1]
    assert (z.mean(0).abs() < 4 * (COVARIANCE.diagonal() / 4000).sqrt()).all()
    spread = z.var(0) / COVARIANCE.diagonal()
    assert ((spread - 1).abs() < 4 * math.sqrt(2 / 4000)).all()


def _rank_p_values(metropolis: bool) -> np.ndarray:
    """p-value of uniform ranks, for each coordinate, of a true z among the states of chains run from it both ways.

    If the moves keep detailed balance, a chain run from an exact draw both ways is stationary wherever in it that draw
    stands (Besag & Clifford 1989), so that its rank at a random place is uniform, whatever the autocorrelation.
    """
    oracle, n, length = linear_gaussian(diagonal_posterior=False), 3000, 9
    truth = noise(n, 3)
    x = oracle.model.pixels(truth).at(noise(n, 8, seed=1)).detach()
    target = partial(oracle.model.log_joint, x)
    start, generator = hmc.evaluate(target, truth), seeded(2)

    def advance(state: hmc.State) -> hmc.State:
        outcome = hmc.move(target, state, scalar(0.5), 4, generator)
        if metropolis:
            return outcome.state
        momentum = torch.randn(n, 3, dtype=torch.float64, generator=generator)
        return hmc.leapfrog(target, state, momentum, scalar(0.5), 4)[0]

    ways: list[list[Tensor]] = [[], []]
    for way in ways:
        state = start
        for _ in range(length):
            state = advance(state)
            way.append(state.z)
    place = torch.from_numpy(np.random.default_rng(0).integers(0, length + 1, n))
    rank, ties = torch.zeros(n, 3, dtype=torch.int64), torch.zeros(n, 3, dtype=torch.int64)
    for way, end in zip(ways, (place, length - place), strict=True):
        for step in range(length):
            rank += ((way[step] < truth) & (step < end)[:, None]).long()
            ties += ((way[step] == truth) & (step < end)[:, None]).long()  # rejected moves, in random order
    rank += (torch.rand(n, 3, generator=seeded(3)) * (ties + 1)).long()
    counts = [np.bincount(rank[:, i].numpy(), minlength=length + 1) for i in range(3)]
    return np.array([stats.chisquare(c).pvalue for c in counts])


def test_ranks_of_the_truth_are_uniform_by_detailed_balance() -> None:
    assert _rank_p_values(metropolis=True).min() > 0.01


def test_ranks_find_a_sampler_without_its_metropolis_test() -> None:
    assert _rank_p_values(metropolis=False).min() < 1e-6


def test_global_rule_reaches_acceptance_of_nine_tenths() -> None:
    state, step_size, generator = hmc.evaluate(gaussian, noise(1000, 3)), scalar(0.01), seeded()
    accepted = []
    for _ in range(120):
        outcome = hmc.move(gaussian, state, step_size, 4, generator)
        step_size, state = tuning.tune_global(step_size, outcome.accept_probability), outcome.state
        accepted.append(outcome.accepted.double().mean().item())
    assert np.mean(accepted[40:]) == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize(("n_chains", "factor"), [(1, 1.02), (5, 1.02**5), (12, 1.25), (1000, 1.25)])
def test_global_rule_moves_by_the_factor_of_the_paper(n_chains: int, factor: float) -> None:
    ones = torch.ones(n_chains, dtype=torch.float64)
    assert tuning.tune_global(scalar(1.0), ones).item() == pytest.approx(factor)
    assert tuning.tune_global(scalar(1.0), 0.8 * ones).item() == pytest.approx(1 / factor)


def test_every_chain_is_tuned_to_its_own_scale() -> None:
    # 300 chains of each of three targets, whose standard deviations are 0.01, 1 and 100.
    scale = torch.tensor([0.01, 1.0, 100.0], dtype=torch.float64).repeat_interleave(300)
    target = lambda z: -0.5 * (z / scale[:, None]).square().sum(-1)  # noqa: E731
    chains = tuning.Chains(noise(900, 3) * scale[:, None], scalar(0.1), torch.tensor(0))
    chains, state = tuning.tune(target, chains, 300, 4, seeded())
    frozen = hmc.sample(target, state, chains.step_size, 100, 4, seeded(1))
    by_scale = frozen.acceptance.reshape(3, 300).mean(1)
    assert ((by_scale - 0.9).abs() < 0.03).all()
    assert int(chains.n_tuned) == 300


def test_a_density_that_is_nowhere_finite_but_here_accepts_nothing_and_is_counted() -> None:
    start = noise(6, 2)
    walls = torch.tensor([math.inf, -math.inf, math.nan], dtype=torch.float64).repeat(2)

    def trap(z: Tensor) -> Tensor:
        return torch.where((z == start).all(-1), 0 * z.sum(-1), walls)

    samples = hmc.sample(trap, hmc.evaluate(trap, start), scalar(0.1), 5, 3, seeded())
    assert (samples.n_accepted == 0).all()
    assert (samples.acceptance == 0).all()
    assert (samples.n_non_finite == 5).all()
    assert (samples.z == start).all()
    report = diagnostics.report(samples)
    assert report.n_stuck == 6
    assert report.n_non_finite == 30
    assert np.isnan(report.ess).all()
    assert np.isnan(report.r_hat).all()


def test_a_proposal_outside_the_support_leaves_the_others_alone() -> None:
    def half_line(z: Tensor) -> Tensor:
        return torch.where(z[..., 0] > 0, -z[..., 0], -math.inf)

    start = hmc.evaluate(half_line, noise(20_000, 1).abs())
    samples = hmc.sample(half_line, start, scalar(0.5), 40, 4, seeded())
    assert samples.n_non_finite.sum() > 0
    assert (samples.z > 0).all()
    assert samples.z[-1].mean().item() == pytest.approx(1, abs=4 / math.sqrt(20_000))


def test_jitter_breaks_a_period() -> None:
    # Four steps of this size turn the plane of a unit Gaussian by exactly 2π: every move comes back to where it began.
    period = scalar(2 * math.sin(math.pi / 4))
    target = lambda z: -0.5 * z.square().sum(-1)  # noqa: E731
    start = hmc.evaluate(target, noise(500, 1))
    still = hmc.sample(target, start, period, 5, 4, seeded())
    torch.testing.assert_close(still.z[-1], start.z)
    jittered = hmc.sample(target, start, period, 200, 4, seeded(), jitter=0.2)
    correlation = torch.corrcoef(torch.cat([start.z, jittered.z[-1]], 1).T)[0, 1]
    assert abs(correlation) < 4 / math.sqrt(500)


def test_step_size_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="one for all chains or one for each"):
        hmc.sample(gaussian, hmc.evaluate(gaussian, noise(5, 3)), torch.ones(4), 1, 4, seeded())


def test_the_global_rule_biases_few_chains_and_not_a_hundred() -> None:
    # As its docstring says: E z² of a standard normal law, from 3,000 chains in groups of one size.
    def second_moment(n_chains: int) -> tuple[float, float]:
        groups, generator = 3000 // n_chains, seeded()
        state = hmc.evaluate(
            gaussian_of_one, torch.randn(groups, n_chains, 1, dtype=torch.float64, generator=generator)
        )
        log_step = torch.full((groups,), math.log(1.2), dtype=torch.float64)
        factor = math.log(min(1.25, 1.02**n_chains))
        total, moves = torch.zeros(groups, dtype=torch.float64), 400
        for n in range(moves):
            step = log_step.exp()[:, None].expand(groups, n_chains)
            outcome = hmc.move(gaussian_of_one, state, step, 4, generator, jitter=0.0)
            low = outcome.accept_probability.mean(1) < tuning.TARGET_ACCEPTANCE
            expected = tuning.tune_global(log_step[0].exp(), outcome.accept_probability[0]).log()
            log_step = torch.where(low, log_step - factor, log_step + factor)
            torch.testing.assert_close(log_step[0], expected)
            state = outcome.state
            if n >= moves // 4:
                total += state.z.square().mean((1, 2))
        means = total / (moves - moves // 4)
        return float(means.mean()), float(means.std()) / math.sqrt(groups)

    (one, one_error), (hundred, hundred_error) = second_moment(1), second_moment(100)
    assert 0.03 < one - 1 - 3 * one_error < one - 1 + 3 * one_error < 0.2, (one, one_error)
    assert abs(hundred - 1) < 3 * hundred_error + 0.005, (hundred, hundred_error)


def gaussian_of_one(z: torch.Tensor) -> torch.Tensor:
    return -0.5 * z.square().sum(-1)


def mixture(z: torch.Tensor) -> torch.Tensor:
    """Two modes of unequal weight and width, and a second coordinate that bends with the first."""
    modes = torch.stack(
        [math.log(0.3) - 0.5 * (z[..., 0] + 2).square(), math.log(0.7 / 0.5) - 2 * (z[..., 0] - 1.5) ** 2]
    )
    return modes.logsumexp(0) - 0.5 * (z[..., 1] - z[..., 0].square() / 2).square()


def exact_draws(n: int, generator: torch.Generator) -> torch.Tensor:
    noise = torch.randn(n, 2, dtype=torch.float64, generator=generator)
    first = torch.rand(n, dtype=torch.float64, generator=generator) < 0.3
    x = torch.where(first, noise[:, 0] - 2, 0.5 * noise[:, 0] + 1.5)
    return torch.stack([x, noise[:, 1] + x.square() / 2], -1)


@pytest.mark.parametrize("n_moves", [1, 10, 100])
@pytest.mark.parametrize(("step_size", "jitter"), [(0.2, 0.0), (0.6, 0.5)])
def test_from_exact_draws_any_number_of_moves_leaves_the_law_unchanged(
    n_moves: int, step_size: float, jitter: float
) -> None:
    generator = seeded(n_moves)
    state = hmc.evaluate(mixture, exact_draws(20_000, generator))
    for _ in range(n_moves):
        state = hmc.move(mixture, state, scalar(step_size), 3, generator, jitter=jitter).state
    fresh = exact_draws(20_000, generator)
    for law in (lambda z: z[:, 0], lambda z: z[:, 1], lambda z: mixture(z), lambda z: z[:, 1] - z[:, 0].square() / 2):
        assert stats.ks_2samp(law(state.z).numpy(), law(fresh).numpy()).pvalue > 1e-3
