"""Where a curve has points: on a grid without end, and at the paper's own counts where a protocol asks."""

import itertools
from dataclasses import replace

import pytest

from harness.experiments import paper_curves
from harness.experiments.paper import FIGURE3
from harness.runs.curve import ends_on_grid, passes_power_of_ten, points, points_up_to
from harness.runs.train import run
from tests.support import curve, small_job


def test_the_papers_own_counts_are_logged_beside_the_grid_where_a_protocol_asks(tmp_path, array, monkeypatch):
    monkeypatch.setattr("harness.runs.curve.paper_counts", lambda config: [333, 1_000, 1_234])
    plain = small_job(tmp_path, array, samples=2_000, first_point=100)
    asked = small_job(tmp_path, array, samples=2_000, first_point=100, paper_points=True)
    for job in (plain, asked):
        run(job)
    assert {*curve(asked)["samples"]} - {*curve(plain)["samples"]} == {340, 1_240}
    assert {*curve(plain)["samples"]} <= {*curve(asked)["samples"]}


def test_the_papers_counts_are_those_of_its_own_curve():
    for config in FIGURE3.configs("author", ["mnist"], [0]):
        table = paper_curves.read_published(3)
        own = table[(table["n_train"] == config.n_train) & (table["method"] == config.method)]
        assert paper_curves.paper_counts(config) == sorted({*own["samples"].astype(int)})
        assert paper_curves.paper_counts(replace(config, dataset="mine.npy")) == []


def test_the_papers_timer_fired_before_the_first_point_that_is_drawn(tmp_path, array):
    job = small_job(tmp_path, array, posterior_chains="paper_timer", measure="marginal_log_likelihood")
    found = {}
    for n_train, method in ((1_000, "aevb"), (50_000, "wake_sleep"), (1_000, "mcem")):
        changes = {"dataset": "mnist", "n_train": n_train, "method": method}
        config = replace(job.config, **changes, batch_size=0 if method == "mcem" else 100)
        drawn = paper_curves.paper_counts(replace(config, posterior_chains="paper_points"))
        early = [count for count in paper_curves.paper_counts(config) if count < drawn[0]]
        assert paper_curves.paper_counts(config) == [*early, *drawn]
        found[n_train, method] = [round((drawn[0] - count) / (drawn[1] - drawn[0]), 9) for count in early]
        assert not early or early[0] <= drawn[1] - drawn[0]
    assert found == {(1_000, "aevb"): [1], (50_000, "wake_sleep"): [1], (1_000, "mcem"): []}


@pytest.mark.parametrize("samples", [1, 9_999, 10_000, 20_000, 123_456, 10**6, 10**8])
def test_the_grid_up_to_a_length_is_the_beginning_of_every_longer_one(samples):
    grid = points_up_to(samples, 10, 10_000)
    assert grid == sorted(set(grid))
    assert grid[-1] == samples
    assert {10**k for k in range(4, 9) if 10**k <= samples} <= {*grid}
    longer = points_up_to(7 * samples, 10, 10_000)
    assert grid[:-1] == longer[: len(grid) - 1]


def test_the_grid_has_no_end_and_no_point_twice(array, tmp_path):
    config = small_job(tmp_path, array, points_per_decade=1_000, first_point=1).config
    found = []
    for point in points(config):
        found.append(point)
        if point > 10**7:
            break
    assert found[0] == 1
    assert all(a < b for a, b in itertools.pairwise(found))
    kept = [b for a, b in itertools.pairwise([0, *found]) if passes_power_of_ten(a, b)]
    assert kept == [10**k for k in range(8)]


@pytest.mark.parametrize(("before", "now", "passed"), [
    (0, 5, True), (1, 9, False), (9, 10, True), (10, 99, False), (90, 120, True), (999, 1_000, True),
    (1_000, 9_999, False),
])  # fmt: skip
def test_a_step_that_goes_past_a_power_of_ten_passes_it(before, now, passed):
    assert passes_power_of_ten(before, now) == passed


def test_an_end_between_two_points_of_the_grid_is_told_from_one_on_it(tmp_path, array):
    for samples, on_grid in ((1_000, True), (1_100, False), (1_585, True), (40_000, False), (39_811, True)):
        job = small_job(tmp_path / str(samples), array, samples=samples, first_point=100)  # 1,585 is reached at 1,600
        run(job)
        assert ends_on_grid(job.config, curve(job)["samples"]) == on_grid


def test_models_are_kept_at_powers_of_ten_however_dense_the_grid_is(tmp_path, array):
    job = small_job(tmp_path, array, samples=1_200, first_point=1, points_per_decade=1_000)
    run(job)
    assert job.folder.model_samples() == [20, 100, 1_000, 1_200]
