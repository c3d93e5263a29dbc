import shutil
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from aevb.errors import UserError
from aevb.marginal.estimate import MarginalEstimate
from harness.experiments.paper import FIGURE3
from harness.figures import reestimate
from harness.figures.bias import format_bias
from harness.figures.reestimate import Snapshot
from harness.runs import evaluate
from harness.runs.build import build_learner, load, prepare
from harness.runs.evaluate import LowerBoundEvaluator, MarginalEvaluator
from harness.runs.train import run
from tests import head_start
from tests.support import ROOT, environment, reproduce, small_job

SMALL = "author+hidden=[8]+points_per_decade=3+step_size=0.05+first_point=10000"
MCEM = {"method": "mcem", "batch_size": 0, "warm_up": 0, "measure": "marginal_log_likelihood", "samples": 20_000}

# The command as it is, but for AIS of few temperatures: what better estimates are worth, another test looks at.
QUICKLY = f"""
import sys
sys.path[0] = {str(ROOT)!r}
from aevb.marginal.ais import ais_log_likelihood
from aevb.marginal.annealing import Annealing, sigmoidal_schedule
from harness.command.start import start
from harness.figures import reestimate
from tests import forking
few = Annealing(sigmoidal_schedule(20), n_chains=4)
reestimate.ais_log_likelihood = lambda model, x, generator: ais_log_likelihood(model, x, generator, few)
forking.fork_workers()
sys.exit(start())
"""


def test_figure_3_has_the_papers_six_curves():
    configs = FIGURE3.configs("author", ["mnist"], [0])
    assert [(c.n_train, c.method) for c in configs] == [
        (n, m) for n in (1_000, 50_000) for m in ("aevb", "wake_sleep", "mcem")
    ]
    assert {(c.n_latent, c.hidden, c.evaluation_points, c.posterior_samples) for c in configs} == {
        (3, (100,), 1000, 50)
    }
    assert [c.step_size for c in configs] == [0.1, 0.1, 0.1, 0.02, 0.02, 0.1]


def test_the_paper_protocol_gives_mcem_a_number_where_there_is_no_bound_to_compare():
    configs = FIGURE3.configs("paper", ["mnist"], [0])
    assert {c.method: c.step_size for c in configs} == {"aevb": "auto", "wake_sleep": "auto", "mcem": 0.1}


def test_only_the_first_n_training_points_are_used(tmp_path, array):
    config = small_job(tmp_path, array, n_train=50).config
    dataset = load(config, array)
    data = prepare(config, dataset, torch.device("cpu"))
    assert torch.equal(data.train, dataset.train[:50])
    assert torch.equal(data.train_points, dataset.train[:50])


def test_mcem_counts_fifteen_evaluations_a_point_and_logs_both_splits(tmp_path, array):
    job = small_job(tmp_path, array, **MCEM)
    assert run(job).state == "finished"
    curve = job.folder.read_curve()
    assert [*curve["samples"].unique()] == [10_800, 18_000, 21_600]  # multiples of 15 · 240
    assert {*curve["split"]} == {"train", "test"}
    assert {"ess", "without_estimate", "untrusted", "seconds"} <= {*curve.columns}
    assert curve["training_acceptance"].between(0.5, 1).all()
    assert (curve["training_stuck"] == 0).all()


def test_the_lower_bound_of_a_learner_without_encoder_is_refused(tmp_path, array):
    config = small_job(tmp_path, array, **MCEM).config
    data = prepare(config, load(config, array), torch.device("cpu"))
    with pytest.raises(ValueError, match="needs an encoder"):
        LowerBoundEvaluator(data).measure(build_learner(config, data, 0.05), 0)


def test_the_evaluation_chains_persist_and_their_state_goes_on_bit_for_bit(tmp_path, array):
    config = small_job(tmp_path, array, **MCEM).config
    data = prepare(config, load(config, array), torch.device("cpu"))
    learner = build_learner(config, data, 0.05)
    one, other = MarginalEvaluator(config, data), MarginalEvaluator(config, data)
    first = one.measure(learner, 3_600)
    other.load_state_dict(one.state_dict())
    second = one.measure(learner, 7_200)
    assert second == other.measure(learner, 7_200)
    assert second != first


