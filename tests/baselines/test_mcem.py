"""Monte Carlo EM climbs to the maximum of the exact posterior of θ, and keeps one chain for each point."""

import copy

import pytest
import torch
from torch import Tensor

from aevb.ascent import AscentOptions
from aevb.learner import Batch, Learner
from aevb.linear_gaussian import exact_log_marginal, exact_posterior, probabilistic_pca
from aevb.model import BernoulliModel, GaussianModel
from aevb.testing.law import numbers
from baselines.mcem import MinibatchMonteCarloEM, MonteCarloEM
from tests.oracles import linear_gaussian

N = 200


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def data() -> Tensor:
    return linear_gaussian(n_latent=2, n_pixels=5, diagonal_posterior=False).simulate(N)


def fresh_model() -> GaussianModel:
    return GaussianModel(2, 5, (), log_var="constant", squash_mean=False, init_std=0.1, generator=seeded()).double()


def whole(x: Tensor) -> Batch:
    return Batch(x, torch.arange(len(x)))


def minibatch(x: Tensor, m: int, generator: torch.Generator) -> Batch:
    indices = torch.randint(len(x), (m,), generator=generator)
    return Batch(x[indices], indices)


def objective(model: GaussianModel, x: Tensor, prior_weight: float) -> Tensor:
    """log p(x) + log p(θ) for each datapoint, up to a constant."""
    return (exact_log_marginal(model, x).sum() - 0.5 * prior_weight * model.output.weight.square().sum()) / len(x)


def best_objective(x: Tensor, prior_weight: float, by: float | None = None) -> float:
    """The highest value, by L-BFGS on the exact marginal likelihood from the closed-form start.

    With another weight `by`, the value at the maximum that this other weight would have.
    """
    model = probabilistic_pca(x, 2)
    parameters = [model.output.weight, model.output.bias, model.log_var.bias]
    optimizer = torch.optim.LBFGS(parameters, max_iter=500, line_search_fn="strong_wolfe", tolerance_grad=1e-9)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = -objective(model, x, prior_weight if by is None else by)
        loss.backward()
        return loss

    optimizer.step(closure)
    return objective(model, x, prior_weight).item()


@pytest.mark.parametrize("prior_weight", [0.0, 100.0])
def test_reaches_the_maximum_of_the_exact_objective(prior_weight: float) -> None:
    # A weight of 100 pulls the maximum away from maximum likelihood, so that a wrong scale of the prior would show.
    x, model, generator = data(), fresh_model(), seeded(1)
    learner = MonteCarloEM(model, N, generator, AscentOptions(step_size=0.2, prior_weight=prior_weight))
    for _ in range(300):
        learner.step(whole(x), generator)
    best = best_objective(x, prior_weight)
    assert objective(model, x, prior_weight).item() > best - 0.03
    assert objective(model, x, prior_weight).item() <= best + 1e-6
    if prior_weight:
        assert best_objective(x, prior_weight, by=0.5 * prior_weight) < best - 0.05


def test_minibatches_come_close_to_it_too() -> None:
    x, model, generator = data(), fresh_model(), seeded(1)
    learner = MinibatchMonteCarloEM(model, N, generator, AscentOptions(step_size=0.1, prior_weight=30.0))
    for _ in range(500):
        learner.step(minibatch(x, 50, generator), generator)
    assert objective(model, x, 30.0).item() > best_objective(x, 30.0) - 0.06


def test_chains_follow_the_posterior_while_theta_rests() -> None:
    oracle = linear_gaussian(n_latent=2, n_pixels=5, diagonal_posterior=False)
    x, generator = oracle.simulate(N), seeded(1)
    learner = MonteCarloEM(oracle.model, N, generator, AscentOptions(step_size=0.0))
    for _ in range(60):
        learner.step(whole(x), generator)
    posterior = exact_posterior(oracle.model, x)
    centred = (learner.state_dict()["chains"]["z"] - posterior.mean.detach()).T
    white = torch.linalg.solve_triangular(posterior.cholesky.detach(), centred, upper=False)
    assert (white.mean(1).abs() < 4 / N**0.5).all()
    assert ((white.var(1) - 1).abs() < 4 * (2 / N) ** 0.5).all()


