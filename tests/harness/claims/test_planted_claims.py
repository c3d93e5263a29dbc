"""Every claim on curves is answered rightly on results that are made up."""

import math

import numpy as np
import pandas as pd
import pytest

from harness.claims.results import Results
from harness.claims.text import cost, format_details, format_table
from harness.experiments.paper import FIGURE3
from harness.store.checksums import write_checked
from harness.store.run_folder import RunFolder
from harness.store.shelves import Shelves
from tests.claims_store import (
    END,
    EVALUATION,
    JITTER,
    RATE,
    TIMES,
    claim,
    learning,
    make_up,
    measured,
    nothing_published,
    time_learners,
    write_run,
)

pytestmark = pytest.mark.usefixtures(nothing_published.__name__)
FREY = {"mnist": 1.0, "frey_face": 10.0}


def answers(found):
    return {item.name: item.verdict for item in found.items if item.decides}


def test_a_planted_win_in_every_panel_holds(tmp_path):
    time_learners(tmp_path, TIMES)
    found = claim(tmp_path)
    assert found.verdict == "holds"
    assert len(answers(found)) == 27
    values = {item.name: item.value for item in found.items}
    assert values["MNIST 3, AEVB − wake-sleep"] == pytest.approx(20)
    assert values["MNIST 3, least sure lead at equal samples"] == pytest.approx(20)
    assert values["MNIST 3, least sure lead at equal seconds"] == pytest.approx(20 + 20 * math.log10(56 / 40))
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
        "Frey Face 5, least sure lead at equal samples",
        "Frey Face 5, least sure lead at equal seconds",
    }


def test_better_in_the_end_but_behind_on_the_way_does_not_hold(tmp_path):
    time_learners(tmp_path, TIMES)

    def late(dataset, size, method, split, seed, samples):
        behind = 60 * (method == "aevb" and samples < 5e6)
        return learning(dataset, size, method, split, seed, samples) - behind

    found = claim(tmp_path, curve=late)
    assert found.verdict == "does not hold"
    assert answers(found)["MNIST 3, AEVB − wake-sleep"] == "holds"
    assert answers(found)["MNIST 3, least sure lead at equal samples"] == "does not hold"


def test_what_is_ahead_at_equal_samples_may_be_behind_at_equal_seconds(tmp_path):
    time_learners(tmp_path, TIMES | {("aevb", "fast"): 56.0 * 20})
    found = claim(tmp_path)
    assert found.verdict == "does not hold"
    assert answers(found)["MNIST 3, least sure lead at equal samples"] == "holds"
    assert answers(found)["MNIST 3, least sure lead at equal seconds"] == "does not hold"


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
    assert max(item.end for item in found.items if item.decides) == pytest.approx(1e6)
    farther = [item for item in found.items if item.end == 1e7]
    assert len(farther) == 9
    assert {(item.seeds, item.decides, item.value < 0) for item in farther} == {(1, False, True)}
    runs = [command for command in found.commands if "--figure 2" in command]
    assert runs == ["--figure 2 --seed 0 1 2 --samples 1e6", "--figure 2 --seed 0 --samples 1e7"]


def test_without_benchmarks_the_seconds_are_not_measured_and_the_claim_is_undecided(tmp_path):
    found = claim(tmp_path)
    assert found.verdict == "undecided"
    assert answers(found)["MNIST 3, least sure lead at equal seconds"] == "not measured"


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


def test_the_rise_of_training_is_that_of_the_seeds_that_reach_the_end(tmp_path):
    falling = overfitting(3, {200, 20})

    def shorter(dataset, size, method, split, seed, samples):
        if seed and samples > 3e6:
            return math.nan
        higher = 100 * (split == "train_eval" and seed == 1)  # it enters no mean that seed 0 ends alone
        return falling(dataset, size, method, split, 2, samples) + higher

    told = {item.name: item.note for item in claim(tmp_path, "C2", shorter).items if not item.decides}
    assert told["MNIST 200, fall of the test bound"].startswith("highest at 10⁶, training's +20.0 since")


def test_a_fall_with_any_number_of_latents_is_not_that_of_superfluous_ones(tmp_path):
    everywhere = overfitting(3, {2, 3, 5, 10, 20, 200})
    assert claim(tmp_path, "C2", everywhere).verdict == "holds"


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


@pytest.mark.parametrize(
    ("name", "method", "other", "verdict"),
    [("C13", "wake_sleep", "wake-sleep", "undecided"), ("C8", "mcem", "MCEM", "does not hold")],
)
def test_better_estimates_of_log_p_of_x_are_told_and_decide_nothing(tmp_path, name, method, other, verdict):
    better = {("aevb", 1000): 2.0, (method, 1000): 5.0, ("aevb", 50_000): 1.0}
    for config in FIGURE3.configs("author", ["mnist"], (0, 1, 2), methods=["aevb", method]):
        write_run(tmp_path, config, pd.DataFrame(
            {"split": "test", "samples": [10**6, 10**7], FIGURE3.measure: 0.0, "standard_error": 9.0, "seconds": 1.0}
        ))  # fmt: skip
        if (nats := better.get((config.method, config.n_train))) is not None:
            row = {
                "split": "test",
                "samples": 10**6,
                "estimator": "importance",
                FIGURE3.measure: nats + JITTER[config.seed],
            }
            row |= dict.fromkeys(("datapoints", "bias", "bias_standard_error", "largest_deficit"), 1.0)
            row |= {"without_estimate": 0, "untrusted": 0}
            rows = [
                row,
                *({**row, **no, FIGURE3.measure: 99.0} for no in ({"estimator": "ais"}, {"split": "train"})),
            ]
            folder = RunFolder(tmp_path / "runs", config)
            folder.estimates(10**6).parent.mkdir()
            write_checked(folder.estimates(10**6), pd.DataFrame(rows).to_csv(index=False))
    found = measured(Results(Shelves(tmp_path)), name)
    assert found.verdict == verdict
    (told,) = [item for item in found.items if "importance" in item.name]
    assert not told.decides
    assert told.name == f"N = 1,000, AEVB − {other}, by importance sampling"
    assert (told.value, told.seeds, told.end) == (pytest.approx(-3), 3, 10**6)
    assert told.standard_error == pytest.approx(math.sqrt(2 / 3))


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