def test_chains_that_go_on_from_the_papers_points_alone_do_not_see_the_others(tmp_path, array, monkeypatch):
    counts = [7_200, 25_000]
    for place in ("runs.curve", "runs.evaluate"):
        monkeypatch.setattr(f"harness.{place}.paper_counts", lambda config: counts)
    curves = {}
    for chains in ("every_point", "paper_points"):
        for density in (1, 8):
            changes = {"points_per_decade": density, "paper_points": True, "posterior_chains": chains}
            job = small_job(tmp_path, array, **MCEM | changes | {"samples": 40_000, "first_point": 1_000})
            run(job)
            curves[chains, density] = job.folder.read_curve().set_index(["samples", "split"])
    at = [7_200, 25_200]  # each iteration of 3,600 evaluations
    for chains, is_alike in (("every_point", False), ("paper_points", True)):
        sparse, dense = (curves[chains, density]["marginal_log_likelihood"] for density in (1, 8))
        assert len(dense) > len(sparse)
        assert dense.loc[at].equals(sparse.loc[at]) == is_alike


def test_chains_from_the_papers_points_grow_to_the_curve_they_have_at_once(tmp_path, array, monkeypatch):
    for place in ("runs.curve", "runs.evaluate"):
        monkeypatch.setattr(f"harness.{place}.paper_counts", lambda config: [7_200, 25_000])
    changes = MCEM | {"first_point": 1_000, "paper_points": True, "posterior_chains": "paper_points"}
    curves = []
    for name, lengths in {"at once": [60_000], "grown": [7_200, 12_000, 30_000, 60_000]}.items():
        for samples in lengths:
            job = small_job(tmp_path / name, array, **changes | {"samples": samples})
            assert run(job).state == "finished"
        curves.append(job.folder.read_curve().drop(columns="seconds"))
    assert curves[0].equals(curves[1])


def test_an_evaluation_between_the_papers_points_begins_as_the_last_of_them_ended(tmp_path, array, monkeypatch):
    monkeypatch.setattr(evaluate, "paper_counts", lambda config: [7_200])
    config = small_job(tmp_path, array, **MCEM, posterior_chains="paper_points").config
    data = prepare(config, load(config, array), torch.device("cpu"))
    learner = build_learner(config, data, 0.05)
    evaluator = MarginalEvaluator(config, data)
    before = evaluator.measure(learner, 3_600)
    assert before == evaluator.measure(learner, 3_600) == evaluator.measure(learner, 7_200)  # all begin anew
    between = evaluator.measure(learner, 10_800)
    assert between == evaluator.measure(learner, 14_400)
    assert between != before


def test_points_without_an_estimate_are_counted_and_not_averaged(tmp_path, array, monkeypatch):
    config = small_job(tmp_path, array, **MCEM).config
    data = prepare(config, load(config, array), torch.device("cpu"))
    values = torch.tensor([-3.0, torch.nan, -5.0, -torch.inf])
    fake = MarginalEstimate(
        "fake", values, torch.ones(4), torch.ones(4), torch.ones(4), torch.zeros(4).int(), values.isfinite()
    )
    monkeypatch.setattr(evaluate, "appendix_d_log_likelihood", lambda *_, **__: (fake, None))
    measured = MarginalEvaluator(config, data).measure(build_learner(config, data, 0.05), 0)["test"]
    assert measured["marginal_log_likelihood"] == -4
    assert measured["standard_error"] == pytest.approx(np.std([-3, -5], ddof=1) / 2**0.5)
    assert (measured["without_estimate"], measured["untrusted"]) == (2, 2)


def test_a_snapshots_better_estimates_agree_with_each_other(tmp_path, array):
    job = small_job(tmp_path, array, **MCEM)
    run(job)
    snapshot = Snapshot(job, 21_600)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        snapshot.compute()
    rows = pd.read_csv(snapshot.job.folder.estimates(21_600)).set_index(["split", "estimator"])
    assert {*rows.index} == {(s, e) for s in ("train", "test") for e in ("importance", "ais")}
    curve = job.folder.read_curve().query("samples == 21600").set_index("split")
    for split in ("train", "test"):
        better = rows.loc[(split, "importance")]
        n = better["datapoints"]
        assert better["bias"] == pytest.approx(better["appendix_d"] - better["marginal_log_likelihood"])
        # The tests' arrays have 60 test points: importance sampling sees all that appendix D has seen.
        if split == "test":
            assert n == 60 - better["without_estimate"]
            assert better["appendix_d"] == pytest.approx(curve.loc[split, "marginal_log_likelihood"], rel=1e-6)
        assert abs(better["bias"]) < 2


