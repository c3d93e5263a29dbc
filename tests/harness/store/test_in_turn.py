"""Commands that fill one folder at once do so one after the other; what is being computed is not copied."""

import os
import shutil
import sys
from pathlib import Path

from aevb import shipped
from harness.command.main import main
from harness.runs.migrate import migrate
from harness.runs.publish import publish_runs
from harness.runs.train import run
from harness.store import notices
from harness.store.columns import fold
from harness.store.locks import in_turn
from harness.store.shelves import Shelves
from tests import forked
from tests.support import SMALL, small_job, wait_until
from tests.tally import tally


def fill(folder, notes, release):
    """Say when it has its turn, which it gives away when there is a file by the name `release`."""
    with notes.with_name(f"told-{os.getpid()}").open("w") as sys.stderr, in_turn(folder):
        note(notes, "begins")
        wait_until(release.exists)
        note(notes, "ends")


def keep(job, notes, release):
    """As what computes the run."""
    with job.folder.lock():
        note(notes, "begins")
        wait_until(release.exists)


def note(notes, what):
    with notes.open("a") as file:
        file.write(f"{os.getpid()} {what}\n")


def test_of_three_commands_at_one_folder_each_waits_for_the_other_and_says_so(tmp_path):
    folder, notes, release = (tmp_path / name for name in ("folder", "notes", "release"))
    processes = [forked.start(fill, folder, notes, release) for _ in range(3)]
    said = fold(f"another command is at work in {folder}: this one goes on when that is done") + "\n"
    wait_until(lambda: sorted(path.read_text() for path in tmp_path.glob("told-*")) == ["", said, said])
    release.touch()
    assert [forked.finish(process) for process in processes] == [0] * 3
    lines = [line.split() for line in notes.read_text().splitlines()]
    assert [what for _, what in lines] == ["begins", "ends"] * 3
    assert [who for who, _ in lines[::2]] == [who for who, _ in lines[1::2]]
    tally("commands at one folder", 3)


def test_a_figure_is_drawn_from_what_is_stored_when_its_turn_comes(tmp_path, array, monkeypatch):
    """Else a command that has read before another one's end would draw after it, and its older curves would win."""
    monkeypatch.chdir(tmp_path)
    job = small_job(Path("results"), array, samples=1_000, evaluation_points=10_000)
    run(job)
    notes, release, told = (tmp_path / name for name in ("notes", "release", "told"))
    holder = forked.start(fill, Path("results/figure2"), notes, release)
    wait_until(notes.exists)
    arguments = ["--figure", "2", "--dataset", "stripes.npy", "--protocol", SMALL, "--plot-only"]
    drawn = forked.start(plot, arguments, told)
    wait_until(lambda: told.exists() and "another command is at work" in told.read_text())
    run(small_job(Path("results"), array, samples=4_000, evaluation_points=10_000))
    assert not Path("results/figure2/figure2.csv").exists()
    release.touch()
    assert [forked.finish(process) for process in (holder, drawn)] == [0, 0]
    assert ",4000," in Path("results/figure2/figure2.csv").read_text()


def plot(arguments, told):
    with told.open("w") as sys.stderr:
        status = main(arguments)
    os._exit(status)


def test_a_run_that_is_being_computed_is_not_published(tmp_path, array, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shipped, "RESULTS", tmp_path / "project")
    monkeypatch.setattr(notices, "_told", set())
    job = small_job(Path("results"), array, samples=1_000, evaluation_points=10_000)
    run(job)
    shelves = Shelves(Path("results"))
    notes, release = tmp_path / "notes", tmp_path / "release"
    holder = forked.start(keep, job, notes, release)
    wait_until(notes.exists)
    first, *_ = publish_runs(shelves, array, SMALL)
    assert first == f"left: {job.config.name}: another command is computing it"
    assert not (tmp_path / "project" / "runs").exists()
    release.touch()
    assert forked.finish(holder) == 0
    first, *_ = publish_runs(shelves, array, SMALL)
    assert first == f"published: {job.config.name}, 1,000 samples"


def bring_over(results, out):
    out.write_text("\n".join(migrate(results)))


def test_of_two_commands_that_migrate_one_does_all(tmp_path):
    for k in range(20):
        part = tmp_path / "results" / "quick" / "marginal" / "parts" / str(k)
        part.mkdir(parents=True)
        (part / "part.csv").write_text("a part")
    outs = [tmp_path / "one", tmp_path / "other"]
    processes = [forked.start(bring_over, tmp_path / "results", out) for out in outs]
    assert [forked.finish(process) for process in processes] == [0, 0]
    assert sorted(len(out.read_text().splitlines()) for out in outs) == [0, 2]
    assert len([*(tmp_path / "results" / "studies" / "marginal" / "parts").iterdir()]) == 20
    shutil.rmtree(tmp_path / "results" / "before-migration")
    assert migrate(tmp_path / "results") == []


def test_nothing_is_made_where_there_is_nothing_to_draw(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["--figure", "2", "--plot-only", "--dataset", "none.npy", "--results", "mine"]) == 2
    assert not (tmp_path / "mine").exists()
