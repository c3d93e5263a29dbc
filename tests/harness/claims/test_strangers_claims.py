"""A stranger's learner is asked in AEVB's place."""

import math

import numpy as np
import pandas as pd
import pytest

from harness.claims.results import Results
from harness.claims.roster import of_method
from harness.experiments.paper import FIGURE2
from harness.figures.costs import METHODS_FOLDER
from harness.store.shelves import Shelves
from tests.bad_input import check_refusal, run
from tests.claims_store import (
    END,
    JITTER,
    RATE,
    measured,
    nothing_published,
    time_learners,
    write_run,
)

pytestmark = pytest.mark.usefixtures(nothing_published.__name__)


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
    at_equal_seconds = items["MNIST 3, least sure lead at equal seconds"]
    assert at_equal_seconds.value == pytest.approx(ahead + 20 * math.log10(56 / 80))
    assert items["MNIST 5, Beta − wake-sleep"].verdict == "not measured"
    assert found.title == "Beta is faster and better than wake-sleep"
    assert found.commands[0].startswith("--figure 2 --method beta:Beta wake_sleep --seed 0 1 2")
    assert found.commands[1] == "--benchmark --method beta:Beta"
    assert found.core_hours > 0


def test_commands_name_the_protocol_whose_runs_are_asked(tmp_path):
    commands = measured(Results(Shelves(tmp_path), "author+warm_up=0"), "C1").commands
    assert commands == ("--figure 2 --protocol author+warm_up=0 --seed 0 1 2", "--benchmark")


def test_claims_are_asked_of_a_method_by_the_command_and_nothing_of_that_is_stored(tmp_path):
    stored(tmp_path, 5)
    status, printed, complained = run(["--claims", "--method", "beta:Beta", "--results", str(tmp_path)])
    assert status == 0, complained
    assert [line.split()[-5:-2] and line[14:17].strip() for line in printed.splitlines()[3:7]] == [
        *of_method("beta:Beta")
    ]
    assert "With Beta in AEVB's place: AEVB converges" in " ".join(printed.split())
    assert "MNIST 3, Beta − wake-sleep at 10⁷: 5.0" in " ".join(printed.split())
    assert not (tmp_path / "claims").exists()
    refusals = {
        "C1 --protocol author+learner.beta=4": "author+learner.beta=4: make a subclass with that default",
        "C4": "asks C1, C2, C8, C13",
        "C1 --method aevb iwae": "one method in AEVB's place",
        "C8 --method mcem": "mcem asks C13",
        "C1 --method wake_sleep": "wake_sleep asks C2, C8",
        "C1 --method mcem": "mcem asks C13",
    }
    for wrong, what in refusals.items():
        line = f"--claims {wrong} --results {tmp_path}" + ("" if "--method" in wrong else " --method beta:Beta")
        status, printed, complained = run(line.split())
        check_refusal(status, printed, complained)
        assert what in complained
