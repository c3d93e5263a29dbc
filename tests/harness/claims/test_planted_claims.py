"""Every claim is answered rightly on results that are made up."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from harness.claims.results import Results
from harness.claims.roster import OF_METHOD
from harness.claims.text import cost, format_details, format_table
from harness.experiments.paper import FIGURE2, FIGURE3
from harness.figures.costs import METHODS_FOLDER
from harness.store.shelves import Shelves
from tests.bad_input import check_refusal, run
from tests.claims_store import (
    END,
    EVALUATION,
    RATE,
    make_up,
    measured,
    nothing_published,
    time_learners,
    write_run,
    write_table,
)

pytestmark = pytest.mark.usefixtures(nothing_published.__name__)
TIMES = {
    ("aevb", "fast"): 40.0, ("wake_sleep", "fast"): 56.0, ("mcem", "fast"): 20.0, ("aevb", "plain PyTorch"): 1500.0,
}  # fmt: skip
FREY = {"mnist": 1.0, "frey_face": 10.0}
JITTER = (-1, 1, 0)  # nats of seeds 0, 1 and 2


def learning(dataset, size, method, split, seed, samples):
    """AEVB is 5 nats above wake-sleep and 10 times as fast; all seeds within 0.1 nats."""
    ahead = {"aevb": 10.0, "wake_sleep": 1.0, "mcem": 3.0}[method]
    return 20 * math.log10(samples * ahead) - 300 + 0.1 * JITTER[seed % 3] + size / 100


def claim(results, name="C1", curve=learning, figure=2, **how):
    return measured(make_up(results, figure, curve, **how), name)


def answers(found):
    return {item.name: item.verdict for item in found.items if item.decides}


def test_a_planted_win_in_every_panel_holds(tmp_path):
    time_learners(tmp_path, TIMES)
    found = claim(tmp_path)
    assert found.verdict == "holds"
    assert len(answers(found)) == 27
    values = {item.name: item.value for item in found.items}
    assert values["MNIST 3, AEVB − wake-sleep"] == pytest.approx(20)
    assert values["MNIST 3, smallest lead at equal samples"] == pytest.approx(20)
    assert values["MNIST 3, smallest lead at equal seconds"] == pytest.approx(20 + 20 * math.log10(56 / 40))
    assert values["MNIST 3, samples over wake-sleep's to the same bound"] == pytest.approx(0.1, rel=0.1)
    assert found.seeds == (3, 3)


def test_a_loss_in_one_panel_alone_decides(tmp_path):
    time_learners(tmp_path, TIMES)

    def lost(dataset, size, method, split, seed, samples):
        worse = 30 * (dataset == "frey_face" and size == 5 and method == "aevb")
        return learning(dataset, size, method, split, seed, samples) - worse

    found = claim(tmp_path, curve=lost)
    assert found.verdict == "does not hold"
    assert {name for name, verdict in answers(found).items() if verdict == "does not hold"} == {
        "Frey Face 5, AEVB − wake-sleep",
        "Frey Face 5, smallest lead at equal samples",
        "Frey Face 5, smallest lead at equal seconds",
    }


def test_better_in_the_end_but_behind_on_the_way_does_not_hold(tmp_path):
    time_learners(tmp_path, TIMES)

    def late(dataset, size, method, split, seed, samples):
        behind = 60 * (method == "aevb" and samples < 5e6)
        return learning(dataset, size, method, split, seed, samples) - behind

    found = claim(tmp_path, curve=late)
    assert found.verdict == "does not hold"
    assert answers(found)["MNIST 3, AEVB − wake-sleep"] == "holds"
    assert answers(found)["MNIST 3, smallest lead at equal samples"] == "does not hold"


def test_what_is_ahead_at_equal_samples_may_be_behind_at_equal_seconds(tmp_path):
    time_learners(tmp_path, TIMES | {("aevb", "fast"): 56.0 * 20})
    found = claim(tmp_path)
    assert found.verdict == "does not hold"
    assert answers(found)["MNIST 3, smallest lead at equal samples"] == "holds"
    assert answers(found)["MNIST 3, smallest lead at equal seconds"] == "does not hold"


@pytest.mark.parametrize(("seeds", "jitter"), [([0], 0.1), ([0, 1, 2], 40.0)])
def test_one_seed_or_seeds_far_apart_leave_it_undecided(tmp_path, seeds, jitter):
    time_learners(tmp_path, TIMES)

    def wide(dataset, size, method, split, seed, samples):
        return learning(dataset, size, method, split, 2, samples) + jitter * JITTER[seed]

    assert claim(tmp_path, curve=wide, seeds=seeds).verdict == "undecided"


def test_where_one_seed_goes_farther_than_others_it_is_told_and_decides_nothing(tmp_path):
    time_learners(tmp_path, TIMES)

    def uneven(dataset, size, method, split, seed, samples):
        if samples > 1.01e6 and seed:
            return math.nan
        lost = 100 * (method == "aevb" and samples > 1.01e6)
        return learning(dataset, size, method, split, seed, samples) - lost

    found = claim(tmp_path, curve=uneven)
    assert found.verdict == "holds"
    assert {item.end for item in found.items if item.decides} == {1e6}
    farther = [item for item in found.items if item.end == 1e7]
    assert len(farther) == 9
    assert {(item.seeds, item.decides, item.value < 0) for item in farther} == {(1, False, True)}


def test_without_benchmarks_the_seconds_are_not_measured_and_the_claim_is_undecided(tmp_path):
    found = claim(tmp_path)
    assert found.verdict == "undecided"
    assert answers(found)["MNIST 3, smallest lead at equal seconds"] == "not measured"


def overfitting(fall, sizes):
    """The test bound falls by so many nats after 10⁶ samples with these sizes, while training's rises."""

    def curve(dataset, size, method, split, seed, samples):
        risen = learning(dataset, size, method, split, seed, samples)
        past = max(math.log10(samples / 1e6), 0.0)
        return risen - (past * (20 + fall * FREY[dataset]) if split == "test" and size in sizes else 0)

    return curve


