"""Any command line, however odd, is done or refused in one line; what is computed was asked for in good form."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aevb.data import frey_face
from harness.command import main as command_line
from harness.command.arguments import parser
from harness.experiments.config import Config
from tests.bad_input import Tally, campaign, check_refusal, contents, run
from tests.support import SMALL, write_array

# Values that are right somewhere, for each option; the fuzz bends them.
VALID = {
    "--figure": ["2", "3", "4", "5"],
    "--demo": ["generate", "interpolate", "denoise"],
    "--study": ["marginal", "reparameterization"],
    "--claims": ["C4", "c12"],
    "--dataset": ["mnist", "frey_face", "stripes.npy", "one.npz", "sub/stripes.npy"],
    "--latent": ["2", "10"],
    "--train": ["1000", "1e3"],
    "--points": ["0", "7"],
    "--method": ["aevb", "wake_sleep", "mcem"],
    "--scale": ["smoke", "quick", "paper"],
    "--samples": ["100", "1e6"],
    "--protocol": ["author", "paper", SMALL, "author+binarization=dynamic", "paper+hidden=[30,20]+step_size=auto"],
    "--seed": ["0", "1"],
    "--device": ["cpu", "auto"],
    "--engine": ["fast", "reference"],
    "--workers": ["1", "2"],
    "--results": ["results", "some/where"],
    "--data": ["sub"],
}
FLAGS = ["--report", "--list", "--benchmark", "--plot-only", "--force", "--re-estimate", "--dry-run"]
TASKS = ["--figure", "--demo", "--study", "--claims", "--report", "--list", "--benchmark"]
ELSEWHERE = {
    "--help",
    "--check",
    "--update-reference",
    "--junit",
    "--against",
    "--to-target",
    "--fail-if-slower",
    "--cluster",
    "--verify",
    "--migrate",
    "--publish",
}  # have tests of their own
NASTY = [
    "", "-", "--", "-1", "0", "2.5", "1e400", "1e308", "9" * 400, "9" * 5000, "nan", "-inf", "0x10", "1_000", "１２",
    "\udcff", "\udce9.npy", "a\nb", "nul\0.npy", "\x1b[31m", "\u202e", "é", "x" * 300,
    "x" * 100_000, "%s", "%(prog)s", "{}",
    "file", "file/x", "fifo", "pipe.npy", "folder.npy", "loop.npy", "bad.npy", "nan.npy", "new\nline.npy", "/dev/zero",
    "/dev/stdin", "/proc/self/mem", "/", "/proc", ".", "..", "~nobody/x.npy", "./mnist", "author+", "author+=", "+",
    "author+hidden=[]", "author+hidden=[1e3]", "author+hidden={}", "author+hidden=[1000001]",
    "author+hidden=" + "[" * 5000,
    "author+hidden=[999999,999999]", "author+hidden=[8,\n8]", "author+step_size=1e400", "author+step_size=" + "9" * 400,
    "author+init_std=1e39", "author+init_std=NaN", "author+warm_up=" + "9" * 400, "author+warm_up=" + "9" * 5000,
    "author+decoder={}", "author+split=null", "author+n_samples=1000000", "author+points_per_decade=1e9",
    "author+points_per_decade=1000000", "author+batch_size=999999999999999999999", "author" + "+warm_up=5" * 30,
    "author+method=mcem", "author+warm_up=5+warm_up=6",
    'author+split="chronologic\\u0061l"', "author+posterior_fit=[]",
]  # fmt: skip
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
odd = st.sampled_from(NASTY) | texts | st.integers().map(str) | st.floats().map(repr)


@st.composite
def values(draw, option):
    """A right value, a bent one, or anything at all."""
    right = draw(st.sampled_from(VALID[option]))
    kind = draw(st.integers(0, 9))
    if kind < 6:
        return right
    if kind < 8:
        place = draw(st.integers(0, len(right)))
        return right[:place] + draw(texts) + right[place:]
    return draw(odd)


@st.composite
def command_lines(draw):
    """A task, and options that may or may not go with it."""
    tasks = [draw(st.sampled_from(TASKS))] if draw(st.integers(0, 9)) else draw(st.lists(st.sampled_from(TASKS)))
    options = draw(st.lists(st.sampled_from([o for o in (*VALID, *FLAGS) if o not in TASKS]), max_size=4, unique=True))
    line = []
    for option in (*tasks, *options):
        line.append(option)
        if option in VALID:
            several = draw(st.sampled_from([1, 1, 1, 1, 1, 0, 2, 3]))
            line += [draw(values(option)) for _ in range(2 if option == "--points" and several == 1 else several)]
    if draw(st.integers(0, 9)) == 0:
        line.insert(draw(st.integers(0, len(line))), draw(odd))
    if draw(st.integers(0, 9)) == 0 and len(line) > 1:
        line = [*line[:-2], f"{line[-2]}={line[-1]}"]
    return line


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with good and bad files in it."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "sub").mkdir()
    write_array(folder)
    write_array(folder / "sub")
    good = np.load(folder / "stripes.npy")
    np.savez(folder / "one.npz", train=good[:50], test=good[50:80])
    np.save(folder / "nan.npy", good * np.nan)
    np.save(folder / "new\nline.npy", good)
    (folder / "\udce9.npy").write_bytes((folder / "stripes.npy").read_bytes())
    (folder / "bad.npy").write_bytes((folder / "stripes.npy").read_bytes()[:90])
    (folder / "stripes.npy").with_name("mnist").write_bytes((folder / "stripes.npy").read_bytes())
    (folder / "file").write_text("")
    (folder / "folder.npy").mkdir()
    (folder / "loop.npy").symlink_to("loop.npy")
    for name in ("fifo", "pipe.npy"):
        os.mkfifo(folder / name)
    return folder


@pytest.fixture
def reached(place, monkeypatch):
    """The command line in that folder, with nothing behind it that takes time; what was reached, with what."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    monkeypatch.setenv("AEVB_DATA_DIR", str(place))
    monkeypatch.setattr(frey_face, "URLS", ())
    calls = []

    def stub(answer):
        return lambda *arguments, **named: (calls.append(arguments), answer)[1]

    for name, answer in {
        "compute": [], "reestimate_all": [], "show_demo": None, "show_benchmarks": True, "make_report": True,
        "show_claims": None, "publish_pictures": None, "publish": None,
        "STUDIES": dict.fromkeys(command_line.STUDIES, stub(None)),
    }.items():  # fmt: skip
        monkeypatch.setattr(command_line, name, answer if name == "STUDIES" else stub(answer))
    return calls