def test_another_runs_model_is_not_re_estimated_as_this_runs(tmp_path, array):
    job = small_job(tmp_path, array, **MCEM | {"samples": 7_200})
    other = replace(job, config=replace(job.config, seed=1))
    for each in (job, other):
        run(each)
    shutil.copy(other.folder.model(7_200), job.folder.model(7_200))
    with pytest.raises(UserError, match=f"7200.pt: it is of the run {other.config.id}; compute the run anew"):
        Snapshot(job, 7_200).compute()
    assert not job.folder.estimates(7_200).exists()


def test_the_bias_is_of_paired_points():
    estimate = MarginalEstimate(
        "fake", torch.tensor([-3.0, -4.0, torch.nan]), *[torch.ones(3)] * 3, torch.zeros(3).int(), torch.ones(3).bool()
    )
    row = reestimate._compare(estimate, torch.tensor([-4.0, -4.5, -9.0, -1.0]))
    assert row["bias"] == pytest.approx(-0.75)
    assert row["bias_standard_error"] == pytest.approx(np.std([-1, -0.5], ddof=1) / 2**0.5)
    assert (row["datapoints"], row["without_estimate"], row["largest_deficit"]) == (2, 1, 1.0)


def test_the_table_shows_what_the_worst_point_carries_and_how_many_are_untrusted():
    estimates = pd.DataFrame(
        [
            {"dataset": "mnist", "n_train": 1000, "method": "aevb", "seed": 0, "split": "test", "samples": samples,
             "estimator": "importance", "datapoints": 200, "bias": -1.04, "bias_standard_error": 0.86,
             "largest_deficit": 161.1, "without_estimate": 3, "untrusted": 7}
            for samples in (10, 100)
        ]
    )  # fmt: skip
    printed = format_bias(estimates, ("dataset", "n_train", "method"))
    # Of the sum of 200 differences, −208, one datapoint is −161.1: the others' mean is −46.9/199.
    assert printed.splitlines()[-1].split()[-6:] == ["importance", "-1.04", "0.86", "-161.1", "-0.24", "7/203"]
    assert max(map(len, printed.splitlines())) <= 80
    assert "of the last model of each run that has one, at 10² samples;" in " ".join(printed.split())
    other = pd.concat([estimates, estimates.assign(seed=1, samples=250)])
    assert " at 10² to 2.5·10² samples;" in " ".join(format_bias(other, ("dataset", "n_train", "method")).split())
    above = format_bias(estimates.assign(worst=161.1), ("dataset", "n_train", "method"))
    assert above.splitlines()[-1].split()[-3:] == ["+161.1", "-1.85", "7/203"]


def test_figure_3_from_the_command_line(array, tmp_path):
    arguments = ["--figure", "3", "--dataset", array.name, "--protocol", SMALL, "--samples", "2e4", "--re-estimate"]
    done = head_start.run(["-c", QUICKLY, *arguments], tmp_path, environment(XDG_CACHE_HOME=str(tmp_path / "cache")))
    assert done.returncode == 0, done.stderr
    folder, runs = tmp_path / "results" / "figure3", tmp_path / "results" / "runs"
    table = pd.read_csv(folder / "figure3.csv")
    assert {*table["method"]} == {"aevb", "wake_sleep", "mcem"}
    assert {*table["split"]} == {"train", "test"}
    assert {f"figure3-{SMALL}.png", f"figure3-{SMALL}.svg", "runs.csv", "comparison.csv"} <= {
        path.name for path in folder.iterdir()
    }
    estimates = pd.read_csv(folder / "reestimates.csv")
    assert {*estimates["estimator"]} == {"importance", "ais"}
    kept = {(path.parts[-3].split("-")[2], int(path.stem)) for path in runs.glob("*/models/*.pt")}
    assert {*zip(estimates["method"], estimates["samples"], strict=True)} == kept
    last = table.groupby("method")["samples"].max()
    assert {*last.items()} < kept <= {*zip(table["method"], table["samples"], strict=True)}
    assert "appendix D minus a better estimate" in done.stdout
    assert "MCEM seed 0 train" in format_bias(estimates, FIGURE3.key)
    assert done.stdout.count("re-estimated at") == len(estimates) / 4
    again = reproduce(*arguments, cwd=tmp_path)
    assert "re-estimated at" not in again.stdout, "estimates were computed again"
