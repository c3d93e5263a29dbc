"""A wrong request is refused before anything is computed."""

import pytest

from aevb import shipped
from harness.command import main as command_line
from harness.command.options import read_options
from harness.figures.request import Request
from tests.bad_input import check_refusal, contents, run
from tests.support import write_array


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("", "required"),
        ("--figure 7", "choose from 2, 3"),
        ("--figure two", "invalid int value: 'two'"),
        ("--figure 2 --list", "not allowed with"),
        ("--figure 2 --dataset cifar", "one of mnist, frey_face"),
        ("--figure 2 --dataset nowhere.npy", "No such file"),
        ("--figure 2 --dataset mnist --latent 0", "at least 1"),
        ("--figure 2 --latent 2.5", "whole number"),
        ("--figure 2 --latent 7", "no panel with n_latent 7"),
        ("--figure 2 --latent 2", "frey_face: frey_rawface.mat must be on this machine"),
        ("--figure 2 --method mcem", "has the methods aevb, wake_sleep"),
        ("--figure 2 --scale huge", "smoke"),
        ("--figure 2 --samples 0", "at least 1"),
        ("--figure 2 --samples inf", "whole number"),
        (
            "--figure 2 --samples 2e3 --scale paper",
            "--samples takes the place of --scale, got 2000 beside paper: ",
        ),
        ("--demo generate --samples 2e3 --scale smoke", "--samples takes the place of --scale"),
        ("--figure 2 --samples many", "whole number"),
        ("--figure 2 --protocol mine", "one of author, paper"),
        ("--figure 2 --protocol author+eta=1", "with a field of"),
        ("--figure 2 --protocol author+optimizer=adam", "no field, got 'optimizer=adam': write a learner that climbs"),
        ("--figure 2 --protocol author+encoder=mine:Deep", "no field, got 'encoder=mine:Deep': write a learner that"),
        ("--figure 2 --protocol author+step_size=0", "positive number"),
        ("--figure 2 --dataset mnist --protocol author+pixel_scale=100", "must lie in [0, 1]"),
        ("--figure 2 --dataset mnist --protocol author+pixel_scale=0", "a finite number >= 255"),
        ("--figure 2 --seed -1", "at least 0"),
        ("--figure 2 --seed one", "whole number"),
        ("--figure 2 --device tpu", "cuda"),
        ("--figure 2 --workers 0", "at least 1"),
        ("--figure 2 --workers two", "whole number"),
        ("--figure 2 --results", "expected one argument"),
        ("--figure 2 --plot-only --results empty --dataset mnist --protocol paper", "without --plot-only"),
        ("--figure 2 --plot-only --force", "no use for --force"),
        ("--figure 2 --plot-only --samples 1000", "--figure 2 --plot-only has no use for --samples: leave it out"),
        ("--figure 3 --plot-only --scale paper", "--figure 3 --plot-only has no use for --scale"),
        ("--figure 2 --plot-only --seed 1", "--figure 2 --plot-only has no use for --seed"),
        ("--figure 4 --plot-only --device cuda", "--plot-only has no use for --device"),
        ("--report --plot-only --data a", "--plot-only has no use for --data"),
        ("--study marginal --plot-only --scale paper", "--study --plot-only has no use for --scale"),
        ("--figure 2 --plot-only=yes", "ignored explicit argument"),
        ("--figure 2 --force=1", "ignored explicit argument"),
        ("--figure 2 --dry-run=1", "ignored explicit argument"),
        ("--figure 2 --data nowhere --dataset frey_face", "an existing folder"),
        ("--figure 2 --dataset mnist --results file", "results must be in a folder"),
        ("--figure 2 --scale=--", "expected a value, got '--'"),
        ("--figure 2 --samples 1e19", "from 1 to 1e+18"),
        ("--figure 2 --latent 1e7 --dataset mnist", "at most 1e+06"),
        ("--figure 2 --dataset mnist --protocol author+points_per_decade=1e9", "at most 1000, got 1000000000"),
        ("--figure 2 --dataset mnist --protocol author+batch_size=1.5e0", "batch_size must be a whole number, got 1.5"),
        ("--figure 2 --dataset mnist --protocol author+points_per_decade=1001", "at most 1000"),
        ("--figure 2 --dataset mnist --protocol author+init_std=1e39", "at most 1e+06"),
        ("--figure 2 --dataset mnist --protocol author+hidden=[1000000,1000000]", "must fit in the memory"),
        ("--figure 2 --dataset mnist --protocol author+n_samples=1000000", "must fit in the memory"),
        ("--figure 2 --dataset a/mnist", "a name of its own"),
        ("--figure 2 --dataset " + "x" * 151, "must be known"),
        ("--figure 2 --dataset " + "x" * 300 + ".npy", "File name too long"),
        ("--figure 2 --fast", "unrecognized"),
        ("figure 2", "unrecognized arguments: figure; did you mean --figure?"),
        ("--figure 2 --protocol author+step_size", "field=value, got 'step_size': add =value"),
        ("--figure 2 --dataset a/stripes.npy b/stripes.npy", "must have different file names"),
        ("--figure 2 --dataset a/stripes.npy --protocol author+pixel_scale=255", "an array holds values in [0, 1]"),
        ("--figure 2 --train 1000", "no use for --train"),
        ("--check --method beta:Beta", "leave it out; it checks the project, and `aevb.testing` what is yours"),
        ("--figure 2 --re-estimate", "no use for --re-estimate"),
        ("--figure 3 --latent 5", "no use for --latent"),
        ("--figure 3 --train 0", "at least 1"),
        ("--figure 3 --train 5", "no panel with n_train 5"),
        ("--figure 3 --dataset mnist --train 60000", "at most the 50000 training points"),
        (
            "--figure 3 --dataset a/stripes.npy --train 99999",
            "got 99999: give fewer with --train or +n_train, or leave",
        ),
        ("--figure 3 --plot-only --re-estimate", "no use for --re-estimate"),
        ("--figure 4 --latent 3", "no use for --latent"),
        ("--figure 4 --method aevb", "no use for --method"),
        ("--figure 4 --points 1 2", "no use for --points"),
        ("--figure 4 --plot-only --protocol paper", "trained models to draw"),
        ("--figure 4 --dataset frey_face", "frey_face: frey_rawface.mat must be on this machine"),
        ("--figure 5 --train 5", "no use for --train"),
        ("--figure 5 --latent 7", "no panel with n_latent 7"),
        ("--demo dance", "generate"),
        ("--demo generate --figure 4", "not allowed with"),
        ("--demo generate --points 1 2", "no use for --points"),
        ("--demo generate --plot-only", "no use for --plot-only"),
        ("--demo generate --method aevb", "no use for --method"),
        ("--demo generate --dataset mnist a/stripes.npy", "give --dataset one value"),
        ("--demo generate --latent 2 3", "give --latent one value"),
        ("--demo generate --seed 0 1", "give --seed one value"),
        ("--demo generate --dataset cifar", "one of mnist, frey_face"),
        ("--demo denoise --dataset nowhere.npy", "No such file"),
        ("--demo interpolate --points 1", "expected 2 arguments"),
        ("--demo interpolate --points -1 2", "at least 0"),
        ("--demo interpolate --points 0 10000", "below 10000"),
        ("--demo interpolate --points 5 5", "two different test images"),
        ("--demo reconstruct --dataset frey_face", "frey_face: frey_rawface.mat must be on this machine"),
        ("--study everything", "marginal"),
        ("--verify nothing", "must be named by its folder"),
        ("--verify", "expected at least one argument"),
        ("--verify a --seed 1", "no use for --seed"),
        ("--migrate --figure 2", "not allowed with"),
        ("--migrate --samples 9", "no use for --samples"),
        ("--publish --scale smoke", "no use for --scale"),
        ("--study marginal --samples 9", "no use for --samples"),
        ("--study marginal --seed 1", "no use for --seed"),
        ("--study reparameterization --latent 5", "no use for --latent"),
        ("--list --dataset mnist", "no use for --dataset"),
        ("--report --dataset mnist", "no use for --dataset"),
        ("--report --seed 1", "no use for --seed"),
        ("--report --figure 2", "not allowed with"),
        ("--report --protocol mine", "one of author, paper"),
        ("--benchmark --scale smoke", "no use for --scale"),
        ("--benchmark --workers 2", "no use for --workers"),
        ("--figure 2 --device cpu cuda", "for --benchmark alone"),
        ("--figure 2 --cluster nowhere", "must be tcp://HOST:PORT"),
        ("--figure 2 --cluster tcp://here:99999", "must be tcp://HOST:PORT"),
        ("--figure 2 --cluster http://here:80", "must be tcp://HOST:PORT"),
        ("--figure 2 --cluster tcp://here:1 --workers 2", "no use for --workers"),
        ("--figure 2 --cluster tcp://here:1 --plot-only", "no use for --cluster"),
        ("--benchmark --cluster tcp://here:1", "no use for --cluster"),
        ("--check --dataset mnist", "no use for --dataset"),
        ("--check --results elsewhere", "no use for --results"),
        ("--check --seed 1", "no use for --seed"),
        ("--check --device cpu cuda", "for --benchmark alone"),
        ("--check --figure 2", "not allowed with"),
        ("--check --junit nowhere/check.xml", "must name a file that can be written"),
        ("--check --update-reference --engine reference", "no use for --engine"),
        ("--check --update-reference --junit check.xml", "no use for --junit"),
        ("--figure 2 --junit check.xml", "for --check alone"),
        ("--check --junit a/stripes.npy", "a/stripes.npy: it is there, and of another kind: name another"),
        ("--figure 3 --dry-run --re-estimate", "no use for --re-estimate"),
        ("--figure 2 --plot-only --dataset mnist --latent 999", "none of protocol author for mnist; 999: compute"),
        ("--figure 3 --plot-only --dataset mnist --train 77", "none of protocol author for mnist; 77: compute"),
        ("--figure 2 --plot-only --method foo:Bar", "none of protocol author for foo:Bar: compute"),
        ("--migrate --results nowhere", "there are none at nowhere: correct --results"),
        ("--figure 2 --against HEAD", "--against is for --benchmark alone"),
        ("--figure 2 --to-target", "--to-target is for --benchmark alone"),
        ("--benchmark --to-target --against HEAD", "no use for --to-target"),
        ("--benchmark --to-target --device cuda", "no use for --device"),
        ("--benchmark --to-target --force", "no use for --force"),
        ("--benchmark --against HEAD --force", "no use for --force"),
        ("--benchmark --plot-only --method beta:Beta", "--benchmark --plot-only has no use for --method"),
        ("--benchmark --plot-only --device cuda", "--benchmark --plot-only has no use for --device"),
        ("--benchmark --fail-if-slower", "name a commit, or leave it out"),
        ("--benchmark --against HEAD --device cuda", "no use for --device"),
        ("--list --update-reference", "for --check alone"),
        ("--figure 2 --figure 3", "argument --figure: given twice"),
        ("--figure 2 --seed 0 --seed 1", "argument --seed: given twice"),
        ("--figure 2 --latent=2 --dataset mnist --latent 5", "argument --latent: given twice"),
        ("--figure 2 --results=", "must be a path, got ''"),
        ("--figure 2 --data=", "must be a path, got ''"),
        ("--claims C1 --protocol mine", "one of author, paper"),
    ],
)
def test_a_wrong_request_is_one_clear_line_and_status_2(arguments, says, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("AEVB_DATA_DIR", str(tmp_path))
    for proxy in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    (tmp_path / "file").write_text("")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_array(tmp_path / folder)
    (tmp_path / "a" / "mnist").write_bytes((tmp_path / "a" / "stripes.npy").read_bytes())
    try:
        status = command_line.main(arguments.split())
    except SystemExit as leaving:
        status = leaving.code
    printed = capsys.readouterr()
    assert status == 2
    assert printed.out == ""
    assert printed.err.startswith("reproduce.py: error: ")
    assert says in printed.err
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_a_home_that_the_shell_has_not_put_in_is_put_in(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "faces").mkdir()
    options = read_options(["--figure", "2", "--results=~/here", "--data=~/faces"])
    assert (options.results, options.data) == (tmp_path / "here", tmp_path / "faces")


def test_a_protocol_is_one_however_its_whole_numbers_are_written():
    typed, plain = (
        read_options(["--figure", "2", "--protocol", f"author+batch_size={size}+hidden={hidden}"]).protocol
        for size, hidden in (("1e2", "[5e2,20.0]"), ("100", "[500,20]"))
    )
    assert typed == plain == "author+batch_size=100+hidden=[500,20]"


@pytest.mark.parametrize("place", ["reference/mine", "reference/runs", "published", "published/mine", "link"])
@pytest.mark.parametrize("task", ["--figure 2", "--figure 4 --plot-only", "--claims", "--report"])
def test_nothing_is_written_among_what_comes_with_the_project(place, task, tmp_path, monkeypatch):
    for name in ("reference/runs", "published"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "reference" / "runs")
    monkeypatch.setattr(shipped, "RESULTS", tmp_path / "reference")
    monkeypatch.setattr(shipped, "PAPER", tmp_path / "published")
    before = contents(tmp_path)
    status, printed, complained = run([*task.split(), "--results", str(tmp_path / place)])
    check_refusal(status, printed, complained)
    assert "must stay as it is" in complained
    assert contents(tmp_path) == before


@pytest.mark.parametrize("text", ["results\n", "a\rb", "\x1b[31m", "\u2028"])
@pytest.mark.parametrize("option", ["--results", "--data"])
def test_a_path_that_would_break_the_lines_that_tell_it_is_refused(option, text):
    status, printed, complained = run(["--figure", "2", option, text])
    check_refusal(status, printed, complained)
    assert f"argument {option}: must be a path without line breaks" in complained


def test_a_protocol_of_any_length_has_a_name_for_its_files():
    short = "author+hidden=[8]+warm_up=5"
    assert Request(protocol="author").name == "figure2"
    assert Request(protocol=short).name == f"figure2-{short}"
    long = [Request(protocol=f"author{'+warm_up=5' * 40}+n_samples={n}").name for n in (1, 2)]
    assert long[0] != long[1]
    assert {len(name.encode()) for name in long} == {len("figure2-") + 150}


def test_a_file_that_cannot_be_used_is_one_line_wherever_it_was_needed(monkeypatch, tmp_path):
    def refuse(_):
        raise PermissionError(13, "Permission denied", str(tmp_path / "results" / "runs"))

    monkeypatch.setattr(command_line, "show_catalogue", refuse)
    status, printed, complained = run(["--list"])
    check_refusal(status, printed, complained)
    assert f"{tmp_path / 'results' / 'runs'}: Permission denied; give this user the right to" in complained


def test_an_array_named_in_two_ways_is_computed_once(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    write_array(tmp_path)
    ask = "--figure 2 --dataset stripes.npy ./stripes.npy --latent 2 --method aevb --dry-run"
    assert command_line.main(ask.split()) == 0
    assert capsys.readouterr().out.count("to compute: stripes.npy") == 1