def test_theta_is_all_that_moves_and_only_after_the_warm_up() -> None:
    x, model, generator = data(), fresh_model(), seeded(1)
    learner: Learner = MonteCarloEM(model, N, generator, AscentOptions(warm_up=100))
    assert learner.encoder is None
    start = copy.deepcopy(model.state_dict())
    for _ in range(20):
        learner.step(whole(x), generator)
    assert all(torch.equal(start[name], value) for name, value in model.state_dict().items())
    before = x.clone()
    learner.step(whole(x), generator)
    assert all(not torch.equal(start[name], value) for name, value in model.state_dict().items() if value.numel())
    assert torch.equal(x, before)


def test_an_iteration_counts_fifteen_samples_for_each_point_and_has_no_bound() -> None:
    x, generator = data(), seeded(1)
    info = MonteCarloEM(fresh_model(), N, generator).step(whole(x), generator)
    assert (info.samples, info.bound) == (15 * N, None)
    info = MinibatchMonteCarloEM(fresh_model(), N, generator).step(minibatch(x, 30, generator), generator)
    assert info.samples == 15 * 30


def test_an_extra_leapfrog_step_moves_the_chains_and_is_not_counted() -> None:
    ends = []
    for how in ({"n_leapfrog": 11}, {"n_leapfrog": 10, "extra_leapfrog": 1}):
        x, model = data(), fresh_model()
        learner = MonteCarloEM(model, N, seeded(1), AscentOptions(0.05, warm_up=0), **how)
        infos = [learner.step(whole(x), generator) for generator in (seeded(2),) for _ in range(3)]
        ends.append((infos[-1].samples, [p.detach().clone() for p in model.parameters()]))
    assert [samples for samples, _ in ends] == [16 * N, 15 * N]
    for one, other in zip(ends[0][1], ends[1][1], strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kind", [MonteCarloEM, MinibatchMonteCarloEM])
def test_a_restored_learner_goes_on_bit_for_bit(kind: type[MonteCarloEM]) -> None:
    x = data()

    def batch(generator: torch.Generator) -> Batch:
        return whole(x) if kind is MonteCarloEM else minibatch(x, 40, generator)

    generator = seeded(1)
    learner = kind(fresh_model(), N, generator)
    for _ in range(25):
        learner.step(batch(generator), generator)
    saved, noise = copy.deepcopy(learner.state_dict()), generator.get_state()
    for _ in range(5):
        learner.step(batch(generator), generator)

    restored = kind(fresh_model(), N, seeded(99))
    restored.load_state_dict(saved)
    generator.set_state(noise)
    for _ in range(5):
        restored.step(batch(generator), generator)
    ours, theirs = restored.state_dict(), learner.state_dict()
    assert torch.equal(ours["chains"]["z"], theirs["chains"]["z"])
    assert torch.equal(ours["chains"]["step_size"], theirs["chains"]["step_size"])
    assert all(torch.equal(ours["model"][name], value) for name, value in theirs["model"].items())


def test_saved_chains_do_not_move_with_the_learner() -> None:
    x, generator = data(), seeded(1)
    learner = MonteCarloEM(fresh_model(), N, generator)
    saved = learner.state_dict()["chains"]["z"]
    copied = saved.clone()
    learner.step(whole(x), generator)
    assert torch.equal(saved, copied)
    assert not torch.equal(saved, learner.state_dict()["chains"]["z"])


def test_rows_may_come_in_any_order() -> None:
    # The chain belongs to the index, not to the row: wherever a point stands, its chain moves towards its posterior.
    oracle = linear_gaussian(n_latent=2, n_pixels=5, diagonal_posterior=False)
    x, generator = oracle.simulate(N), seeded(1)
    learner = MonteCarloEM(oracle.model, N, generator, AscentOptions(step_size=0.0))
    for _ in range(40):
        order = torch.randperm(N, generator=generator)
        learner.step(Batch(x[order], order), generator)
    z, posterior = learner.state_dict()["chains"]["z"], exact_posterior(oracle.model, x)
    expected = posterior.log_density(posterior.at(torch.randn(N, 2, dtype=torch.float64, generator=generator)))
    difference = posterior.log_density(z) - expected
    assert difference.mean().abs() < 4 * difference.std() / N**0.5


def test_a_point_drawn_twice_has_one_chain_and_only_the_batch_moves() -> None:
    x, generator = data(), seeded(1)
    learner = MinibatchMonteCarloEM(fresh_model(), N, generator, step_size=0.1)
    before = learner.state_dict()["chains"]["z"]
    indices = torch.tensor([7, 3, 7, 7, 150])
    learner.step(Batch(x[indices], indices), generator)
    moved = (learner.state_dict()["chains"]["z"] != before).any(1).nonzero()[:, 0]
    assert moved.tolist() == [3, 7, 150]


def test_a_repeated_point_counts_twice_in_the_gradient() -> None:
    x, model, generator = data(), fresh_model(), seeded(1)
    learner = MinibatchMonteCarloEM(model, N, generator, AscentOptions(prior_weight=0.0), n_weight_steps=1)
    indices = torch.tensor([7, 3, 7])
    learner.step(Batch(x[indices], indices), generator)
    z = learner.state_dict()["chains"]["z"][indices]
    expected = torch.autograd.grad(model.log_likelihood(x[indices], z).sum(), model.output.bias)[0]
    assert model.output.bias.grad is not None
    torch.testing.assert_close(model.output.bias.grad, expected)


def test_a_batch_that_is_not_the_whole_training_set_is_refused() -> None:
    x, generator = data(), seeded(1)
    learner = MonteCarloEM(fresh_model(), N, generator)
    for batch in (minibatch(x, N, generator), minibatch(x, 10, generator)):
        with pytest.raises(ValueError, match="use MinibatchMonteCarloEM"):
            learner.step(batch, generator)


def test_chains_of_another_training_set_are_refused_and_the_learner_stays_as_it_is() -> None:
    trained, other = MonteCarloEM(fresh_model(), N, seeded()), MonteCarloEM(fresh_model(), N + 1, seeded())
    trained.step(Batch(data(), torch.arange(N)), seeded(1))
    before = other.state_dict()
    with pytest.raises(ValueError, match="same training set"):
        other.load_state_dict(trained.state_dict())
    for one, same in zip(numbers(before), numbers(other.state_dict()), strict=True):
        assert torch.equal(one, same)


def test_a_model_that_is_not_finite_moves_no_chain_and_says_so() -> None:
    model = BernoulliModel(2, 5, (3,), generator=seeded()).double()
    with torch.no_grad():
        model.output.bias.fill_(torch.nan)
    x, generator = data().sigmoid(), seeded(1)
    learner = MonteCarloEM(model, N, generator)
    before = learner.state_dict()["chains"]["z"]
    for _ in range(3):
        learner.step(whole(x), generator)
    assert torch.equal(learner.state_dict()["chains"]["z"], before)
    assert learner.diagnostics() == {
        "training_acceptance": 0.0, "training_stuck": N, "training_non_finite": 3 * N,
    }  # fmt: skip


def test_one_stuck_chain_is_counted_however_well_the_others_move() -> None:
    oracle = linear_gaussian(n_latent=2, n_pixels=5, diagonal_posterior=False)
    x, generator = oracle.simulate(N), seeded(1)
    learner = MonteCarloEM(oracle.model, N, generator, n_weight_steps=0)
    learner.step(whole(x), generator)  # the first batch, which is looked at
    learner.diagnostics()
    x[17] = torch.nan
    for _ in range(10):
        learner.step(whole(x), generator)
    found = learner.diagnostics()
    assert (found["training_stuck"], found["training_non_finite"]) == (1, 10)
    assert found["training_acceptance"] > 0.8
    for _ in range(4):
        learner.step(whole(x), generator)
    assert learner.diagnostics()["training_non_finite"] == 4, "each call is about the steps since the last"