def test_the_fuzz_knows_every_option():
    options = {text for action in parser()._actions for text in action.option_strings if text.startswith("--")}
    assert options - ELSEWHERE == {*VALID, *FLAGS}


@campaign(150)
@given(line=command_lines())
def test_any_command_line_is_done_or_refused_in_one_line(line, place, reached, tally: Tally):
    reached.clear()
    before = contents(place)
    status, printed, complained = run(line)
    assert contents(place) == before
    if status == 2:
        check_refusal(status, printed, complained)
        tally("bad inputs")
        return
    assert status == 0
    assert complained == ""
    assert reached or "--dry-run" in line or "--list" in line
    for job in (job for arguments in reached for job in getattr(arguments[0], "jobs", ())):
        assert Config.from_json(job.config.to_json()) == job.config
        assert len(os.fsencode(job.folder.path.name)) < 200


@pytest.mark.parametrize("option", [option for option in VALID if option not in TASKS])
def test_an_odd_value_of_an_option_is_refused_or_planned(option, place, reached, tally: Tally):
    before = contents(place)
    line = ["--figure", "2", *([] if option == "--dataset" else ["--dataset", "stripes.npy"]), "--dry-run"]
    for text in NASTY:
        status, printed, complained = run([*line, f"{option}={text}"])
        if status == 2:
            check_refusal(status, printed, complained)
            tally("bad inputs")
        else:
            assert (status, complained) == (0, ""), ascii(text)
            assert printed.count("to compute") >= 2, ascii(text)
    assert not reached
    assert contents(place) == before


@pytest.mark.parametrize(
    "results", ["file", "file/below", "fifo", "loop.npy", "nul\0", "x" * 300, "/dev/null", "/dev/null/below"]
)
@pytest.mark.parametrize("task", ["--figure 2 --dataset stripes.npy", "--report", "--study marginal", "--benchmark"])
def test_results_that_cannot_be_a_folder_are_refused_at_once(task, results, place, reached, tally: Tally):
    before = contents(place)
    check_refusal(*run([*task.split(), f"--results={results}"]))
    assert not reached
    assert contents(place) == before
    tally("bad inputs")