def test_planted_overfitting_of_superfluous_latents_turns_the_claim(tmp_path):
    assert claim(tmp_path / "without", "C2").verdict == "holds"
    found = claim(tmp_path / "with", "C2", overfitting(3, {200, 20}))
    assert found.verdict == "does not hold"
    told = {item.name: item for item in found.items if not item.decides}
    assert told["MNIST 200, fall of the test bound"].value == pytest.approx(3, abs=0.1)
    assert told["MNIST 200, fall of the test bound"].note.startswith("highest at 10⁶, training's +20.0 since")
    assert told["MNIST 5, fall of the test bound"].value == pytest.approx(0)


def test_a_fall_with_any_number_of_latents_is_not_that_of_superfluous_ones(tmp_path):
    everywhere = overfitting(3, {2, 3, 5, 10, 20, 200})
    assert claim(tmp_path, "C2", everywhere).verdict == "holds"


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


def test_hours_of_a_gpu_are_no_core_hours(tmp_path):
    results = make_up(tmp_path, 2, learning)
    curves, runs = results.made[2]
    mixed = runs.assign(device_type=np.where(runs["method"] == "aevb", "cuda", "cpu"))
    results.made[2] = curves, mixed
    found, hours = measured(results, "C1"), (END / RATE + EVALUATION) / 3600
    of_aevb = int((runs["method"] == "aevb").sum())
    assert found.gpu_hours == pytest.approx(of_aevb * hours)
    assert found.core_hours == pytest.approx((len(runs) - of_aevb) * hours)
    assert "GPU-hours" in format_details([found])
    assert f"{of_aevb * hours:.2g}" == format_table([found]).splitlines()[-1].split()[-1]
    only_aevb = measured(results, "C2")
    assert only_aevb.core_hours == 0
    assert cost(only_aevb) == f"{of_aevb * hours:.2g} GPU-hours"


