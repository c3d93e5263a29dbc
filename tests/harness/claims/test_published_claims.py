"""The published claims are what the published results say; README, docs and page say the same."""

import json
import re
import subprocess
import sys
from html import unescape

import pytest

from aevb import shipped
from harness.claims.describe import document
from harness.claims.measure import MEASURES, from_json, measure_claims, to_json
from harness.claims.results import Results
from harness.claims.roster import CLAIMS, NAMES
from harness.claims.show import published_claims, tabulate
from harness.claims.text import format_details, format_table
from harness.store.shelves import Shelves
from tests.support import ROOT, reproduce

FOLDER = shipped.RESULTS / "claims"


@pytest.fixture(scope="module")
def claims():
    return published_claims(shipped.RESULTS)


def test_the_published_claims_are_recomputed_from_the_published_results(claims):
    anew = json.loads(to_json(measure_claims(Results(Shelves(shipped.RESULTS)))))
    stored = json.loads((FOLDER / "claims.json").read_text(encoding="utf-8"))
    assert len(anew) == len(stored) == len(CLAIMS)
    for ours, theirs in zip(anew, stored, strict=True):
        numbers = [[{k: v for k, v in item.items() if isinstance(v, float)} for item in claim.pop("items")]
                   for claim in (ours, theirs)]  # fmt: skip
        hours = {name: pytest.approx(theirs[name]) for name in ("core_hours", "gpu_hours")}
        assert ours == {**theirs, **hours}
        for mine, its in zip(*numbers, strict=True):
            assert mine == pytest.approx(its, rel=1e-4)


def test_the_published_table_is_that_of_the_published_claims(claims):
    assert (FOLDER / "claims.csv").read_text(encoding="utf-8") == tabulate(claims).to_csv(index=False)


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_both_readmes_have_the_table(claims, name):
    assert f"```text\n{format_table(claims)}\n```" in (ROOT / name).read_text(encoding="utf-8")


def test_the_document_is_that_of_the_published_claims(claims):
    assert (ROOT / "docs" / "claims.md").read_text(encoding="utf-8") == document(claims)


def test_every_claim_has_a_measure_a_criterion_and_a_source():
    assert {*MEASURES} == {*NAMES}
    assert len(NAMES) == len({*NAMES})
    for claim in CLAIMS:
        assert claim.criterion.endswith(".")
        assert claim.sentence.endswith(".")
        assert claim.sources


def test_what_is_printed_fits_eighty_columns(claims):
    for text in (format_table(claims), format_details(claims)):
        assert max(map(len, text.splitlines())) <= 80


def test_a_file_gives_back_what_was_written(claims, tmp_path):
    path = tmp_path / "claims.json"
    path.write_text(to_json(claims), encoding="utf-8")
    assert to_json(from_json(path)) == path.read_text(encoding="utf-8")
    assert [claim.verdict for claim in from_json(path)] == [claim.verdict for claim in claims]


def test_the_command_measures_chosen_claims_in_a_clone_without_network_and_data(tmp_path):
    run = reproduce("--claims", "C4", "c10", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert [line.split()[-5:] and line[14:17].strip() for line in lines[3:5]] == ["C4", "C10"]
    assert not (tmp_path / "results").exists()  # a part is not written in place of the whole
    run = reproduce("--claims", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    written = json.loads((tmp_path / "results" / "claims" / "claims.json").read_text(encoding="utf-8"))
    assert [claim["id"] for claim in written] == [*NAMES]


def test_a_wrong_name_is_told_with_what_was_meant(tmp_path):
    run = reproduce("--claims", "11", cwd=tmp_path)
    assert run.returncode == 2
    assert "did you mean C11" in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_claims_need_no_torch():
    code = "import sys, harness.claims.show, harness.claims.describe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_the_page_has_the_table(claims, fresh_report):
    text = unescape(re.sub(r'<span lang="ko">.*?</span>|<[^>]+>', "", fresh_report.page))
    section = text[text.index("Do the paper's claims hold?", text.index("Do the paper's claims hold?") + 1) :]
    for claim in claims:
        assert claim.verdict + claim.id + claim.title.partition("N_z")[0] in section
