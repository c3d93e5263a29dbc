"""The noise of a trained model's bound is what drawing it anew changes; a manifold's steps are those of its images."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats

from aevb import shipped
from aevb.encoder import GaussianEncoder
from aevb.errors import UserError
from aevb.estimators import evaluate_lower_bound
from aevb.model import BernoulliModel
from harness.claims.measure import measure_claims
from harness.claims.results import Results
from harness.experiments.paper import FIGURE4
from harness.figures.request import Request
from harness.store.shelves import Shelves
from harness.studies.models.measure import bound_noise, steps
from harness.studies.models.study import STUDIES, parts_of, run_study
from harness.studies.models.table import format_models
from harness.workers.parts import study_folder
from tests.report_store import SAMPLES, random_model

GENERATOR = torch.Generator().manual_seed(0)


def test_the_noise_of_the_bound_is_its_spread_over_draws():
    model = BernoulliModel(n_latent=2, n_pixels=12, hidden=(6,), generator=GENERATOR)
    encoder = GaussianEncoder(n_pixels=12, n_latent=2, hidden=(6,), generator=GENERATOR)
    with torch.no_grad():
        for parameter in (*model.parameters(), *encoder.parameters()):
            parameter.normal_(0, 1.0, generator=GENERATOR)
    x = torch.rand(40, 12, generator=GENERATOR)
    means = [float(evaluate_lower_bound(model, encoder, x, GENERATOR).mean()) for _ in range(2000)]
    noise, error = bound_noise(model, encoder, x, 200, GENERATOR)
    spread = np.std(means, ddof=1)
    assert noise == pytest.approx(spread, abs=4 * math.hypot(error, spread / math.sqrt(2 * len(means))))
    found = [bound_noise(model, encoder, x, 20, GENERATOR) for _ in range(100)]
    own = np.std([each[0] for each in found], ddof=1)
    # The error is also over the rows, which are the same here: it may be too large, not too small.
    assert own < 1.3 * np.mean([each[1] for each in found])


def test_the_steps_of_a_flat_manifold_are_those_of_its_grid():
    model = SimpleNamespace(n_latent=2, pixel_mean=lambda z: z)  # two pixels, which show where they are
    mean, largest, apart = steps(model, 10)
    z = stats.norm.ppf((np.arange(10) + 0.5) / 10)
    assert mean == pytest.approx(np.diff(z).mean() / math.sqrt(2), rel=1e-5)
    assert largest == pytest.approx(np.diff(z).max() / math.sqrt(2), rel=1e-5)
    points = np.stack(np.meshgrid(z, z), -1).reshape(-1, 2)
    distances = np.sqrt(((points[:, None] - points) ** 2).mean(-1))[np.triu_indices(100, 1)]
    assert apart == pytest.approx(distances.mean(), rel=1e-5)


def test_images_without_order_are_as_far_apart_beside_each_other_as_anywhere():
    model = SimpleNamespace(n_latent=2, pixel_mean=lambda z: torch.rand(*z.shape[:-1], 50, generator=GENERATOR))
    mean, largest, apart = steps(model, 20)
    assert mean == pytest.approx(apart, rel=0.02)
    assert largest > apart


@pytest.fixture
def request_(tmp_path, monkeypatch):
    """A store with nothing published behind it."""
    monkeypatch.setattr(shipped, "RESULTS", tmp_path / "none")
    return Request(results=tmp_path, workers=1)


def test_kept_models_are_measured_once_and_claims_take_it_from_there(tmp_path, request_):
    (config,) = FIGURE4.configs("author", ["mnist"], [0])
    for seed in (0, 1):
        random_model(Shelves(tmp_path), replace(config, seed=seed), SAMPLES)
    study, folder = STUDIES["smoke"], study_folder(tmp_path, "models")
    table = run_study(study, folder, request_)
    assert table["seed"].tolist() == [0, 1]
    assert (table["noise"] > 0).all()
    assert (table["largest"] >= table["step"]).all()
    assert run_study(study, folder, request_).equals(table)
    assert "MNIST" in format_models(table)
    noise, smooth = measure_claims(Results(Shelves(tmp_path)), ["C3", "C11"])
    told = {item.name: item for item in (*smooth.items, *noise.items)}
    step = told["MNIST, largest step over distance"]
    assert (step.value, step.seeds) == (pytest.approx((table["largest"] / table["apart"]).mean()), 2)
    assert told["MNIST, noise of the test bound, N_z = 2, AEVB"].value == pytest.approx(table["noise"].mean())


def test_other_methods_and_protocols_have_no_part(tmp_path, request_):
    (config,) = FIGURE4.configs("author", ["mnist"], [0])
    for other in (replace(config, method="iwae"), *FIGURE4.configs("paper", ["mnist"], [0])):
        random_model(Shelves(tmp_path), other, SAMPLES)
    assert parts_of(STUDIES["smoke"], tmp_path, request_) == []


def test_without_a_model_it_is_told_what_makes_one(tmp_path, request_):
    with pytest.raises(UserError, match="keeps none"):
        run_study(STUDIES["smoke"], study_folder(tmp_path, "models"), request_)