def test_the_manifold_must_be_smooth_and_the_bound_rise_with_more_latents(tmp_path):
    def by_size(dataset, size, method, split, seed, samples):
        return learning(dataset, size, method, split, seed, samples) + size

    results = make_up(tmp_path, 2, by_size)
    for largest, verdict in ((0.3, "holds"), (0.8, "does not hold")):
        write_table(tmp_path, "models", "models", noise_rows(0.1, largest))
        assert measured(results, "C11").verdict == verdict
    write_table(tmp_path, "models", "models", noise_rows(0.1, 0.3, seeds=(0,)))
    assert measured(results, "C11").verdict == "undecided"


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
         "evaluations": n * 10**5, "train": -150.0 + end, "test": -150.0 + end + spread * JITTER[seed], "seconds": 5.0}
        for (name, m, n), end in ends.items() for seed in seeds
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


def test_times_with_intervals_are_read_as_those_of_older_files_are(tmp_path):
    time_learners(tmp_path, TIMES | {("wake_sleep", "fast"): 56.0})
    path = tmp_path / "benchmarks" / "made-up.json"
    stored = json.loads(path.read_text())
    for row in stored["measured"]:
        median = row.pop("median_seconds")
        row |= {"seconds": median, "seconds_low": 0.98 * median, "seconds_high": 1.02 * median}
    path.write_text(json.dumps(stored))
    found = measured(Results(Shelves(tmp_path)), "C7")
    assert found.verdict == "holds"
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


def marginal(few, many, late=0.0):
    """Monte Carlo EM so many nats behind AEVB for N = 1,000 and 50,000, at each count; wake-sleep 5 behind."""

    def curve(dataset, size, method, split, seed, samples):
        behind = {"aevb": 0.0, "wake_sleep": 5.0, "mcem": few if size == 1000 else many}[method]
        return -150 - behind + late * math.log10(samples) + 0.01 * JITTER[seed]

    return curve


@pytest.mark.parametrize(
    ("few", "many", "verdict"),
    [(1, 30, "holds"), (8, 30, "does not hold"), (1, 2, "does not hold"), (5, 30, "undecided")],
)
def test_monte_carlo_em_keeps_up_on_few_images_only(tmp_path, few, many, verdict):
    time_learners(tmp_path, TIMES)
    assert claim(tmp_path, "C8", marginal(few, many), 3).verdict == verdict


def test_equal_seconds_are_more_samples_for_who_is_faster(tmp_path):
    time_learners(tmp_path, TIMES)  # Monte Carlo EM gets through twice as many
    found = claim(tmp_path, "C8", marginal(8, 30, late=10.0), 3)
    gaps = {item.name: item.value for item in found.items}
    assert gaps["N = 1,000, AEVB − MCEM, equal samples"] == pytest.approx(8)
    assert gaps["N = 1,000, AEVB − MCEM, equal seconds"] == pytest.approx(8 - 10 * math.log10(2))


def test_log_p_of_x_above_wake_sleeps(tmp_path):
    assert claim(tmp_path / "above", "C13", marginal(1, 30), 3).verdict == "holds"
    below = marginal(1, 30)
    found = claim(tmp_path / "below", "C13", lambda *which: -below(*which) - 300, 3)
    assert found.verdict == "does not hold"


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

    def off(*which):  # far from the paper's curves
        return learning(*which) - 5000

    found = claim(tmp_path, "C12", off)
    assert found.verdict == verdict
    assert "Fitted" in found.note


@pytest.mark.parametrize("name", [f"C{n}" for n in range(1, 14)])
def test_where_nothing_is_stored_a_claim_is_not_measured_and_its_command_is_told(tmp_path, name):
    found = measured(Results(Shelves(tmp_path)), name)
    assert found.verdict == "not measured"
    assert found.commands
    assert math.isnan(found.core_hours)


def test_what_is_stored_is_answered_as_what_was_made_up(tmp_path):
    made = make_up(tmp_path, 3, marginal(1, 30))
    curves, _ = made.made[3]
    for config in FIGURE3.configs("author", ["mnist"], (0, 1, 2)):
        own = curves[(curves["n_train"] == config.n_train) & (curves["method"] == config.method)]
        own = own[own["seed"] == config.seed]
        write_run(tmp_path, config, own[["split", "samples", FIGURE3.measure, "standard_error", "seconds"]])
    stored, expected = (measured(results, "C13") for results in (Results(Shelves(tmp_path)), made))
    assert stored == expected
    assert stored.verdict == "holds"


