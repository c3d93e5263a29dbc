from pathlib import Path

import pytest
import torch

from harness.runs.build import build_learner, load, prepare
from harness.store.tensors import load_saved
from harness.studies.reparameterization import curve
from harness.studies.reparameterization.plot import plot_reparameterization
from harness.studies.reparameterization.study import parts_of, run_study
from harness.studies.reparameterization.table import (
    BASELINE,
    CURVE,
    ESTIMATORS,
    NAIVE,
    B,
    format_study,
)
from harness.studies.reparameterization.training import Study, Training, draw_batch, fresh
from harness.workers.local import Local
from harness.workers.parts import compute_once
from tests.support import reproduce

SMALL = Study(
    stages=(0, 100_000),
    points=60,
    draws=16,
    replicates=20,
    curve_samples=2_000,
    seeds=(0,),
    pair_seeds=(0, 1),
    n_latent=2,
    hidden=(10,),
    simulated=((1, 100),),
    step_sizes=(0.02,),
    test_points=50,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "studies" / "reparameterization"
    for part in parts_of(SMALL, folder):
        compute_once(part)
    return folder


@pytest.fixture(scope="module")
def tables(folder):
    return run_study(SMALL, folder, Local(1))


def test_variances_fall_as_one_over_m_and_within_datapoints_as_one_over_l(tables):
    variance, _ = tables
    wide = variance.set_index(["stage", "estimator", "n_samples", "batch_size"])["variance"].unstack("batch_size")
    for m in (10, 100, 1000):
        assert wide[m].to_numpy() * m == pytest.approx(wide[1].to_numpy())
    rows = variance[(variance["batch_size"] == 1) & (variance["estimator"] != BASELINE)]
    within = rows.assign(within=(rows["variance"] - rows["between_datapoints"]) * rows["n_samples"])
    for _, group in within.groupby(["stage", "estimator"]):
        assert group["within"].to_numpy() == pytest.approx(group["within"].iloc[0], rel=1e-6)


def test_the_naive_estimator_is_noisiest_and_estimator_b_least_noisy(tables):
    variance, _ = tables
    one = variance[(variance["n_samples"] == 1) & (variance["batch_size"] == 1)]
    for _, stage in one.groupby("stage"):
        found = stage.set_index("estimator")["variance"]
        assert found.idxmax() == NAIVE
        assert found.idxmin() == B


def test_simulated_variances_are_there_where_they_are_asked_for(tables):
    simulated = tables[0].dropna(subset="simulated")
    assert len(simulated) == len(SMALL.stages) * len(ESTIMATORS)
    off = (simulated["simulated"] - simulated["variance"]).abs()
    assert (off < 5 * (simulated["simulated_error"] + simulated["standard_error"])).all()


def test_every_estimator_and_l_has_the_same_minibatches_of_a_seed(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(curve, "draw_batch", lambda *args: seen.append(batch := draw_batch(*args)) or batch)
    for estimator, n_samples in ((B, 1), (B, 10), (NAIVE, 1)):
        curve.Curve(SMALL, tmp_path, estimator, 100, n_samples, 0.02, 0).compute()
    indices = torch.stack([batch.indices for batch in seen]).unflatten(0, (3, -1))  # 20 steps each
    assert torch.equal(indices[0], indices[1])
    assert torch.equal(indices[0], indices[2])
    assert not torch.equal(indices[0, 0], indices[0, 1])


def test_every_curve_visits_as_many_datapoints(tables):
    _, curves = tables
    last = curves.groupby([*CURVE]).tail(1)
    assert {*zip(last["batch_size"], last["n_samples"], strict=True)} == {(100, 1), (100, 10), (10, 1), (10, 10)}
    assert (last["samples"] == 2_000).all()
    assert (last["evaluations"] == 2_000 * last["n_samples"]).all()


def test_the_stages_are_models_of_a_run_in_the_pool(folder):
    training = Training(SMALL, folder)
    assert training.job.folder.path.parent == folder.parents[1] / "runs"
    assert training.job.is_done()
    (path,) = training.files
    before, kept = path.stat().st_mtime_ns, load_saved(path)
    compute_once(training)
    assert path.stat().st_mtime_ns == before, "nothing is computed twice"
    path.unlink()
    compute_once(training)
    assert torch.equal(kept["encoder"]["mean.weight"], load_saved(path)["encoder"]["mean.weight"])
    _, start = fresh(SMALL, 0)
    assert not torch.equal(start.mean.weight, kept["encoder"]["mean.weight"])


def test_the_study_begins_with_the_weights_that_the_run_begins_with():
    (model, encoder), job = fresh(SMALL, 0), Training(SMALL, Path("results/studies/x")).job
    data = prepare(job.config, load(job.config, None), torch.device("cpu"))
    learner = build_learner(job.config, data, 0.02)
    for one, other in ((model, learner.model), (encoder, learner.encoder)):
        assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in one.state_dict().items())


def test_the_figure_and_the_tables_are_written(tables, tmp_path):
    variance, learning = tables
    printed = format_study(variance, learning)
    assert "after 100,000 samples" in printed
    assert "check by direct simulation of minibatches: 8 variances" in printed
    assert printed.count("Claim (section") == 3
    diverged = learning.assign(
        **{column: learning[column].where(learning["estimator"] != NAIVE) for column in ("train", "test")}
    )
    assert "inf nats lower" in format_study(variance, diverged)
    unknown = variance.assign(signal=-1e-9)
    assert "unknown at the start" in format_study(unknown, learning)
    plot_reparameterization(unknown, diverged, tmp_path / "extreme")
    paths = plot_reparameterization(variance, learning, tmp_path / "reparameterization")
    assert [path.suffix for path in paths] == [".png", ".svg"]
    assert all(path.stat().st_size > 10_000 for path in paths)


def test_the_command_leaves_what_it_promises(tmp_path):
    done = reproduce("--study", "reparameterization", "--scale", "smoke", "--workers", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "studies" / "reparameterization"
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "environment.json", "variance.csv", "curves.csv", "parts",
        "reparameterization.png", "reparameterization.svg",
    }  # fmt: skip
    assert done.stdout.count("Claim (section") == 3
