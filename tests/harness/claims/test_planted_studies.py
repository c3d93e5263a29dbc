"""Every claim on a study, on models or on timings is answered rightly on results that are made up."""

import math

import pytest

from harness.claims.results import Results
from harness.store.shelves import Shelves
from tests.claims_store import (
    END,
    EVALUATION,
    JITTER,
    RATE,
    TIMES,
    claim,
    diverge,
    learning,
    make_up,
    measured,
    nothing_published,
    time_learners,
    write_table,
)

pytestmark = pytest.mark.usefixtures(nothing_published.__name__)


def noise_rows(noise, largest, seeds=(0, 1, 2)):
    return [
        {"dataset": dataset, "n_latent": size, "method": "aevb", "seed": seed, "samples": 10**6, "draws": 10,
         "points": 100, "noise": noise + 0.001 * JITTER[seed], "noise_error": 0.001, "step": 0.1,
         "largest": largest + 0.001 * JITTER[seed], "apart": 1.0, "seconds": 36.0}
        for dataset in ("mnist", "frey_face") for size in (2, 20) for seed in seeds
    ]  # fmt: skip


@pytest.mark.parametrize(("noise", "verdict"), [(0.9, "holds"), (1.1, "does not hold"), (1.0, "undecided")])
def test_the_noise_of_the_bound_must_be_below_one_nat(tmp_path, noise, verdict):
    write_table(tmp_path, "models", "models", noise_rows(noise, 0.1))
    found = claim(tmp_path, "C3")
    assert found.verdict == verdict
    assert found.core_hours == pytest.approx(12 * 36 / 3600 + 54 * (END / RATE + EVALUATION) / 3600)


def test_the_manifold_must_be_smooth_and_the_bound_rise_with_more_latents(tmp_path):
    results = make_up(tmp_path, 2, by_size)
    for largest, verdict in ((0.3, "holds"), (0.8, "does not hold")):
        write_table(tmp_path, "models", "models", noise_rows(0.1, largest))
        assert measured(results, "C11").verdict == verdict
    write_table(tmp_path, "models", "models", noise_rows(0.1, 0.3, seeds=(0,)))
    assert measured(results, "C11").verdict == "undecided"


def by_size(dataset, size, method, split, seed, samples):
    return learning(dataset, size, method, split, seed, samples) + size


def by_n(dataset, size, method, split, seed, samples):
    """Wake-sleep is 5 nats behind AEVB, Monte Carlo EM 1 or 30."""
    behind = {"aevb": 0.0, "wake_sleep": 5.0, "mcem": 1.0 if size == 1000 else 30.0}
    return -150 - behind[method] + 0.01 * JITTER[seed % 3]


def far(*which):
    """Far from the paper's curves."""
    return learning(*which) - 5000


@pytest.mark.parametrize(
    ("name", "figure", "curve", "methods"),
    [
        ("C1", 2, learning, ("aevb", "wake_sleep")),
        ("C2", 2, learning, ("aevb",)),
        ("C3", 2, learning, ("aevb", "wake_sleep")),
        ("C8", 3, by_n, ("aevb", "mcem")),
        ("C11", 2, by_size, ("aevb",)),
        ("C12", 2, far, ("aevb",)),
        ("C13", 3, by_n, ("aevb", "wake_sleep")),
    ],
)
def test_no_claim_on_curves_holds_of_the_seeds_that_did_not_diverge_alone(tmp_path, name, figure, curve, methods):
    time_learners(tmp_path, TIMES)
    write_table(tmp_path, "models", "models", noise_rows(0.1, 0.1))
    write_table(tmp_path, "choices", "choices", choice_rows(-2.0))
    results = make_up(tmp_path, figure, curve, seeds=(3, 4, 7, 8))
    whole = measured(results, name)
    assert whole.verdict == "holds"
    named = {options for options in whole.commands if f"--figure {figure}" in options and " --seed 3 " in options}
    assert named, "of the seeds that were measured"
    for method in methods:
        found = measured(diverge(results, figure, method, 7, 1e5), name)
        assert found.verdict == "undecided"
        assert any("diverged" in item.note for item in found.items if item.decides)


def variance_rows(naive, of_a):
    return [
        {"stage": stage, "estimator": name, "n_samples": 1, "batch_size": 100, "variance": ratio, "standard_error": 0.0,
         "ratio_to_b": ratio, "ratio_error": 0.01 * ratio, "seconds": 10.0}
        for stage in (0, 10**6)
        for name, ratio in (("score function", naive), ("reparameterization A", of_a), ("reparameterization B", 1.0))
    ]  # fmt: skip


