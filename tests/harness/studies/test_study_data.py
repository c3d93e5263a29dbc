"""Studies leave out what lacks its data, and tell of each dataset once."""

import pytest

from aevb.data import DatasetUnavailable
from aevb.errors import UserError
from harness.figures.request import Request
from harness.store import notices
from harness.studies import data
from harness.studies.data import with_data
from harness.studies.gaps import study as gaps
from harness.studies.models import study as models


@pytest.fixture(autouse=True)
def _no_data(monkeypatch):
    monkeypatch.setattr(notices, "_told", set())

    def load(name, **_):
        raise DatasetUnavailable(f"{name} is nowhere", "get it")

    monkeypatch.setattr(data, "load_dataset", load)


@pytest.mark.parametrize("study", [gaps, models], ids=["gaps", "models"])
def test_a_study_of_models_tells_each_dataset_once(study, tmp_path, capsys):
    request = Request(results=tmp_path, workers=1)
    with pytest.raises(UserError, match="there must be "):
        study.run_study(study.STUDIES["smoke"], tmp_path / "studies", request)
    said = capsys.readouterr()
    assert said.out == ""
    told = said.err.splitlines()
    assert sorted(line[:16] for line in told) == ["missing: frey_fa", "missing: mnist i"]


def test_the_others_stay_in_their_order(monkeypatch):
    def load(name, **_):
        if name == "b":
            raise DatasetUnavailable(f"{name} is nowhere", "get it")

    monkeypatch.setattr(data, "load_dataset", load)
    assert with_data(["c1", "b1", "a1", "c2"], lambda part: part[0], None) == ["c1", "a1", "c2"]
