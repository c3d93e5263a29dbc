"""The time that is left: told from the work that runs take, and from when they move."""

import io
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from aevb.data import frey_face, mnist
from benchmarks.work import flops, step_products
from harness.experiments.paper import EXPERIMENTS
from harness.figures.compute import cost
from harness.store.status import Status
from harness.workers import progress
from harness.workers.progress import Display, Way

PIXELS = {"mnist": mnist.IMAGE_SHAPE, "frey_face": frey_face.IMAGE_SHAPE}
CONFIGS = [
    config
    for experiment in EXPERIMENTS.values()
    for dataset in experiment.panels
    for config in experiment.configs("author", [dataset], [0])
]


class Run:
    """In a folder's place: a run that is as far as it is told to be."""

    def __init__(self, name):
        self.config, self.samples = SimpleNamespace(id=name, name=name), 0

    def is_stale(self):
        return False

    def status(self):
        return Status("running", self.samples) if self.samples else None


@pytest.mark.parametrize("n_samples", [1, 10])
def test_a_samples_work_is_that_of_its_matrix_products(n_samples):
    units = []
    for config in (replace(config, n_samples=n_samples if config.method != "mcem" else 1) for config in CONFIGS):
        n_train, (height, width) = config.n_train or 60_000, PIXELS[config.dataset]
        evaluations = config.chain_leapfrog + config.weight_steps if config.method == "mcem" else 1
        of_a_step = flops(step_products(config, height * width, n_train=n_train))
        units.append(of_a_step / (config.batch_size or n_train) / evaluations / cost(config))
    assert len(units) == 24
    assert max(units) < 1.1 * min(units)


def test_what_is_left_is_told_from_when_runs_move_and_from_what_their_samples_cost(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    dear, cheap = Run("dear"), Run("cheap")
    display = Display(Console(file=io.StringIO()))
    display.start({dear: Way(1_000, 4.0), cheap: Way(2_000, 1.0)})
    display.look()
    assert display._seconds_left() is None
    clock.now, dear.samples = 60.0, 100  # a minute went by in which workers started
    display.look()
    assert display._seconds_left() == pytest.approx((900 * 4 + 2_000) * 60 / 400), "all that is known by now"
    clock.now, dear.samples = 70.0, 200
    display.look()
    assert display._seconds_left() == pytest.approx((800 * 4 + 2_000) * 10 / 400)
    clock.now, cheap.samples = 80.0, 400
    display.look()
    assert display._seconds_left() == pytest.approx((800 * 4 + 1_600) * 20 / 800)
