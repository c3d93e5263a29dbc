"""What others have written into the files of a run, also without checksums: it is mended, or told in one line."""

import json

import pytest

from aevb.errors import UserError
from harness.runs.train import run
from harness.runs.verify import anew, verify
from harness.store import notices
from harness.store.collect import collect
from harness.workers.local import Local
from tests.bad_input import check_message
from tests.foreign import look_at
from tests.tally import tally


@pytest.fixture(autouse=True)
def _nothing_told_yet(monkeypatch):
    monkeypatch.setattr(notices, "_told", set())


def cell(column, text):
    """The second row has this text in the column."""

    def change(content):
        rows = [line.split(",") for line in content.splitlines()]
        rows[2][rows[0].index(column)] = text
        return "".join(",".join(row) + "\n" for row in rows)

    return change


def lines(change):
    return lambda content: "".join(line + "\n" for line in change(content.splitlines()))


CURVES = {
    "semicolons": lambda content: content.replace(",", ";"),
    "tabs": lambda content: content.replace(",", "\t"),
    "a comma for a point": lambda content: content.replace(",", ";").replace(".", ","),
    "without rows": lines(lambda rows: rows[:1]),
    "cut in a row": lambda content: content[:-40],
    "cut in a number": lambda content: content[:-3],
    "sorted from its end": lines(lambda rows: [rows[0], *rows[:0:-1]]),
    "rows twice": lines(lambda rows: [*rows, rows[-1]]),
    "a quote": lambda content: content[:150] + '"' + content[151:],
    "no bytes, but zeros": lambda content: content[:150] + "\0\0\0" + content[153:],
    **{f"{column} {text}": cell(column, text) for column, text in (
        ("samples", "1.5"), ("samples", "-100"), ("samples", "0"), ("samples", "1e30"), ("samples", ""),
        ("samples", "Jan 03"), ("lower_bound", "nan"), ("lower_bound", "-inf"), ("lower_bound", "#NUM!"),
        ("standard_error", "x"), ("seconds", ""), ("seconds", "inf"), ("split", "valid"), ("split", ""),
    )},
}  # fmt: skip


@pytest.mark.parametrize("change", CURVES.values(), ids=CURVES)
def test_a_curve_that_cannot_be_one_is_told_and_mended(change, whole, capsys):
    before = whole.folder.curve.read_text()
    whole.folder.curve.write_bytes(change(before).encode())
    assert whole.folder.damaged() == ["curve.csv"]
    curves, runs = collect([whole.folder], ("dataset",), "lower_bound")
    assert curves.empty
    assert runs["status"].tolist() == ["failed"]
    assert "the command that computes the run mends it" in capsys.readouterr().err
    told = []
    job = lambda folder, root, samples: anew(folder, root, samples, whole.data, "cpu", "")  # noqa: E731
    verify([whole.folder], job, 500, Local(1), told.append)
    check_message(str(told[0]))
    assert run(whole).message == "curve.csv was damaged and is mended"
    assert whole.folder.curve.read_text() == before
    tally("foreign files")


@pytest.mark.parametrize(
    "change", [lambda content: content.replace(b"\n", b"\r\n"), lambda content: b"\xef\xbb\xbf" + content]
)
def test_a_curve_with_another_systems_line_ends_or_mark_is_the_same_curve(change, whole):
    before = whole.folder.read_curve()
    whole.folder.curve.write_bytes(change(whole.folder.curve.read_bytes()))
    assert whole.folder.read_curve().equals(before)
    assert whole.is_done()


DEEP = "[" * 100_000
STATUSES = {
    "bound": [float("nan"), "x", [1]], "samples_per_second": [float("inf"), "fast", -1], "step_size": ["x", True],
    "evaluation_seconds": [None, "x", -1.0], "samples": [True, -5, 10**400, 1.5, "1"], "completed": [5_000, None],
    "steps": ["x", -1], "message": [None, 3], "state": [["finished"], None, "done"],
}  # fmt: skip


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in STATUSES.items() for value in values])
def test_a_status_that_no_run_can_have_is_told_and_mended(field, value, whole):
    path, before = whole.folder.path / "status.json", whole.folder.status()
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    assert whole.folder.status().state == "failed"
    assert whole.folder.damaged() == ["status.json"]
    look_at(whole)
    mended = run(whole)
    assert (mended.state, mended.samples, mended.message) == (
        "finished", before.samples, "status.json was damaged and is mended",
    )  # fmt: skip
    tally("foreign files")


def test_a_message_is_one_line_that_a_terminal_can_show(whole):
    path = whole.folder.path / "status.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"message": "a\nb\x1b[31m\udc80"}))
    assert whole.folder.status().message == r"a b\x1b[31m\udc80"


RECORDS = {
    "texts": ["x"], "nothing": [None], "an object": {"started": "x"}, "a date that is a number": [{"started": 5}],
    "no dates": [{"resumed": None}], "packages in a list": [{"packages": []}], "devices": [{"device": ["a"]}],
    "a kind that is none": [{"device_type": None}], "versions": [{"packages": {"torch": 2}}],
    "instructions": [{"instructions": "avx2"}], "instructions without names": [{"instructions": {"torch": "AVX2"}}],
}  # fmt: skip


@pytest.mark.parametrize("content", [*map(json.dumps, RECORDS.values()), DEEP, "{"], ids=[*RECORDS, "deep", "half"])
def test_a_record_of_environments_that_is_none_is_told_and_mended(content, whole):
    path = whole.folder.path / "environment.json"
    path.write_text(content)
    with pytest.raises(UserError, match="the command that computes the run mends it"):
        whole.folder.environments()
    assert (whole.folder.devices(), whole.folder.device_type()) == ("", "")
    look_at(whole)
    assert run(whole).message == "environment.json was damaged and is mended"
    assert whole.folder.environments()
    tally("foreign files")


@pytest.mark.parametrize("name", ["status.json", "config.json", "checksums.json"])
def test_lists_within_lists_without_end_are_damage(name, whole):
    (whole.folder.path / name).write_text(DEEP)
    assert whole.folder.damaged() == [name]
    look_at(whole)
    assert run(whole).message == f"{name} was damaged and is mended"
    tally("foreign files")
