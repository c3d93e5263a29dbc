"""What the catalogue says that the rest costs: hours of CPUs, from runs that a CPU has computed."""

import json
import math
from dataclasses import replace

import pytest

from harness.command.catalogue import catalogue
from harness.command.costs import Speeds
from harness.experiments.config import Config
from harness.figures.request import Request
from harness.store.checksums import write_checked
from harness.store.files import write_text
from harness.store.run_folder import RunFolder
from harness.store.status import Status
from harness.studies.marginal import study as marginal
from harness.workers.parts import begin_study
from tests.claims_store import nothing_published

pytestmark = pytest.mark.usefixtures(nothing_published.__name__)
MILLION, HOUR = 1_000_000, 3600
CONFIG = Config(dataset="mnist", method="aevb", n_latent=10, seed=0, protocol="author", hidden=(500,))


def write_run(results, rate, kind="cpu", **changes):
    """A run of a million samples, this many a second, whose logged points took nothing."""
    folder = RunFolder(results / "runs", replace(CONFIG, **changes))
    folder.begin({"device": "made up", "device_type": kind, "started": ""})
    folder.write_status(Status("finished", MILLION, MILLION, None, rate, 0.0, 0.02))
    return folder


def hours(results, **changes):
    speeds = Speeds(Request(results=results))
    return speeds.core_hours(replace(CONFIG, **changes), 0, MILLION)


def test_a_gpus_run_says_nothing_of_core_hours(tmp_path):
    write_run(tmp_path, 1e6, "cuda")
    assert math.isnan(hours(tmp_path))
    write_run(tmp_path, 1e4, seed=1)
    assert hours(tmp_path) == pytest.approx(100 / HOUR)


def test_for_want_of_a_like_run_the_most_similar_one_counts(tmp_path):
    write_run(tmp_path, 1e4, n_latent=20)
    write_run(tmp_path, 5e3, n_latent=200)
    assert hours(tmp_path) == pytest.approx(100 / HOUR)
    assert hours(tmp_path, n_latent=150) == pytest.approx(200 / HOUR)
    assert hours(tmp_path, method="wake_sleep") == pytest.approx(100 / HOUR)
    write_run(tmp_path, 2.5e3, method="wake_sleep", n_latent=200)
    assert hours(tmp_path, method="wake_sleep") == pytest.approx(400 / HOUR)


@pytest.mark.parametrize("changes", [{"method": "mcem"}, {"dataset": "frey_face"}, {"hidden": (100,)}], ids=str)
def test_what_costs_another_order_is_not_estimated(tmp_path, changes):
    write_run(tmp_path, 1e4)
    assert math.isnan(hours(tmp_path, **changes))


def test_the_faster_of_two_like_runs_counts(tmp_path):
    write_run(tmp_path, 1e3)
    write_run(tmp_path, 1e4, seed=1)
    assert hours(tmp_path, seed=2) == pytest.approx(100 / HOUR)


def test_what_a_study_costs_is_told_of_the_size_that_is_stored_alone(tmp_path):
    folder = tmp_path / "studies" / "marginal"

    def told():
        table = catalogue(Request(results=tmp_path), Speeds(Request(results=tmp_path)))
        return table[table["what"] == "study marginal"].set_index("scale")["core_hours"].to_dict()

    for stored in ("smoke", "quick"):
        write_text(folder / "marginal.csv", f"seconds\n{HOUR}\n{HOUR}\n")
        begin_study(marginal.STUDIES[stored], folder, [], force=False)
        assert told() == pytest.approx({**dict.fromkeys(marginal.STUDIES, math.nan), stored: 2}, nan_ok=True)
    (folder / "config.json").unlink()
    assert all(map(math.isnan, told().values())), "of a size that is not known"


def test_a_damaged_record_of_the_device_counts_for_none(tmp_path):
    folder = write_run(tmp_path, 1e4)
    write_checked(folder.path / "environment.json", json.dumps({"no": "list"}))
    assert folder.device_type() == folder.devices() == ""
    assert math.isnan(hours(tmp_path))
