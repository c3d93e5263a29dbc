import numpy as np
import pandas as pd
import pytest

from harness.figures.request import Request
from harness.studies.step_sizes import study
from harness.studies.step_sizes.study import StepSizesStudy, parts_of, run_study
from harness.studies.step_sizes.table import format_step_sizes, picks

NAME = {"measure": "lower_bound", "dataset": "mnist", "n_train": 0, "n_latent": 10, "method": "aevb"}


def measured(bounds):
    """Rows of one curve from {step size: bounds of its seeds}."""
    return pd.DataFrame(
        {**NAME, "step_size": eta, "seed": seed, "iterations": 200, "bound": bound}
        for eta, values in bounds.items()
        for seed, bound in enumerate(values)
    )


@pytest.mark.parametrize(
    ("bounds", "pick", "sure"),
    [
        ({0.01: (-200, -201), 0.02: (-190, -191), 0.1: (-300, -310)}, 0.02, True),
        ({0.01: (-200, -201), 0.02: (-190, -212), 0.1: (-300, -310)}, 0.01, False),
        ({0.01: (-200, -201), 0.02: (-190, np.nan), 0.1: (np.inf, -310)}, 0.01, True),
    ],
)
def test_the_best_mean_bound_is_picked_and_what_is_not_finite_loses(bounds, pick, sure):
    (row,) = picks(measured(bounds)).to_dict("records")
    assert (row["pick"], row["decided"], row["protocol"]) == (pick, sure, 0.02)
    assert ("?" in format_step_sizes(measured(bounds)).split("protocol\n")[1].splitlines()[0]) != sure


def test_hits_are_counted_of_all_curves_and_of_those_whose_lead_is_decided():
    sure = measured({0.01: (-200, -201), 0.02: (-190, -191), 0.1: (-300, -310)})
    other = sure.assign(n_latent=20, step_size=sure["step_size"].map({0.01: 0.02, 0.02: 0.01, 0.1: 0.1}))
    open_ = measured({0.01: (-200, -212), 0.02: (-190, -211), 0.1: (-300, -310)}).assign(n_latent=200)
    said = " ".join(format_step_sizes(pd.concat([sure, other, open_])).split())
    assert said.endswith("After 200 iterations it picks the protocol's η for 2 of 3 curves; of the 2 without ?, for 1.")


def test_every_curve_whose_learner_has_bounds_is_tried_with_every_step_size(tmp_path):
    parts = parts_of(StepSizesStudy(seeds=(0,)), tmp_path, None)
    assert len(parts) == 3 * (18 + 4)
    assert len({part.files for part in parts}) == len(parts)


def test_the_bounds_are_those_of_the_run(tmp_path, monkeypatch):
    small = StepSizesStudy((110, 130), 10, (0,))
    every = parts_of(small, tmp_path, None)
    few = [part for part in every if (part.config.n_latent, part.config.method, part.config.n_train) == (3, "aevb", 0)]
    monkeypatch.setattr(study, "parts_of", lambda *_: few)
    table = run_study(small, tmp_path, Request(results=tmp_path, workers=1))
    assert sorted(table["step_size"].unique()) == [0.01, 0.02, 0.1]
    early, late = (table[table["iterations"] == n].set_index("step_size")["bound"] for n in (110, 130))
    assert (late > early).all()  # it has begun to climb, after a warm-up in which all are alike
    again = run_study(small, tmp_path, Request(results=tmp_path, workers=1))
    pd.testing.assert_frame_equal(table, again)
