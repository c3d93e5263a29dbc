"""A run that diverges is stored with its last finite point, shown in figure and table, and harms no other."""

import pandas as pd

from harness.command import main as command_line
from harness.command.arguments import parser
from harness.command.options import read_request
from harness.figures.plan import make_plan
from harness.runs import run as run_module
from harness.runs.train import run
from tests.support import SMALL
from tests.tally import tally

# Its first points are those of no step.
PROTOCOL = SMALL.replace("warm_up=5", "warm_up=550") + "+decoder=gaussian+decoder_log_var=hidden"


def test_a_diverged_run_is_in_figure_and_table_and_the_others_are_whole(array, tmp_path, monkeypatch, capsys):
    arguments = ["--figure", 2, "--dataset", array, "--latent", 2, "--method", "aevb", "--protocol", PROTOCOL]
    arguments = [*arguments, "--results", tmp_path / "results", "--samples", "2e4", "--seed", 0, 1, 2]
    arguments = [str(argument) for argument in arguments]
    jobs = make_plan(read_request(parser().parse_args(arguments))).jobs
    for job in jobs:
        with monkeypatch.context() as patch:
            if job.config.seed == 1:
                patch.setattr(run_module, "choose_step_size", lambda *_: 1e30)
            run(job)
    folder = tmp_path / "results" / "figure2"
    assert command_line.main([*arguments[: arguments.index("--samples")], "--plot-only"]) == 0
    runs = pd.read_csv(folder / "runs.csv").set_index("seed")
    assert runs["status"].to_dict() == {0: "finished", 1: "diverged", 2: "finished"}
    assert "no longer finite at" in runs.loc[1, "message"]
    curves = pd.read_csv(folder / "figure2.csv")
    ends = curves.groupby("seed")["samples"].max().to_dict()
    assert ends[0] == ends[2] == 20_000
    assert 0 < ends[1] < runs.loc[1, "samples"] < 20_000
    assert curves["lower_bound"].notna().all()
    for job in jobs:
        stored = curves[curves["seed"] == job.config.seed]["lower_bound"]
        assert sorted(stored) == sorted(job.folder.read_curve()["lower_bound"])
    assert "AEVB diverged (seed\N{NO-BREAK SPACE}1)" in (folder / f"figure2-{PROTOCOL}.svg").read_text()
    assert "Traceback" not in capsys.readouterr().err
    tally("diverged runs")
