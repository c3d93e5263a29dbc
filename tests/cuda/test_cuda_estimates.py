"""Evaluation, estimators and chains on the device that is not there; `test_cuda_training.py` says what that shows."""

from collections.abc import Callable
from functools import partial
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from aevb import hmc, restore, tuning
from aevb.aevb import AEVB
from aevb.data import binarize
from aevb.densities import standard_normal_log_density
from aevb.errors import ArgumentError
from aevb.estimators import LOWER_BOUNDS, evaluate_lower_bound, standard_normal
from aevb.fast.posterior import Posterior
from aevb.learner import Batch
from aevb.marginal.ais import ais_log_likelihood, reverse_ais_log_likelihood, simulate
from aevb.marginal.annealing import Annealing, sigmoidal_schedule
from aevb.marginal.appendix_d import PosteriorFit, appendix_d_log_likelihood
from aevb.marginal.chains import posterior_gaussian, start_chains
from aevb.marginal.importance import importance_log_likelihood
from aevb.model import GenerativeModel
from aevb.reparameterization.inverse_cdf import uniform_noise
from harness.runs.build import build_learner
from harness.runs.evaluate import encode, make_evaluator
from harness.runs.streams import stream
from tests.rehearsal import traffic
from tests.rehearsed import CUDA, LATENTS, N, assert_loop_is_silent, model_and_encoder, rounds_of, run_data
from tests.support import small_config
from tests.test_laws import DECODERS, ESTIMATORS, kinds_of

pytestmark = pytest.mark.filterwarnings("ignore::aevb.marginal.estimate.UntrustedEstimateWarning")


# Evaluation


@pytest.mark.parametrize("measure", ["lower_bound", "marginal_log_likelihood"])
def test_an_evaluation_reads_as_often_whatever_it_costs(measure, array, device) -> None:
    def evaluate(effort: int) -> None:
        more = {"measure": measure, "posterior_samples": 8 * effort, "posterior_burn_in": effort}
        config = small_config(array, **more)
        data = run_data()
        evaluator = make_evaluator(config, data)
        evaluator.measure(build_learner(config, data, 0.05), 0)
        evaluator.load_state_dict(evaluator.state_dict())

    assert_loop_is_silent(evaluate, device, 1, 3)


def test_a_map_of_the_latent_plane_is_read_once(array, device) -> None:
    config = small_config(array)
    learner = build_learner(config, run_data(), 0.05)
    reads, _ = traffic(lambda: encode(learner.model, learner.encoder, run_data().test_points), device)
    assert reads["harness/runs/evaluate.py encode"] == 2  # means and bounds