def curve_rows(gain, lag, spread=0.01, seeds=(0, 1, 2)):
    ends = {("reparameterization B", 100, 1): 0.0, ("reparameterization B", 100, 10): gain,
            ("reparameterization B", 10, 1): -5.0, ("reparameterization B", 10, 10): 0.0,
            ("score function", 100, 1): -lag}  # fmt: skip
    return [
        {"estimator": name, "batch_size": m, "n_samples": n, "step_size": 0.02, "seed": seed, "samples": 10**5,
         "evaluations": n * 10**5, "train": -150.0 + end,
         "test": -150.0 + end + spread * JITTER[(seed + kind) % len(seeds)],
         "seconds": 5.0}
        for kind, ((name, m, n), end) in enumerate(ends.items()) for seed in seeds
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "naive", "of_a", "gain", "lag", "verdict"),
    [
        ("C4", 1000, 2, 0, 20, "holds"),
        ("C4", 5, 2, 0, 20, "does not hold"),
        ("C4", 1000, 2, 0, -3, "does not hold"),
        ("C5", 1000, 1.5, 0, 20, "holds"),
        ("C5", 1000, 0.9, 0, 20, "does not hold"),
        ("C5", 1000, 1.005, 0, 20, "undecided"),
        ("C6", 1000, 2, 0.2, 20, "holds"),
        ("C6", 1000, 2, 2.0, 20, "does not hold"),
    ],
)
def test_the_noise_of_gradients(tmp_path, name, naive, of_a, gain, lag, verdict):
    write_table(tmp_path, "reparameterization", "variance", variance_rows(naive, of_a))
    write_table(tmp_path, "reparameterization", "curves", curve_rows(gain, lag))
    found = measured(Results(Shelves(tmp_path)), name)
    assert found.verdict == verdict
    assert found.core_hours == pytest.approx((2 * 10 + 15 * 5) / 3600)


def test_a_gain_of_two_seeds_far_apart_is_undecided(tmp_path):
    write_table(tmp_path, "reparameterization", "curves", curve_rows(0.2, 20, spread=3.0, seeds=(0, 1)))
    assert measured(Results(Shelves(tmp_path)), "C6").verdict == "undecided"


@pytest.mark.parametrize(("seconds", "verdict"), [(56.0, "holds"), (120.0, "does not hold"), (15.0, "does not hold")])
def test_wake_sleep_costs_as_much_where_both_times_are_of_one_order(tmp_path, seconds, verdict):
    time_learners(tmp_path, TIMES | {("wake_sleep", "fast"): seconds})
    found = measured(Results(Shelves(tmp_path)), "C7")
    assert found.verdict == verdict
    assert [item.value for item in found.items] == pytest.approx([1.4, seconds / 40] * 2)


def test_the_error_of_a_cost_is_that_of_both_times(tmp_path):
    time_learners(tmp_path, TIMES | {("wake_sleep", "fast"): 56.0})
    found = measured(Results(Shelves(tmp_path)), "C7")
    (cost, *_) = [item for item in found.items if "seconds" in item.name]
    assert cost.value == pytest.approx(56 / 40)
    assert cost.standard_error == pytest.approx(56 / 40 * 0.01 * math.sqrt(2))  # 2 % are two errors
    assert found.core_hours > 0


@pytest.mark.parametrize(("flops", "seconds", "verdict"), [(6e7, 1500.0, "holds"), (4e6, 1500.0, "does not hold")])
def test_minutes_are_those_of_a_machine_of_forty_gflops(tmp_path, flops, seconds, verdict):
    time_learners(tmp_path, TIMES | {("aevb", "plain PyTorch"): seconds}, flops=flops)
    found = measured(Results(Shelves(tmp_path)), "C10")
    assert found.verdict == verdict
    counted, scaled, *_ = (item.value for item in found.items)
    assert (counted, scaled) == pytest.approx((flops * 1e6 / 40e9 / 60, seconds / 60))


def marginal_rows(offs, seeds=(0, 1, 2)):
    return [
        {"data": "mnist", "n_latent": size, "seed": seed, "estimator": "appendix D", "effort": 50,
         "bias": off + 0.01 * JITTER[seed], "standard_error": 0.01, "spread": 0.1, "spread_error": 0.01, "seconds": 1.0}
        for size, off in offs.items() for seed in seeds
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("offs", "verdict"),
    [
        ({2: 0.5, 3: 0.8, 5: 1.0, 10: 3.0}, "holds"),
        ({2: 0.5, 3: 1.2, 5: 1.0, 10: 3.0}, "does not hold"),
        ({2: 0.5, 3: 0.8, 5: 1.0, 10: 0.5}, "does not hold"),
        ({2: 0.5, 3: 1.0, 5: 1.0, 10: 3.0}, "undecided"),
    ],
)
def test_appendix_d_is_good_below_five_latents_only(tmp_path, offs, verdict):
    write_table(tmp_path, "marginal", "marginal", marginal_rows(offs))
    assert measured(Results(Shelves(tmp_path)), "C9").verdict == verdict


def choice_rows(farther):
    return [
        {"choice": choice, "value": value, "dataset": "mnist", "method": "aevb", "n_latent": 10, "samples": 10**6,
         "seeds": 5, "farther": farther, "farther_error": 0.1}
        for choice, value in (("estimator", "B"), ("minibatch M", "100"), ("start σ", "0.1"))
    ]  # fmt: skip


@pytest.mark.parametrize(("farther", "verdict"), [(-2.0, "holds"), (2.0, "does not hold"), (0.1, "undecided")])
def test_the_text_is_right_where_runs_by_it_are_nearer_and_others_lie_off(tmp_path, farther, verdict):
    write_table(tmp_path, "choices", "choices", choice_rows(farther))
    found = claim(tmp_path, "C12", far)
    assert found.verdict == verdict
    assert "Fitted" in found.note
