"""The command completes wherever it is called: backends, settings, encodings, closed streams, no home, bad proxies."""

import os
import re
import signal
import subprocess
import sys
import time
from itertools import chain

import pytest

from tests import head_start
from tests.support import ROOT, environment
from tests.tally import tally

CLOSED = {"standard output": (1,), "standard error": (2,), "all streams": (0, 1, 2)}
NOWHERE = "/proc/nowhere"
BACKENDS = {
    "Jupyter's backend": {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
    "a backend that is none": {"MPLBACKEND": "nonsense", "DISPLAY": ":99"},
    "a matplotlibrc": {"rc": b"text.usetex: True\nsavefig.bbox: tight\nfont.size: 30\n"},
    "a matplotlibrc that is no text": {"rc": b"\xff\xfe\x00"},
}
ENCODINGS = {
    "ASCII": {"PYTHONIOENCODING": "ascii"},
    "Windows' code page": {"PYTHONIOENCODING": "cp1252:strict"},
    "the C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "a locale that is not there": {"LC_ALL": "tr_TR.ISO-8859-9", "LANGUAGE": "tr", "TZ": "Nowhere/Else"},
}
HOMES = {
    "no HOME": {"HOME": None, "XDG_CACHE_HOME": None, "USER": None, "LOGNAME": None},
    "a home that is not there": {"HOME": NOWHERE, "XDG_CACHE_HOME": NOWHERE, "MPLCONFIGDIR": NOWHERE},
}
TERMINALS = {
    "a narrow terminal": {"COLUMNS": "20", "TERM": "dumb"},
    "a terminal without width": {"COLUMNS": "0", "LINES": "x", "TERM": "nothing", "FORCE_COLOR": "1"},
}
NETWORKS = {
    "no certificates": {"REQUESTS_CA_BUNDLE": NOWHERE, "SSL_CERT_FILE": NOWHERE},
    "proxies that are none": {"https_proxy": "::::", "http_proxy": "http://[::1", "all_proxy": "socks5://x"},
}
INTERPRETERS = {
    "warnings as errors": {"PYTHONWARNINGS": "error"},
    "optimised away": {"PYTHONOPTIMIZE": "2", "SOURCE_DATE_EPOCH": "nonsense"},
}
# One of each kind at once, for kinds have nothing to do with each other: so all are seen for the price of a few.
KINDS = (BACKENDS, ENCODINGS, HOMES, TERMINALS, NETWORKS, INTERPRETERS)
ODD = {f"{name} closed": {"closed": numbers} for name, numbers in CLOSED.items()} | {
    ", ".join(names): dict(chain.from_iterable(kind[name].items() for kind, name in zip(KINDS, names, strict=True)))
    for names in zip(*([*kind] * (len(BACKENDS) // len(kind)) for kind in KINDS), strict=True)
}
PANEL = "--figure 2 --latent 20 --samples 2000 --method aevb --workers 1"


def call(arguments, folder, odd):
    odd = dict(odd)
    closed, rc = odd.pop("closed", ()), odd.pop("rc", None)
    if rc is not None:
        (folder / "matplotlibrc").write_bytes(rc)
    env = environment(XDG_CACHE_HOME=str(folder / "cache"), AEVB_DATA_DIR="")
    env = {name: value for name, value in (env | odd).items() if value is not None}
    return subprocess.run(
        [sys.executable, str(ROOT / "reproduce.py"), *arguments.split()], cwd=folder, env=env, timeout=300,
        capture_output=True, preexec_fn=lambda: [os.close(number) for number in closed],
    )  # fmt: skip


def within_80_columns(said):
    """The lines that are not; addresses and errors are one line each, to be read by programs."""
    lines = said.splitlines()
    tally("lines within 80 columns", len(lines))
    return [text for text in lines if len(text) > 80 and not text.startswith(("wrote ", "missing", "not "))]


@pytest.mark.parametrize("name", ODD, ids=lambda name: ", ".join(name.split(", ")[:2]))
def test_the_help_and_a_figure_are_complete_in_any_surroundings(name, tmp_path):
    helped = call("--help", tmp_path, ODD[name])
    assert (helped.returncode, helped.stderr) == (0, b"")
    assert 1 in ODD[name].get("closed", ()) or b"usage: reproduce.py" in helped.stdout
    dataset = " --dataset mnist" if "closed" in ODD[name] else ""  # without, it asks the network for Frey Face
    done = call(PANEL + dataset, tmp_path, ODD[name])
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0, said
    assert not re.search("Traceback|Warning|Error", said), said
    assert {path.name for path in (tmp_path / "results" / "figure2").iterdir()} >= {"figure2.png", "figure2.svg"}
    assert within_80_columns(done.stdout.decode(errors="replace")) == within_80_columns(said) == []
    assert not (tmp_path / "~").exists()
    tally("odd environments", 2 if "closed" in ODD[name] else 2 * len(KINDS))


@pytest.mark.parametrize("closed", CLOSED.values(), ids=CLOSED.keys())
def test_a_refusal_keeps_its_status_where_nobody_can_be_told(closed, tmp_path):
    for line in ("--figure 9", "--figure 2 --data nowhere", "--figure 2 --dataset mnsit"):
        assert call(line, tmp_path, {"closed": closed}).returncode == 2
        tally("odd environments")


@pytest.mark.parametrize("line", ["--list", "--figure 2 --plot-only", "evaluate run"])
def test_a_working_folder_that_is_gone_is_told(line, tmp_path):
    """Libraries would end the process, or raise."""
    gone = tmp_path / "gone"
    gone.mkdir()
    command = [sys.executable, str(ROOT / "reproduce.py"), *line.split()]
    done = subprocess.run(command, cwd=gone, capture_output=True, text=True, preexec_fn=gone.rmdir)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "reproduce.py: error: the working folder must be there; No such file or directory: change to one with `cd`\n"
    )
    tally("odd environments")


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("line", ["evaluate mnist-nz2-aevb-seed0", "--list"])
def test_an_interrupt_while_it_is_still_loading_ends_it_without_a_traceback(line, seconds, tmp_path):
    command = [sys.executable, str(ROOT / "reproduce.py"), *line.split()]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, complained = process.communicate(timeout=60)
    assert "Traceback" not in complained
    assert process.returncode in (0, 130, -signal.SIGINT)
    tally("odd environments")


TASKS = [
    "--figure 2 --dataset mnist --latent 3 --method aevb --samples 300", "--figure 2 --dataset frey_face",
    "--verify mnist-nz3-aevb-seed0 --samples 100", "--demo generate --dataset mnist --scale paper",
    "--study marginal --scale smoke", "--check", "--figure 3 --scale smoke", "--report",
]  # fmt: skip


def spent_on_children():
    """Seconds of processors that those had which have ended: however busy the machine is, these are as many."""
    return os.times().children_user + os.times().children_system


@pytest.mark.parametrize("task", TASKS)
def test_the_first_sign_of_life_comes_before_what_takes_seconds(task, tmp_path):
    began, before = time.monotonic(), spent_on_children()
    command = [sys.executable, str(ROOT / "reproduce.py"), *task.split()]
    env = environment(XDG_CACHE_HOME=str(tmp_path / "cache"))
    process = subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"reproduce.py: loading")
        assert time.monotonic() - began < 10
    finally:
        process.kill()
        process.communicate()
    assert spent_on_children() - before < 0.8, "importing torch alone takes more"
    tally("signs of life")


WIDE = [
    "--list", "--help", "--figure 2 --dataset mnist --dry-run", "--figure 2 --plot-only", "--figure 3 --plot-only",
    "--study marginal --plot-only", "--study reparameterization --plot-only", "--study models --plot-only", "--claims",
]  # fmt: skip


NARROW = [(line, None) for line in WIDE] + [(line, "80") for line in WIDE[:3]]  # that is what None stands for


@pytest.mark.parametrize(("line", "columns"), NARROW)
def test_eighty_columns_are_enough_for_all_that_is_printed(line, columns, tmp_path):
    env = environment(XDG_CACHE_HOME=str(tmp_path / "cache"), AEVB_DATA_DIR="")
    env = {name: value for name, value in env.items() if name != "COLUMNS"} | ({"COLUMNS": columns} if columns else {})
    done = head_start.run([str(ROOT / "reproduce.py"), *line.split()], tmp_path, env)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 9
    assert within_80_columns(done.stdout) == []


def test_what_the_page_is_made_of_is_read_in_any_locale():
    code = (
        "from harness.report.page import SCRIPTS, STYLES, _asset; from harness.report.quote import quotes; "
        "assert all(map(_asset, [*STYLES, *SCRIPTS])) and quotes()"
    )
    odd = environment(**ENCODINGS["the C locale"])
    made = subprocess.run([sys.executable, "-c", code], env=odd, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