@DECODERS
@pytest.mark.parametrize("name", LOWER_BOUNDS)
def test_bounds_are_estimated_without_reading(name, decoder, device) -> None:
    model, encoder = model_and_encoder(decoder)
    x, generator = run_data().train, stream("noise", 0, CUDA)
    reads, uploads = traffic(
        lambda: LOWER_BOUNDS[name](model, encoder, x, standard_normal((3, N, LATENTS), x, generator)), device
    )
    assert not reads
    assert not uploads
    evaluated = partial(evaluate_lower_bound, model, encoder, x, generator, estimator=LOWER_BOUNDS[name])
    assert_loop_is_silent(lambda chunks: evaluated(n_samples=chunks, chunk=N // chunks), device, 1, 4)


# Marginal likelihoods


def marginal(name: str, decoder: type, **how: Any) -> Callable[[int], object]:
    """An estimator as a function of its effort."""
    model, encoder = model_and_encoder(decoder)
    x, generator = run_data().train, stream("noise", 0, CUDA)
    if name == "importance_log_likelihood":
        return lambda n: importance_log_likelihood(model, x, encoder(x), generator, n_samples=30 * n, chunk=10 * N)
    if name == "appendix_d_log_likelihood":
        chains = start_chains(model, x, generator, n_candidates=4)
        return lambda n: appendix_d_log_likelihood(
            model, x, chains, generator, n_samples=8 * n, n_burn_in=n, n_leapfrog=n, **how
        )
    schedules = {n: Annealing(sigmoidal_schedule(3 * n), n_chains=2, n_tuning_chains=2) for n in range(1, 5)}
    if name == "ais_log_likelihood":
        return lambda n: ais_log_likelihood(model, x, generator, schedules[n])
    x, z = simulate(model, N, generator)
    return lambda n: reverse_ais_log_likelihood(model, x, z, generator, schedules[n], n_refresh=n)


@DECODERS
@pytest.mark.parametrize("name", ESTIMATORS)
def test_no_draw_no_move_and_no_temperature_of_an_estimator_reads(name, decoder, device) -> None:
    assert_loop_is_silent(marginal(name, decoder), device, 1, 2)


@pytest.mark.parametrize("fit", get_args(PosteriorFit))
def test_no_move_of_appendix_d_reads_whatever_is_fitted(fit, device) -> None:
    decoder = kinds_of(GenerativeModel)[0]
    estimate = marginal("appendix_d_log_likelihood", decoder, fit=fit, adapt="every_move", jitter=0.0)
    assert_loop_is_silent(estimate, device, 1, 2)


def test_no_move_of_a_fitted_proposal_reads(device) -> None:
    model, _ = model_and_encoder(kinds_of(GenerativeModel)[0])
    x, generator = run_data().train, stream("noise", 0, CUDA)
    chains = start_chains(model, x, generator, n_candidates=2)
    assert_loop_is_silent(
        lambda n: posterior_gaussian(model, x, chains, generator, n_samples=3 * n, n_burn_in=n), device, 1, 2
    )


# Chains


@DECODERS
@pytest.mark.parametrize("gradient", ["by hand", "autograd"])
def test_chains_move_without_reading(gradient, decoder, device) -> None:
    model, _ = model_and_encoder(decoder)
    x, generator = run_data().train, stream("noise", 0, CUDA)

    def by_autograd(z: Tensor) -> Tensor:
        return standard_normal_log_density(z) + model.log_likelihood(x, z)

    target = Posterior(model, x) if gradient == "by hand" else by_autograd
    chains = start_chains(model, x, generator, n_candidates=2)

    def chain(n: int) -> None:
        moved, state = tuning.tune(target, chains, n, n, generator, jitter=0.5)
        samples, _ = tuning.sample_and_tune(target, state, moved.step_size, n, n, generator)
        hmc.sample(target, samples.state, moved.step_size, n, n, generator)

    first, second = rounds_of(chain, device, 1, 3)
    assert first == second
    assert not first[0]


def test_images_are_restored_without_reading(device) -> None:
    model, _ = model_and_encoder(kinds_of(GenerativeModel)[0])
    y, generator = run_data().train, stream("noise", 0, CUDA)
    seen = partial(restore.noisy_log_likelihood, model, y, 0.3)

    def draws(n: int) -> None:
        chains = restore.sample_posterior(
            seen, (N, LATENTS), generator, n_candidates=n, n_burn_in=2 * n, n_samples=n, n_leapfrog=n
        )
        restore.posterior_mean(model.pixel_mean, chains.z)

    assert_loop_is_silent(draws, device, 1, 2)


# Sources of randomness


@DECODERS
def test_a_generator_of_the_host_is_refused_where_the_device_draws(decoder, device) -> None:
    model, encoder = model_and_encoder(decoder)
    x, state = run_data().train, hmc.evaluate(standard_normal_log_density, torch.zeros(N, LATENTS, device=CUDA))
    host, step_size = stream("noise"), torch.tensor(0.1, device=CUDA)
    for call in (
        lambda: evaluate_lower_bound(model, encoder, x, host),
        lambda: hmc.move(standard_normal_log_density, state, step_size, 1, host, jitter=0.5),
        lambda: uniform_noise((3,), x, host),
        lambda: binarize(x, "static", host),
        lambda: model.sample_pixels(torch.zeros(3, LATENTS, device=CUDA), host),
        lambda: AEVB(model, encoder, N).step(Batch(x, torch.arange(N)), host),
    ):
        with pytest.raises(
            ArgumentError, match=r"`generator` must be on cuda, .* got one on cpu: .*Generator\('cuda'\)"
        ):
            call()
    with pytest.raises(ArgumentError, match=r"`generator` must be on cpu, .* got one on cuda: .*Generator\('cpu'\)"):
        standard_normal((3,), torch.zeros(3), stream("noise", 0, CUDA))
