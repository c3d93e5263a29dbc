"""Any text is a config or refused by name; a store with a damaged config is drawn without it or refused, unharmed."""

import json
import os
import re
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aevb import shipped
from aevb.errors import UserError
from harness.experiments.config import Config
from harness.experiments.paper import FIGURE2
from harness.experiments.protocols import CHANGEABLE, protocol_config
from harness.figures import show
from harness.runs.train import run as compute
from tests.bad_input import Tally, campaign, check_message, check_refusal, contents, run
from tests.support import SMALL, small_job, write_array

GOOD = protocol_config("author", "mnist", method="aevb", n_latent=2, seed=0).to_json()
ODD = [10**400, -(10**400), 1e39, "../..", "a/b", "a\nb", "\udcff", "\0", "x" * 500, "auto", 2**63, 0, -1]
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(ODD)
lists = st.lists(scalars, max_size=3)
anything = scalars | lists | st.dictionaries(st.text(max_size=3), scalars | lists, max_size=2)


@st.composite
def texts(draw):
    """A good config with fields changed, missing or added, or with its text damaged; or any JSON at all."""
    values = json.loads(GOOD)
    kind = draw(st.integers(0, 9))
    if kind < 6:
        for field in draw(st.lists(st.sampled_from([*values]), min_size=1, max_size=3)):
            values[field] = draw(anything)
        return json.dumps(values)
    if kind == 6:
        del values[draw(st.sampled_from([*values]))]
        return json.dumps(values | draw(st.dictionaries(st.text(max_size=8), anything, max_size=1)))
    if kind == 7:
        return json.dumps(draw(anything))
    place, length = draw(st.integers(0, len(GOOD))), draw(st.integers(0, 30))
    return GOOD[:place] + draw(st.text(max_size=4) | st.sampled_from(["[" * 9999, "{" * 9999])) + GOOD[place + length :]


def outcome(make, tally):
    """What is made, or None where it is refused by name."""
    try:
        return make()
    except UserError as error:
        check_message(str(error))
        tally("bad inputs")
        return None


@campaign(200)
@given(text=texts())
def test_any_text_is_a_config_or_refused_by_name(text, tally: Tally):
    config = outcome(lambda: Config.from_json(text), tally)
    if config is not None:
        assert Config.from_json(config.to_json()) == config
        assert config.name.isprintable()
        assert "/" not in config.name
        assert FIGURE2.defines(config) in (True, False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dataset", "../../.."), ("dataset", "a/b"), ("dataset", "a\nb"), ("dataset", "x" * 151), ("dataset", 5),
        ("protocol", "\udcff"), ("protocol", None), ("data_sha256", "/"), ("hidden", 5), ("hidden", [10**7]),
        ("seed", 10**400), ("step_size", 10**400), ("batch_size", 1.5), ("init_std", 1e39), ("n_latent", True),
        ("learner", [None]), ("learner", [5]), ("learner", [[None, 1]]), ("learner", [["beta", None]]),
    ],
)  # fmt: skip
def test_a_config_with_a_value_that_no_run_can_have_is_refused(field, value, tally: Tally):
    text = json.dumps(json.loads(GOOD) | {field: value})
    assert outcome(lambda: Config.from_json(text), tally) is None


values = st.text(max_size=10) | anything.map(json.dumps)


@campaign(200)
@given(changes=st.lists(st.tuples(st.sampled_from(CHANGEABLE) | st.text(max_size=5), values), min_size=1, max_size=3))
def test_any_change_of_a_protocol_is_a_config_or_refused_by_name(changes, tally: Tally):
    text = "+".join(["author", *(f"{field}={value}" for field, value in changes)])
    fields = {"method": "aevb", "n_latent": 2, "seed": 0}
    config = outcome(lambda: protocol_config(text, "mnist", **fields), tally)
    if config is not None:
        assert Config.from_json(config.to_json()) == config


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A folder with results of two runs."""
    folder = tmp_path_factory.mktemp("store")
    array = write_array(folder)
    for seed in (0, 1):
        compute(small_job(folder / "results", array, samples=200, seed=seed, evaluation_points=10_000))
    return folder


DAMAGE = {
    "empty": b"", "half": GOOD.encode()[:400], "bytes": b"\xff\xfe\0" * 9, "a list": b"[1]", "a number": b"7",
    "deep": b"[" * 99_999, "another version": b'{"eta": 1}', "another run": GOOD.encode(), "huge": b"9" * 5000,
    "path": GOOD.replace('"mnist"', '"../../.."').encode(),
    "another protocol": GOOD.replace('"author"', '"ours"').encode(),
    "types": GOOD.replace('"mnist"', "5").encode(),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_config_in_the_store_harms_nothing(damage, store, monkeypatch, tally: Tally):
    monkeypatch.chdir(store)
    monkeypatch.setattr(show, "PLOTS", {2: lambda *_: []})
    runs = store / "results" / "runs"
    path = sorted(runs.glob("*/config.json"))[0]
    good = path.read_bytes()
    path.write_bytes(damage)
    before = contents(runs)
    try:
        for task in (f"--figure 2 --dataset stripes.npy --latent 2 --protocol {SMALL} --plot-only", "--list"):
            status, printed, complained = run(task.split())
            if status:
                check_refusal(status, printed, complained)
            else:
                assert complained == "" or re.fullmatch(r"left out: 1 run\(s\) in .+\n", complained)
            assert contents(runs) == before
        tally("bad inputs")
    finally:
        path.write_bytes(good)


@pytest.mark.parametrize("table", ["marginal/marginal.csv", "reparameterization/variance.csv"])
@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\0", b"[1,2]\n", b'a,b\n"', b"status\nfinished\n", os.mkdir, os.mkfifo]
)
def test_a_damaged_table_in_the_store_is_named(table, content, tmp_path, monkeypatch, tally: Tally):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "results" / "studies" / table
    path.parent.mkdir(parents=True)
    shutil.copy(shipped.RESULTS / "studies" / path.parent.name / "config.json", path.parent)
    path.write_bytes(content) if isinstance(content, bytes) else content(path)
    before = contents(tmp_path)
    status, printed, complained = run(["--list"])
    check_refusal(status, printed, complained)
    assert table in complained
    assert contents(tmp_path) == before
    tally("bad inputs")
