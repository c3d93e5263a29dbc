"""Tables of studies and benchmarks that somebody has changed are told in one line, and nothing is drawn of them."""

import json
import shutil

import pytest

from harness.command.main import main
from tests.bad_input import check_refusal, contents, run
from tests.support import ROOT
from tests.tally import tally

REFERENCE = ROOT / "results" / "reference"


def columns(keep):
    """The table with these of its columns."""
    return lambda text: "".join(",".join(keep(line.split(","))) + "\n" for line in text.splitlines())


CHANGES = {
    "other columns": lambda text: "a,b\n1,2\n",
    "half of the columns": columns(lambda cells: cells[: len(cells) // 2]),
    "semicolons": lambda text: text.replace(",", ";"),
    "cut in a row": lambda text: text[: len(text) // 2].rstrip("\n"),
    "cut before its end": lambda text: text[:-2],
}
STUDIES = {
    "gaps": "gaps.csv", "marginal": "marginal.csv", "models": "models.csv", "reparameterization": "variance.csv",
    "step-sizes": "step-sizes.csv",
}  # fmt: skip


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store of the reader's own with the project's studies and benchmarks, beside which there is nothing."""
    monkeypatch.chdir(tmp_path)

    def copy(name):
        shutil.copytree(REFERENCE / name, tmp_path / "results" / name)
        return tmp_path / "results" / name

    return copy


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize(("study", "table"), STUDIES.items())
def test_a_changed_table_of_a_study_is_told_in_one_line(study, table, change, store):
    folder = store(f"studies/{study}")
    path = folder / table
    path.write_text(change(path.read_text()))
    before = contents(folder)
    status, _, complained = run(["--study", study, "--plot-only"])
    check_refusal(status, "", complained)
    assert f"results must be as they were written; results/studies/{study}" in complained
    assert "remove it" in complained or "the command without --plot-only writes it anew" in complained
    assert contents(folder) == before
    tally("changed tables")


@pytest.mark.parametrize(
    ("claim", "table"),
    [("C9", "marginal/marginal.csv"), ("C3", "models/models.csv"), ("C4", "reparameterization/variance.csv")],
)
@pytest.mark.parametrize("change", ["other columns", "half of the columns", "cut in a row"])
def test_a_claim_is_not_measured_on_a_changed_table(claim, table, change, store, tmp_path):
    path = store("studies") / table
    path.write_text(CHANGES[change](path.read_text()))
    status, printed, complained = run(["--claims", claim])
    check_refusal(status, printed, complained)
    assert "results must be as they were written; results" in complained
    assert table in complained or f"what {claim} is measured on is made anew by `python reproduce.py --" in complained
    tally("changed tables")


RECORDS = {
    "a list": lambda content: [content], "no records": lambda content: content | {"measured": None},
    "records without names": lambda content: content | {"measured": [{"suite": "learner"}]},
    "texts": lambda content: content | {"measured": ["x"], "roofs": ["x"], "steps": ["x"]},
    "no environment": lambda content: content | {"environment": None},
}  # fmt: skip


@pytest.mark.parametrize("change", RECORDS.values(), ids=RECORDS)
def test_changed_timings_are_told_in_one_line(change, store):
    folder = store("benchmarks")
    for path in sorted(folder.glob("*.json")):
        path.write_text(json.dumps(change(json.loads(path.read_text()))))
    before = contents(folder)
    status, printed, complained = run(["--benchmark", "--plot-only"])
    check_refusal(status, printed, complained)
    assert contents(folder) == before
    tally("changed tables")


def test_the_page_is_not_made_of_a_changed_table(store, monkeypatch, tmp_path):
    path = store("studies/marginal") / "marginal.csv"
    path.write_text(CHANGES["other columns"](path.read_text()))
    monkeypatch.setattr("harness.report.make._write_models", lambda _: None)
    status, _, complained = run(["--report", "--plot-only"])
    told, complaint = complained.splitlines(keepends=True)
    assert told.startswith("reading what is stored")
    check_refusal(status, "", complaint)
    assert "results must be as they were written; results: KeyError" in complaint
    assert not (tmp_path / "results" / "report.html").exists()


def test_what_is_whole_is_shown(store):
    store("studies")
    store("benchmarks")
    assert main(["--study", "marginal", "--plot-only"]) == 0
    assert main(["--benchmark", "--plot-only"]) == 0


def test_the_catalogue_tells_a_table_with_a_word_for_a_number(store):
    path = store("studies") / "marginal" / "marginal.csv"
    rows = path.read_text().splitlines()
    path.write_text("\n".join([rows[0], rows[1].rpartition(",")[0] + ",fast", *rows[2:]]) + "\n")
    status, printed, complained = run(["--list"])
    check_refusal(status, printed, complained)
    assert "results/studies/marginal/marginal.csv" in complained