def test_runs_of_other_methods_change_nothing(tmp_path):
    (config,) = FIGURE3.configs("author", ["mnist"], [0], methods=["iwae"], sizes=[1000])
    curve = pd.DataFrame({"split": "test", "samples": [10**6, 10**7], FIGURE3.measure: -1.0, "standard_error": 9.0,
                          "seconds": 1.0})  # fmt: skip
    write_run(tmp_path, config, curve)
    found = measured(Results(Shelves(tmp_path)), "C13")
    assert found.verdict == "not measured"
    assert math.isnan(found.core_hours)


def timed_beside(results, seconds):
    """As `--benchmark --method` leaves it."""
    time_learners(results / "elsewhere", seconds)
    folder = results / "benchmarks" / METHODS_FOLDER
    folder.parent.mkdir()
    (results / "elsewhere" / "benchmarks").rename(folder)


def stored(results, ahead):
    """Runs of a stranger's learner, so many nats above wake-sleep's, in one panel of figure 2."""
    counts = np.geomspace(1e4, END, 31).round()
    for config in FIGURE2.configs("author", ["mnist"], [0, 1, 2], methods=["beta:Beta", "wake_sleep"], sizes=[3]):
        mine = ahead if config.method == "beta:Beta" else 0.0
        rows = [
            {"split": split, "samples": int(n), "standard_error": 0.4, "seconds": n / RATE,
             "lower_bound": 20 * math.log10(n) - 300 + mine + 0.1 * JITTER[config.seed]}
            for n in counts for split in ("test", "train_eval", "train")
        ]  # fmt: skip
        write_run(results, config, pd.DataFrame(rows))


@pytest.mark.parametrize(("ahead", "verdict"), [(5, "holds"), (-5, "does not hold")])
def test_a_strangers_learner_is_asked_in_the_place_of_aevb(tmp_path, ahead, verdict):
    stored(tmp_path, ahead)
    timed_beside(tmp_path, {("beta:Beta", "reference"): 80.0, ("wake_sleep", "fast"): 56.0})
    found = measured(Results(Shelves(tmp_path), method="beta:Beta"), "C1")
    items = {item.name: item for item in found.items}
    gain = items["MNIST 3, Beta − wake-sleep"]
    assert gain.verdict == verdict
    assert gain.value == pytest.approx(ahead)
    at_equal_seconds = items["MNIST 3, smallest lead at equal seconds"]
    assert at_equal_seconds.value == pytest.approx(ahead + 20 * math.log10(56 / 80))
    assert items["MNIST 5, Beta − wake-sleep"].verdict == "not measured"
    assert found.title == "Beta is faster and better than wake-sleep"
    assert found.commands[0].startswith("--figure 2 --method beta:Beta wake_sleep --seed 0 1 2")
    assert found.commands[1] == "--benchmark --method beta:Beta"
    assert found.core_hours > 0


def test_claims_are_asked_of_a_method_by_the_command_and_nothing_of_that_is_stored(tmp_path):
    stored(tmp_path, 5)
    status, printed, complained = run(["--claims", "--method", "beta:Beta", "--results", str(tmp_path)])
    assert status == 0, complained
    assert [line.split()[-5:-2] and line[14:17].strip() for line in printed.splitlines()[3:7]] == [*OF_METHOD]
    assert "With Beta in AEVB's place: AEVB converges" in " ".join(printed.split())
    assert "MNIST 3, Beta − wake-sleep at 10⁷: 5.0" in " ".join(printed.split())
    assert not (tmp_path / "claims").exists()
    for wrong, what in (("C4", "asks C1, C2, C8, C13"), ("C1 --method aevb iwae", "one method in AEVB's place")):
        line = f"--claims {wrong} --results {tmp_path}" + ("" if "--method" in wrong else " --method beta:Beta")
        status, printed, complained = run(line.split())
        check_refusal(status, printed, complained)
        assert what in complained
